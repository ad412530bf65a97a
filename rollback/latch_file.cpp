#include "rollback/latch_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <nlohmann/json.hpp>

#include "common/file.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kFileBytes = 16u << 10;  // as much as a document usually takes, and more
constexpr std::size_t kFileBytesMax = 1u << 20;

std::string Text(const Json& json) {
  return json.dump(2, ' ', false, nlohmann::detail::error_handler_t::replace);
}

std::string Checksum(const Json& document) {
  const std::string text = Text(document);
  return fmt::format("{:016x}", XXH3_64bits(text.data(), text.size()));
}

}  // namespace

Result<std::optional<Json>> LatchFile::Read() const {
  const auto content = ReadWholeFile(path_, kFileBytesMax);
  if (!content && content.error().code == ErrorCode::kNotFound) return std::optional<Json>();
  if (!content) return Fail(content.error());
  Json json = Json::parse(*content, nullptr, false);
  const auto wrong = [&] {
    return Fail(ErrorCode::kCorruption, path_ + " is not what was written there");
  };
  if (!json.is_object()) return wrong();
  // A person who writes the file has no checksum to give.
  const auto checksum = json.find("checksum");
  if (checksum == json.end()) return std::optional<Json>(std::move(json));
  const Json wanted = *checksum;
  json.erase("checksum");
  if (wanted != Checksum(json)) return wrong();
  return std::optional<Json>(std::move(json));
}

Status LatchFile::Write(Json document) const {
  document = Json::parse(Text(document), nullptr, false);  // with what had to be replaced in it
  document["checksum"] = Checksum(document);
  std::string text = Text(document);
  text.resize(std::max(text.size() + 1, kFileBytes), ' ');
  text.back() = '\n';
  struct ::stat file {};
  const bool fits = text.size() == kFileBytes && ::lstat(path_.c_str(), &file) == 0 &&
                    S_ISREG(file.st_mode) && file.st_size == static_cast<off_t>(kFileBytes);
  return fits ? Overwrite(text) : WriteFileAtomically(path_, text);
}

Status LatchFile::Overwrite(const std::string& text) const {
  auto file = OpenFile(path_, O_WRONLY | O_CLOEXEC);
  if (!file) return Fail(file.error());
  SB_RETURN_IF_ERROR(WriteAt(file->get(), text, 0));
  if (::fdatasync(file->get()) != 0) return FailErrno("sync " + path_, errno);
  return {};
}

}  // namespace switchback
