// SetFlagInFile: the one way in which this program changes a flags file.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <climits>
#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "common/check.hpp"
#include "common/file.hpp"
#include "flags/flag_file.hpp"
#include "flags/flagd_flag.hpp"
#include "flags/share.hpp"
#include "flags/strict_json.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kFlagNameBytesMax = 128;
constexpr mode_t kNewFileMode = 0644;
constexpr std::chrono::milliseconds kLockWaitMax{2000};
constexpr std::chrono::milliseconds kLockRetryInterval{2};

// --- What the new text is -------------------------------------------------------------------

Status CheckName(const std::string& name) {
  const auto is_name_byte = [](char byte) {
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || byte == '_' || byte == '.' || byte == '-' || byte == '@';
  };
  if (!name.empty() && name.size() <= kFlagNameBytesMax && name != "flags" &&
      std::all_of(name.begin(), name.end(), is_name_byte)) {
    return {};
  }
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("\"{}\" is no name for a flag: 1 to {} of A-Z a-z 0-9 _ . - @ (and not "
                          "\"flags\", which begins a flagd document)",
                          Printable(name), kFlagNameBytesMax));
}

// Integers stay integers in the file; the rest has at most three decimals.
Json PercentageValue(std::uint32_t share) {
  constexpr std::uint32_t kSharesPerPercent = kShareTotal / 100;
  if (share % kSharesPerPercent == 0) return share / kSharesPerPercent;
  return static_cast<double>(share) / kSharesPerPercent;
}

// The name of a variant of that value.
Result<std::string> VariantOf(const Json& flag, bool value) {
  for (const auto& variant : flag["variants"].items()) {
    if (variant.value() == value) return variant.key();
  }
  return Fail(ErrorCode::kRefused, fmt::format("the flag has no variant that is {}", value));
}

// Off is a state; on is a share of the variant that is true.
Status ChangeFlagdFlag(Json& flag, const FlagRule& rule, bool enabled,
                       std::optional<std::uint32_t> share) {
  flag["state"] = enabled ? "ENABLED" : "DISABLED";
  if (rule.is_targeted()) {
    // The way back is never refused, and on again means what it meant before.
    if (!enabled || !share) return {};
    return Fail(ErrorCode::kRefused,
                "the flag goes by a targeting rule of its own, which a share would replace: change "
                "the file by hand");
  }
  if (!enabled && !share) return {};
  const auto on = VariantOf(flag, true);
  if (!on) return Fail(on.error());
  const auto off = VariantOf(flag, false);
  if (!off) return Fail(off.error());
  const std::uint32_t part = share.value_or(kShareTotal);
  if (part == kShareTotal || part == 0) {
    flag["defaultVariant"] = part == 0 ? *off : *on;
    flag.erase("targeting");
    return {};
  }
  constexpr std::uint32_t kSharesPerPercent = kShareTotal / 100;
  const std::uint32_t unit = part % kSharesPerPercent == 0 ? kSharesPerPercent : 1;
  flag["targeting"] = {
      {"fractional", Json::array({Json::array({*on, part / unit}),
                                  Json::array({*off, (kShareTotal - part) / unit})})}};
  return {};
}

Status ChangeFlag(Json& flag, bool enabled, std::optional<std::uint32_t> share) {
  const bool is_new = flag.is_null();
  if (!is_new && !flag.is_boolean() && !flag.is_object()) {
    // The reader passes over such a member: it is a setting of somebody else.
    return Fail(ErrorCode::kInvalidArgument, "there is a member of that name that is no flag");
  }
  if (!flag.is_object() && !share) {
    flag = enabled;
    return {};
  }
  if (!flag.is_object()) flag = Json::object();
  flag["enabled"] = enabled;
  if (share) {
    flag["percentage"] = PercentageValue(*share);
  } else if (enabled) {
    flag.erase("percentage");
  }
  return {};
}

Result<std::string> ChangedText(const std::string& text, const std::string& name,
                                const FlagChange& change, std::optional<std::uint32_t> share) {
  // Everything is checked, not only the flag to be changed: a file that readers refuse must not
  // come out of here looking fresh.
  auto flags = ParseFlags(text);
  if (!flags) return Fail(flags.error());
  if (change.may_change) {
    const auto found = flags->find(name);
    SB_RETURN_IF_ERROR(change.may_change(found == flags->end() ? nullptr : &found->second));
  }
  auto document = ParseStrictJson(text);
  if (!document) return Fail(document.error());
  Json& members = FlagMembers(*document);
  std::vector<std::string> names{name};
  for (const auto& [other, rule] : *flags) {
    if (change.with_overrides && other.starts_with(kOverridePrefix)) names.push_back(other);
  }
  for (const std::string& each : names) {
    const auto found = flags->find(each);
    const bool is_flagd = found != flags->end() && found->second.flagd() != nullptr;
    SB_RETURN_IF_ERROR(is_flagd
                           ? ChangeFlagdFlag(members[each], found->second, change.enabled, share)
                           : ChangeFlag(members[each], change.enabled, share));
  }
  std::string changed = document->dump(2) + "\n";
  if (auto outcome = ParseFlags(changed); !outcome) return Fail(outcome.error());
  return changed;
}

// --- How it gets to the disk ----------------------------------------------------------------

struct Target {
  std::string path;                   // with all links followed
  std::optional<struct stat> status;  // nullopt: to be made
};

Result<Target> FindTarget(const std::string& path) {
  struct FreeDeleter {
    void operator()(char* text) const noexcept { std::free(text); }
  };
  const std::unique_ptr<char, FreeDeleter> real(::realpath(path.c_str(), nullptr));
  Target target;
  struct stat info {};
  if (real == nullptr) {
    if (errno != ENOENT) return FailErrno("find " + path, errno);
    if (::lstat(path.c_str(), &info) == 0) {
      return Fail(ErrorCode::kNotFound, path + " is a symbolic link to nothing");
    }
    target.path = path;
    return target;
  }
  target.path = real.get();
  if (::stat(target.path.c_str(), &info) != 0) return FailErrno("stat " + target.path, errno);
  if (!S_ISREG(info.st_mode)) {
    return Fail(ErrorCode::kInvalidArgument, target.path + " is not a regular file");
  }
  target.status = info;
  return target;
}

// The path of a file beside `path`: ".NAME" and `suffix`.
std::string Beside(const std::string& path, std::string_view suffix) {
  return ParentDirectory(path) + "/." + path.substr(path.rfind('/') + 1) + std::string(suffix);
}

// Whoever may write the flags file may lock it: a lock file that root made must not shut out the
// file's owner. Best effort, since only the lock's own owner can do it.
void ShareLock(int fd, const struct stat& flags_file) {
  (void)!::fchown(fd, flags_file.st_uid, flags_file.st_gid);
  (void)!::fchmod(fd, flags_file.st_mode & 0777);
}

// What root makes in another's directory belongs there: a server must be able to lock and replace
// it. Best effort, as it would be for those who could not read it either.
void GiveToOwnerOfDirectory(int fd, const std::string& path) {
  struct stat directory {};
  if (::geteuid() == 0 && ::stat(ParentDirectory(path).c_str(), &directory) == 0)
    (void)!::fchown(fd, directory.st_uid, directory.st_gid);
}

// Keeps the lock as long as the descriptor is open. The file stays: to remove it would let a third
// writer lock a new one while a second still waits for the old.
Result<UniqueFd> LockBeside(const Target& target) {
  const std::string& path = target.path;
  const std::string lock_path = Beside(path, ".lock");
  // A link there would have root give away what it leads to.
  auto fd = OpenFile(lock_path, O_RDWR | O_CREAT | O_NOFOLLOW);
  if (!fd) return Fail(fd.error());
  if (target.status) {
    ShareLock(fd->get(), *target.status);
  } else {
    GiveToOwnerOfDirectory(fd->get(), lock_path);
  }
  const auto deadline = std::chrono::steady_clock::now() + kLockWaitMax;
  while (::flock(fd->get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) return FailErrno("lock " + lock_path, errno);
    if (std::chrono::steady_clock::now() > deadline) {
      return Fail(ErrorCode::kBusy, "another process is changing " + path);
    }
    std::this_thread::sleep_for(kLockRetryInterval);
  }
  return fd;
}

// Gives the new file the mode and the owner of the one that it will replace.
Status KeepModeAndOwner(int fd, const std::string& path, const struct stat& old) {
  struct stat now {};
  if (::fstat(fd, &now) != 0) return FailErrno("stat the new " + path, errno);
  const bool is_owner_kept = now.st_uid == old.st_uid && now.st_gid == old.st_gid;
  if (!is_owner_kept && ::fchown(fd, old.st_uid, old.st_gid) != 0) {
    // With another owner the server might no longer be able to read it, and would not notice a
    // rollback.
    return Fail(ErrorCode::kRefused,
                fmt::format("{} belongs to user {} group {} and would not any more: change it as "
                            "its owner or as root",
                            path, old.st_uid, old.st_gid));
  }
  // After fchown, which clears some bits.
  if (::fchmod(fd, old.st_mode & 07777) != 0) return FailErrno("chmod the new " + path, errno);
  return {};
}

Status WriteNew(const std::string& path, const Target& target, std::string_view text) {
  // A leftover of a crash is removed and not reused: it may be another user's.
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return FailErrno("remove " + path, errno);
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, kNewFileMode));
  if (!fd.is_open()) return FailErrno("create " + path, errno);
  if (target.status) {
    SB_RETURN_IF_ERROR(KeepModeAndOwner(fd.get(), target.path, *target.status));
  } else {
    GiveToOwnerOfDirectory(fd.get(), path);
  }
  if (auto written = WriteAt(fd.get(), text, 0); !written) {
    return Fail(WithContext(written.error(), path));
  }
  if (::fsync(fd.get()) != 0) return FailErrno("fsync " + path, errno);
  return {};
}

// An editor may have saved while the new content went to the disk: what a person wrote last counts.
Status CheckUnchanged(const Target& target) {
  struct stat now {};
  const bool is_there = ::stat(target.path.c_str(), &now) == 0;
  const auto is_equal = [](const timespec& left, const timespec& right) {
    return left.tv_sec == right.tv_sec && left.tv_nsec == right.tv_nsec;
  };
  const bool is_same =
      is_there == target.status.has_value() &&
      (!is_there ||
       (now.st_dev == target.status->st_dev && now.st_ino == target.status->st_ino &&
        now.st_size == target.status->st_size && is_equal(now.st_mtim, target.status->st_mtim) &&
        is_equal(now.st_ctim, target.status->st_ctim)));
  if (is_same) return {};
  return Fail(ErrorCode::kBusy,
              target.path + " was changed by somebody else meanwhile: look at it and try again");
}

Status Replace(const Target& target, std::string_view text) {
  const std::string temporary = Beside(target.path, ".tmp");
  Status written = WriteNew(temporary, target, text);
  if (written) written = CheckUnchanged(target);
  if (written && ::rename(temporary.c_str(), target.path.c_str()) != 0) {
    written = FailErrno("rename " + temporary, errno);
  }
  if (!written) {
    ::unlink(temporary.c_str());
    return written;
  }
  return SyncDirectory(ParentDirectory(target.path));
}

}  // namespace

Status SetFlagInFile(const std::string& path, const std::string& name, const FlagChange& change) {
  SB_RETURN_IF_ERROR(CheckName(name));
  std::optional<std::uint32_t> share;
  if (change.percentage) {
    auto parsed = ShareFromPercentage(*change.percentage);
    if (!parsed) return Fail(parsed.error());
    share = *parsed;
  }
  auto target = FindTarget(path);
  if (!target) return Fail(target.error());
  const auto lock = LockBeside(*target);
  if (!lock) return Fail(lock.error());
  // Looked up again under the lock: another writer may have made or replaced the file meanwhile.
  target = FindTarget(path);
  if (!target) return Fail(target.error());
  std::string text = "{}";
  if (target->status) {
    auto content = ReadWholeFile(target->path, kFlagFileBytesMax);
    if (!content) return Fail(content.error());
    text = std::move(*content);
  }
  auto changed = ChangedText(text, name, change, share);
  if (!changed) return Fail(WithContext(changed.error(), "change " + target->path));
  return Replace(*target, *changed);
}

}  // namespace switchback
