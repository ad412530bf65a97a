#include "flags/flag_loader.hpp"

#include <fmt/format.h>

#include <string_view>
#include <utility>

#include "common/check.hpp"
#include "common/log.hpp"
#include "flags/flag_parser.hpp"

namespace switchback {
namespace {

// The coarsest file system clock that is in use ticks in seconds, the poll comes every second: two
// more looks outlive the tick of the last change.
constexpr int kRecheckCount = 2;

// FNV-1a, 64 bits, as hex: names a content for people and ETags. Whether content changed is decided
// by comparing it, not by this.
std::string ContentHash(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const char byte : text) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3u;
  return fmt::format("{:016x}", hash);
}

}  // namespace

FlagLoader::FlagLoader(std::string path, FlagStore& store, FlagLoadCallback on_load)
    : path_(std::move(path)),
      store_(store),
      on_load_(std::move(on_load)),
      snapshot_(std::make_shared<const FlagSnapshot>()) {}

Status FlagLoader::Load() {
  auto file = ReadFileContent(path_, kFlagFileBytesMax);
  if (!file) return OnReadError(file.error());
  return Accept(std::move(*file));
}

void FlagLoader::Check() {
  const auto state = StatFile(path_);
  const bool is_same_state = state && last_read_ && last_read_->state == *state;
  if (is_same_state && rechecks_left_ == 0) return;
  auto file = ReadFileContent(path_, kFlagFileBytesMax);
  if (!file) {
    (void)OnReadError(file.error());  // published; a poll has nobody to tell
  } else if (is_same_state && last_read_->text == file->text) {
    --rechecks_left_;
  } else {
    (void)Accept(std::move(*file));
  }
}

Status FlagLoader::Accept(FileContent file) {
  const bool is_new = !last_read_ || last_read_->text != file.text;
  last_read_ = std::move(file);
  rechecks_left_ = kRecheckCount;
  const std::string& text = last_read_->text;
  FlagSnapshot next = *snapshot_;
  ++next.load_count;
  if (!next.is_from_file || text != good_content_) {
    auto flags = ParseFlags(text);
    if (!flags) return Reject(std::move(next), WithContext(flags.error(), path_), is_new);
    next.flags = std::move(*flags);
    next.content_hash = ContentHash(text);
    next.is_from_file = true;
    ++next.revision;
    good_content_ = text;
    LogInfo("flags: revision {} from {}", next.revision, path_);
  }
  next.warning.clear();
  Publish(std::move(next));
  return {};
}

Status FlagLoader::Reject(FlagSnapshot next, const Error& error, bool is_new) {
  next.warning = WarningFor(error);
  if (is_new) {
    // The same broken content, seen again by another event, is not another failure.
    reload_failures_.fetch_add(1, std::memory_order_relaxed);
    LogWarning("flags: {}", next.warning);
  }
  Publish(std::move(next));
  return Fail(error);
}

Status FlagLoader::OnReadError(const Error& error) {
  last_read_.reset();
  std::string warning = WarningFor(error);
  if (warning != snapshot_->warning) {
    if (error.code != ErrorCode::kNotFound) {
      reload_failures_.fetch_add(1, std::memory_order_relaxed);
    }
    LogWarning("flags: {}", warning);
    FlagSnapshot next = *snapshot_;
    next.warning = std::move(warning);
    Publish(std::move(next));
  }
  return Fail(error);
}

std::string FlagLoader::WarningFor(const Error& error) const {
  if (!snapshot_->is_from_file) {
    return error.message + " (no valid flags so far: every flag is off)";
  }
  return fmt::format("{} (keeping the flags of revision {})", error.message, snapshot_->revision);
}

void FlagLoader::Publish(FlagSnapshot next) {
  SB_CHECK(next.revision >= snapshot_->revision, "revisions only grow");
  SB_CHECK(next.is_from_file == (next.revision > 0), "flags in force come from a valid file");
  snapshot_ = std::make_shared<const FlagSnapshot>(std::move(next));
  store_.Publish(snapshot_);
  if (on_load_) on_load_(snapshot_);
}

}  // namespace switchback
