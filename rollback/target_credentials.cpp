#include "rollback/target_credentials.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "common/file.hpp"
#include "flags/strict_json.hpp"

namespace switchback {
namespace {

constexpr std::size_t kFileBytesMax = 64u << 10;
constexpr std::size_t kKeyBytesMax = 4096;

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// It becomes a part of a header: one line of visible characters.
bool IsKey(const std::string& text) {
  return !text.empty() && text.size() <= kKeyBytesMax &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 127; });
}

Result<TargetCredentials> Check(TargetCredentials credentials, const std::string& origin) {
  if (IsKey(credentials.access_key_id) && IsKey(credentials.secret_access_key) &&
      (credentials.session_token.empty() || IsKey(credentials.session_token)))
    return credentials;
  return Fail(ErrorCode::kInvalidArgument,
              origin + ": a key is missing, or has blanks or control characters in it");
}

Status CheckMode(int fd, const std::string& path) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) return FailErrno("stat " + path, errno);
  if (!S_ISREG(info.st_mode)) return Fail(ErrorCode::kRefused, path + " is not a plain file");
  if ((info.st_mode & 077) != 0)
    return Fail(ErrorCode::kRefused, path + " can be read by others: chmod 600 it");
  return {};
}

Result<TargetCredentials> Parse(std::string_view text, const std::string& path) {
  const auto document = ParseStrictJson(text);
  const auto wrong = [&] {
    return Fail(ErrorCode::kInvalidArgument,
                path +
                    " must be one JSON object of access_key_id, secret_access_key and, if there "
                    "is one, session_token");
  };
  if (!document || !document->is_object()) return wrong();
  TargetCredentials credentials;
  for (const auto& [name, value] : document->items()) {
    std::string* member = name == "access_key_id"       ? &credentials.access_key_id
                          : name == "secret_access_key" ? &credentials.secret_access_key
                          : name == "session_token"     ? &credentials.session_token
                                                        : nullptr;
    if (member == nullptr || !value.is_string()) return wrong();
    *member = value.get<std::string>();
  }
  return Check(std::move(credentials), path);
}

}  // namespace

Result<TargetCredentials> LoadTargetCredentials(const std::string& path) {
  TargetCredentials credentials{Environment("AWS_ACCESS_KEY_ID"),
                                Environment("AWS_SECRET_ACCESS_KEY"),
                                Environment("AWS_SESSION_TOKEN")};
  if (!credentials.access_key_id.empty()) return Check(std::move(credentials), "AWS_ACCESS_KEY_ID");
  if (path.empty())
    return Fail(ErrorCode::kRefused,
                "there are no keys for the backup target: set AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY for the server, or backup_target_credentials_file in the "
                "configuration");
  auto file = OpenFile(path, O_RDONLY | O_NONBLOCK);
  if (!file) return Fail(file.error());
  SB_RETURN_IF_ERROR(CheckMode(file->get(), path));
  std::string text(kFileBytesMax, '\0');
  const auto size = ReadAt(file->get(), text.data(), text.size(), 0);
  if (!size) return Fail(WithContext(size.error(), path));
  return Parse(std::string_view(text).substr(0, *size), path);
}

}  // namespace switchback
