#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <cstdlib>
#include <optional>

#include "common/file.hpp"
#include "flags/flag_file.hpp"
#include "flags/share.hpp"
#include "flags/strict_json.hpp"
#include "server/cli/doctor.hpp"
#include "server/cli/lock_owner.hpp"
#include "server/cli/output.hpp"
#include "server/endpoints.hpp"
#include "service/data_directory.hpp"

namespace switchback {
namespace {

constexpr std::size_t kSmallFileBytesMax = 1u << 20;
// A log file and a follower's transaction fit into the first; below the second writes are close to
// being refused.
constexpr std::uint64_t kFreeBytesWarning = 2ull << 30;
constexpr std::uint64_t kFreeBytesProblem = 256ull << 20;

std::optional<struct stat> Stat(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return std::nullopt;
  return info;
}

void ExamineModes(const std::string& path, const std::string& check, mode_t bits_wrong,
                  std::vector<DoctorFinding>& findings) {
  const auto info = Stat(path);
  if (!info) return;
  const mode_t mode = info->st_mode & 07777;
  if ((mode & 0022) != 0) {
    findings.push_back({Severity::kProblem, check,
                        fmt::format("{} can be changed by others (mode {:04o})", path, mode),
                        "chmod go-w " + path});
  } else if ((mode & bits_wrong) != 0) {
    findings.push_back({Severity::kWarning, check,
                        fmt::format("{} can be read by others (mode {:04o})", path, mode),
                        "chmod go-rwx " + path});
  }
}

void ExamineLock(DoctorFacts& facts, std::vector<DoctorFinding>& findings) {
  const std::string path = facts.data_dir + "/LOCK";
  const auto owner = LockOwner(path);
  facts.is_owned = owner.has_value();
  facts.owner_pid = owner.value_or(0);
  const bool has_endpoints = Stat(EndpointsPath(facts.data_dir)).has_value();
  if (owner) {
    findings.push_back(
        {Severity::kOk, "lock", fmt::format("process {} has the directory", *owner), ""});
    if (!has_endpoints)
      findings.push_back({Severity::kWarning, "lock",
                          "but it has written no endpoints.json: it is starting, or no server",
                          ""});
    return;
  }
  findings.push_back({Severity::kOk, "lock", "no process has the directory", ""});
  if (has_endpoints)
    findings.push_back({Severity::kNote, "lock",
                        "endpoints.json is left from a server that did not stop cleanly",
                        "nothing: the next start recovers and replaces it"});
}

// The generation in use; false when it is not there.
bool ExamineGeneration(DoctorFacts& facts, std::vector<DoctorFinding>& findings) {
  auto current = ReadWholeFile(facts.data_dir + "/CURRENT", kSmallFileBytesMax);
  if (!current) {
    findings.push_back({Severity::kProblem, "generation",
                        "not a data directory: " + current.error().message,
                        "check the path; switchback serve makes a new one"});
    return false;
  }
  while (current->ends_with('\n')) current->pop_back();
  facts.generation_path = facts.data_dir + "/" + *current;
  const auto info = Stat(facts.generation_path);
  if (!current->starts_with("gen-") || !info || !S_ISDIR(info->st_mode)) {
    findings.push_back({Severity::kProblem, "generation",
                        "CURRENT names " + Printable(*current) + ", which is not there",
                        "if another gen-* directory is complete, write its name into CURRENT"});
    return false;
  }
  findings.push_back({Severity::kOk, "generation", *current, ""});
  return true;
}

// Where the stores are: inside the generation unless the directory remembers otherwise.
void FindStores(DoctorFacts& facts, std::vector<DoctorFinding>& findings) {
  facts.legacy_path = facts.generation_path + "/legacy";
  facts.unified_path = facts.generation_path + "/unified.sqlite";
  const auto stores = DataDirectory::ReadStores(facts.generation_path);
  if (stores) {
    facts.legacy_path = stores->legacy;
    facts.unified_path = stores->unified;
  } else if (stores.error().code != ErrorCode::kNotFound) {
    findings.push_back({Severity::kProblem, "stores", stores.error().message,
                        "write it again: {\"legacy\": PATH, \"unified\": PATH}"});
  }
}

void ExamineSpace(const std::string& path, std::vector<DoctorFinding>& findings) {
  struct statvfs info {};
  if (::statvfs(path.c_str(), &info) != 0) return;
  const std::uint64_t free_bytes = static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize;
  const Severity severity = free_bytes < kFreeBytesProblem   ? Severity::kProblem
                            : free_bytes < kFreeBytesWarning ? Severity::kWarning
                                                             : Severity::kOk;
  findings.push_back({severity, "disk", FormatBytes(free_bytes) + " free at " + path,
                      severity == Severity::kOk ? "" : "make space: a full disk refuses writes"});
}

void ExamineFlags(const std::string& path, std::vector<DoctorFinding>& findings) {
  auto flags = LoadFlagFile(path);
  if (!flags && flags.error().code == ErrorCode::kNotFound) {
    findings.push_back({Severity::kOk, "flags", path + " is not there: legacy answers", ""});
    return;
  }
  if (!flags) {
    findings.push_back({Severity::kProblem, "flags", flags.error().message,
                        "correct the file: a running server keeps the last good flags, one that "
                        "starts now serves from legacy"});
    return;
  }
  FlagSnapshot snapshot;
  snapshot.flags = *flags;
  findings.push_back({Severity::kOk, "flags",
                      fmt::format("{}: {} at {} %", path, kUnifiedFlagName,
                                  FormatPercentage(snapshot.unified().share())),
                      ""});
  // Others may read the flags: they say nothing about the data. Whoever can change them can flip.
  ExamineModes(path, "flags", 0, findings);
}

}  // namespace

bool ExamineDirectory(DoctorFacts& facts, std::vector<DoctorFinding>& findings) {
  const auto info = Stat(facts.data_dir);
  if (!info || !S_ISDIR(info->st_mode)) {
    findings.push_back({Severity::kProblem, "directory", facts.data_dir + " is not a directory",
                        "check the path; switchback serve makes a new one"});
    return false;
  }
  ExamineModes(facts.data_dir, "directory", 0077, findings);
  if (Stat(facts.data_dir + "/DETACHED")) {
    findings.push_back({Severity::kNote, "directory", "the stores were detached: it is spent",
                        "use a new data directory, with --legacy to adopt the environment again"});
    return false;
  }
  facts.is_usable = true;
  ExamineLock(facts, findings);
  if (!ExamineGeneration(facts, findings)) return false;
  FindStores(facts, findings);
  return true;
}

void ExamineSurroundings(const std::string& flags_path, const DoctorFacts& facts,
                         std::vector<DoctorFinding>& findings) {
  ExamineFlags(flags_path, findings);
  ExamineSpace(facts.data_dir, findings);
  const auto here = Stat(facts.data_dir);
  for (const std::string& path : {facts.legacy_path, facts.unified_path}) {
    const std::string folder = ParentDirectory(path);
    const auto there = Stat(folder);
    if (here && there && here->st_dev != there->st_dev) ExamineSpace(folder, findings);
  }
}

}  // namespace switchback
