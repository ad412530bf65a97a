#include "service/data_directory.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <nlohmann/json.hpp>

namespace switchback {
namespace {

constexpr std::size_t kSmallFileBytesMax = 65536;
constexpr const char* kFirstGeneration = "gen-1";

Result<UniqueFd> TakeLock(const std::string& path) {
  auto fd = OpenFile(path, O_RDWR | O_CREAT);
  if (!fd) return fd;
  if (::flock(fd->get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return FailErrno("lock " + path, errno);
    char pid[32] = {};
    auto got = ReadAt(fd->get(), pid, sizeof pid - 1, 0);
    std::string owner = got && *got > 0 ? std::string(pid, *got) : "unknown";
    while (!owner.empty() && owner.back() == '\n') owner.pop_back();
    return Fail(ErrorCode::kConflict,
                "data directory is in use by process " + owner + " (" + path + ")");
  }
  if (::ftruncate(fd->get(), 0) != 0) return FailErrno("truncate " + path, errno);
  SB_RETURN_IF_ERROR(WriteAt(fd->get(), std::to_string(::getpid()) + "\n", 0));
  return fd;
}

// Absolute, so that a start from another directory means the same place. Works for paths that do
// not exist yet.
std::string Absolute(const std::string& path) {
  if (path.empty()) return path;
  char resolved[PATH_MAX];
  if (::realpath(path.c_str(), resolved) != nullptr) return resolved;
  if (path.front() == '/') return path;
  if (::getcwd(resolved, sizeof resolved) == nullptr) return path;
  return std::string(resolved) + "/" + path;
}

bool Exists(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0;
}

}  // namespace

Result<DataDirectory> DataDirectory::Open(const std::string& path) {
  if (path.empty()) return Fail(ErrorCode::kInvalidArgument, "no data directory given");
  DataDirectory directory;
  directory.path_ = path;
  SB_RETURN_IF_ERROR(MakeDirectories(path));
  auto lock = TakeLock(path + "/LOCK");
  if (!lock) return Fail(lock.error());
  directory.lock_ = *std::move(lock);
  if (Exists(path + "/DETACHED")) {
    return Fail(
        ErrorCode::kRefused,
        path +
            " was detached: its stores are on their own now. Use a new data directory, with "
            "--legacy to adopt the environment again");
  }
  auto current = ReadWholeFile(path + "/CURRENT", kSmallFileBytesMax);
  if (!current && current.error().code != ErrorCode::kNotFound) return Fail(current.error());
  if (!current) {
    SB_RETURN_IF_ERROR(MakeDirectories(path + "/" + kFirstGeneration));
    SB_RETURN_IF_ERROR(
        WriteFileAtomically(path + "/CURRENT", std::string(kFirstGeneration) + "\n"));
    current = std::string(kFirstGeneration);
  }
  while (!current->empty() && current->back() == '\n') current->pop_back();
  if (current->rfind("gen-", 0) != 0 || current->find('/') != std::string::npos) {
    return Fail(ErrorCode::kCorruption, path + "/CURRENT does not name a generation");
  }
  directory.generation_ = *std::move(current);
  return directory;
}

Result<StorePaths> DataDirectory::ResolveStores(const StorePaths& asked) const {
  const std::string file = generation_path() + "/stores.json";
  const StorePaths wanted{Absolute(asked.legacy), Absolute(asked.unified)};
  auto content = ReadWholeFile(file, kSmallFileBytesMax);
  if (content) {
    const auto json = nlohmann::json::parse(*content, nullptr, false);
    if (!json.is_object() || !json.contains("legacy") || !json["legacy"].is_string() ||
        !json.contains("unified") || !json["unified"].is_string()) {
      return Fail(ErrorCode::kCorruption, file + " is not readable");
    }
    const StorePaths known{json["legacy"].get<std::string>(), json["unified"].get<std::string>()};
    if ((!wanted.legacy.empty() && wanted.legacy != known.legacy) ||
        (!wanted.unified.empty() && wanted.unified != known.unified)) {
      return Fail(ErrorCode::kRefused, "this data directory belongs to legacy " + known.legacy +
                                           " and unified " + known.unified +
                                           ": leave the options away, or use a new data directory");
    }
    return known;
  }
  if (content.error().code != ErrorCode::kNotFound) return Fail(content.error());
  const std::string inside = Absolute(generation_path());
  const StorePaths paths{wanted.legacy.empty() ? inside + "/legacy" : wanted.legacy,
                         wanted.unified.empty() ? inside + "/unified.sqlite" : wanted.unified};
  return paths;
}

Status DataDirectory::RememberStores(const StorePaths& paths) {
  const std::string file = generation_path() + "/stores.json";
  if (Exists(file)) return {};
  const nlohmann::json json{{"legacy", paths.legacy}, {"unified", paths.unified}};
  return WriteFileAtomically(file, json.dump(2) + "\n");
}

Status DataDirectory::MarkDetached() {
  return WriteFileAtomically(path_ + "/DETACHED", "detached\n");
}

}  // namespace switchback
