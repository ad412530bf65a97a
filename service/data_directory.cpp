#include "service/data_directory.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "common/failpoint.hpp"

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

// One with something in it: an empty one is what a first start leaves that was killed.
bool HasGeneration(const std::string& path) {
  std::error_code error;
  std::filesystem::directory_iterator entry(path, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    if (entry->path().filename().string().starts_with("gen-") &&
        !std::filesystem::is_empty(entry->path(), error))
      return true;
  }
  return false;
}

}  // namespace

Result<DataDirectory> DataDirectory::Open(const std::string& path) {
  if (path.empty()) return Fail(ErrorCode::kInvalidArgument, "no data directory given");
  DataDirectory directory;
  SB_RETURN_IF_ERROR(MakeDirectories(path));
  directory.path_ = Absolute(path);
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
  if (!current && HasGeneration(path)) {
    return Fail(ErrorCode::kCorruption,
                path +
                    "/CURRENT is missing, and there are generations: run `switchback doctor` to "
                    "find out which one was in use");
  }
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
  // Beginning anew under that name would look like a loss of everything.
  if (!Exists(path + "/" + *current)) {
    return Fail(ErrorCode::kCorruption, path + "/CURRENT names " + *current +
                                            ", which is not there: run `switchback doctor`");
  }
  directory.generation_ = *std::move(current);
  return directory;
}

Result<DataDirectory> DataDirectory::OpenForRepair(const std::string& path,
                                                   std::string generation) {
  DataDirectory directory;
  directory.path_ = Absolute(path);
  directory.generation_ = std::move(generation);
  auto lock = TakeLock(path + "/LOCK");
  if (!lock) return Fail(lock.error());
  directory.lock_ = *std::move(lock);
  return directory;
}

Result<StorePaths> DataDirectory::ResolveStores(const StorePaths& asked) const {
  const StorePaths wanted{Absolute(asked.legacy), Absolute(asked.unified)};
  auto known = StoresOf(generation_);
  if (!known && known.error().code != ErrorCode::kNotFound) return known;
  StorePaths paths;
  if (known) {
    // Whoever starts it with the options of old finds it where it went.
    const auto is_kept = [&](const std::string& path) {
      return std::count(known->kept.begin(), known->kept.end(), path) > 0 ||
             std::count(known->former.begin(), known->former.end(), path) > 0;
    };
    if ((!wanted.legacy.empty() && wanted.legacy != known->legacy && !is_kept(wanted.legacy)) ||
        (!wanted.unified.empty() && wanted.unified != known->unified && !is_kept(wanted.unified))) {
      return Fail(ErrorCode::kRefused, "this data directory belongs to legacy " + known->legacy +
                                           " and unified " + known->unified +
                                           ": leave the options away, or use a new data directory");
    }
    paths = *std::move(known);
  } else {
    const std::string inside = Absolute(generation_path());
    paths.legacy = wanted.legacy.empty() ? inside + "/legacy" : wanted.legacy;
    paths.unified = wanted.unified.empty() ? inside + "/unified.sqlite" : wanted.unified;
  }
  if (paths.legacy == paths.unified) {
    return Fail(ErrorCode::kRefused,
                "legacy and unified are both " + paths.legacy + ": they must be two stores");
  }
  return paths;
}

Result<StorePaths> DataDirectory::ReadStores(const std::string& generation_path) {
  const std::string file = generation_path + "/stores.json";
  auto content = ReadWholeFile(file, kSmallFileBytesMax);
  if (!content) return Fail(content.error());
  const auto json = nlohmann::json::parse(*content, nullptr, false);
  if (!json.is_object() || !json.contains("legacy") || !json["legacy"].is_string() ||
      !json.contains("unified") || !json["unified"].is_string()) {
    return Fail(ErrorCode::kCorruption, file + " is not readable");
  }
  const std::string directory = Absolute(ParentDirectory(generation_path)) + "/";
  const auto resolve = [&](std::string path) {
    return path.empty() || path.front() == '/' ? path : directory + path;
  };
  StorePaths paths{resolve(json["legacy"].get<std::string>()),
                   resolve(json["unified"].get<std::string>())};
  const auto retired = json.find("legacy_retired");
  paths.is_legacy_retired = retired != json.end() && retired->is_boolean() && retired->get<bool>();
  paths.previous = json.value("previous", std::string());
  paths.is_previous_damaged = json.value("previous_damaged", false);
  const auto take = [&](const char* name, std::vector<std::string>& list) {
    for (const auto& path : json.value(name, nlohmann::json::array())) {
      if (path.is_string()) list.push_back(resolve(path.get<std::string>()));
    }
  };
  take("kept", paths.kept);
  take("former", paths.former);
  return paths;
}

// Relative to the directory what is inside, so that a directory can be moved.
Status DataDirectory::WriteStoresOf(const std::string& generation, const StorePaths& paths) const {
  const auto place = [&](const std::string& path) {
    return IsInside(path) ? path.substr(Absolute(path_).size() + 1) : path;
  };
  const auto places = [&](std::vector<std::string> list) {
    for (std::string& path : list) path = place(path);
    return list;
  };
  nlohmann::ordered_json json{{"legacy", place(paths.legacy)}, {"unified", place(paths.unified)}};
  if (paths.is_legacy_retired) json["legacy_retired"] = true;
  if (!paths.kept.empty()) json["kept"] = places(paths.kept);
  if (!paths.former.empty()) json["former"] = places(paths.former);
  if (!paths.previous.empty()) json["previous"] = paths.previous;
  if (paths.is_previous_damaged) json["previous_damaged"] = true;
  return WriteFileAtomically(PathOf(generation) + "/stores.json", json.dump(2) + "\n");
}

Status DataDirectory::RememberStores(const StorePaths& paths) {
  return Exists(generation_path() + "/stores.json") ? Status{} : WriteStoresOf(generation_, paths);
}

std::string DataDirectory::NewLegacyPath() const {
  // Ends: each taken name is one of finitely many directories.
  for (int number = 2;; ++number) {
    std::string path = Absolute(generation_path()) + "/legacy-" + std::to_string(number);
    if (!Exists(path)) return path;
  }
}

Status DataDirectory::RetireLegacy(const std::string& path) {
  auto paths = StoresOf(generation_);
  if (!paths) return Fail(paths.error());
  paths->kept.push_back(paths->legacy);
  paths->legacy = path;
  paths->is_legacy_retired = true;
  return WriteStoresOf(generation_, *paths);
}

bool DataDirectory::IsInside(const std::string& path) const {
  return path.rfind(Absolute(path_) + "/", 0) == 0;
}

std::string DataDirectory::NewGeneration() const {
  // Ends: each taken name is one of finitely many directories.
  for (int number = 2;; ++number) {
    const std::string name = "gen-" + std::to_string(number);
    if (!Exists(PathOf(name))) return name;
  }
}

Status DataDirectory::MakeCurrent(const std::string& generation) {
  SB_RETURN_IF_ERROR(Failpoint("directory.current"));
  SB_RETURN_IF_ERROR(WriteFileAtomically(path_ + "/CURRENT", generation + "\n"));
  generation_ = generation;
  return Failpoint("directory.switched");
}

Result<std::vector<std::string>> DataDirectory::UnusedGenerations() const {
  const auto current = StoresOf(generation_);
  if (!current) return Fail(current.error());
  std::vector<std::string> used{generation_, current->previous};
  std::vector<std::string> stores{current->legacy, current->unified};
  stores.insert(stores.end(), current->kept.begin(), current->kept.end());
  if (!current->previous.empty()) {
    const auto previous = StoresOf(current->previous);
    if (!previous) return Fail(previous.error());
    stores.insert(stores.end(), {previous->legacy, previous->unified});
  }
  std::vector<std::string> unused;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(path_, error)) {
    const std::string name = entry.path().filename();
    const bool is_generation = name.rfind("gen-", 0) == 0 && entry.is_directory();
    const std::string inside = Absolute(entry.path().string()) + "/";
    const bool has_store = std::any_of(stores.begin(), stores.end(), [&](const auto& store) {
      return store.rfind(inside, 0) == 0;
    });
    if (!is_generation || has_store || std::find(used.begin(), used.end(), name) != used.end())
      continue;
    unused.push_back(name);
  }
  if (error) return Fail(ErrorCode::kIo, "look for generations: " + error.message());
  return unused;
}

Status DataDirectory::MarkDetached() {
  return WriteFileAtomically(path_ + "/DETACHED", "detached\n");
}

}  // namespace switchback
