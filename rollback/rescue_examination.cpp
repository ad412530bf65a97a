#include "rollback/rescue_examination.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <tuple>

#include "backends/sqlite_seal.hpp"
#include "backends/store_state_codec.hpp"
#include "common/file.hpp"
#include "rollback/apart.hpp"
#include "rollback/backup_verifier.hpp"
#include "rollback/generation_layout.hpp"

namespace switchback {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kSmallFileBytesMax = 65536;

Status Ignore(const LogRecord& /*record*/) {
  return {};
}

// ---- Generations

std::vector<RescueGeneration> FindGenerations(const std::string& data_dir) {
  std::vector<RescueGeneration> generations;
  std::error_code error;
  fs::directory_iterator entry(data_dir, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename();
    if (!name.starts_with("gen-") || !entry->is_directory()) continue;
    const auto log = ReadRescueLog(entry->path().string() + "/log", Ignore);
    RescueGeneration found{.name = name};
    if (log) {
      found.epoch = log->epoch;
      found.last_sequence = log->last_seen;
      found.has_batches = !log->ranges.empty();
    }
    generations.push_back(found);
  }
  std::sort(generations.begin(), generations.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  return generations;
}

// The one of the latest epoch. It is certain when it has batches of its own: before its rename a
// new generation has none, and one that was never gone over to looks the same.
void GuessGeneration(RescueExamination& found) {
  const auto newest =
      std::max_element(found.generations.begin(), found.generations.end(),
                       [](const auto& a, const auto& b) { return a.epoch < b.epoch; });
  if (newest == found.generations.end()) return;
  found.generation = newest->name;
  found.is_generation_certain =
      found.generations.size() == 1 || (newest->epoch > 0 && newest->has_batches);
}

void FindGeneration(RescueExamination& found) {
  found.generations = FindGenerations(found.data_dir);
  auto current = ReadWholeFile(found.data_dir + "/CURRENT", kSmallFileBytesMax);
  if (!current) {
    found.current_problem = current.error().message;
    return GuessGeneration(found);
  }
  while (current->ends_with('\n')) current->pop_back();
  const bool is_known =
      std::any_of(found.generations.begin(), found.generations.end(),
                  [&](const auto& generation) { return generation.name == *current; });
  if (is_known) {
    found.generation = *current;
    return;
  }
  found.current_problem = "CURRENT names a generation that is not there";
  GuessGeneration(found);
}

// ---- Stores

void FindStores(RescueExamination& found) {
  const std::string inside = fs::absolute(found.data_dir + "/" + found.generation).string();
  auto paths = DataDirectory::ReadStores(inside);
  if (paths) {
    found.paths = *std::move(paths);
    return;
  }
  if (paths.error().code != ErrorCode::kNotFound) found.stores_problem = paths.error().message;
  found.paths = {.legacy = inside + "/legacy", .unified = inside + "/unified.sqlite"};
}

std::uint64_t SizeOf(const std::string& path) {
  std::error_code error;
  const auto bytes = fs::file_size(path, error);
  return error ? 0 : bytes;
}

std::string EncodeDigest(const CollectionDigest& digest) {
  return digest.name + "\n" + std::to_string(digest.record_count) + "\n" + digest.hash;
}
CollectionDigest DecodeDigest(std::string_view frame) {
  std::istringstream lines{std::string(frame)};
  CollectionDigest digest;
  std::string count;
  std::getline(lines, digest.name);
  std::getline(lines, count);
  std::getline(lines, digest.hash);
  digest.record_count = std::strtoull(count.c_str(), nullptr, 10);
  return digest;
}

// Frames: the state, whether others wrote, the version of the schema, a digest each.
Status InspectInChild(std::string_view engine, const std::string& file, const ApartWriter& writer) {
  const auto report =
      InspectStoreFile(engine, file, StoreFileCheck::kThorough, ReadView::CopyStep());
  if (!report) return Fail(report.error());
  SB_RETURN_IF_ERROR(writer.Write(EncodeStoreState({report->state, 0})));
  SB_RETURN_IF_ERROR(writer.Write(report->is_foreign ? "1" : "0"));
  SB_RETURN_IF_ERROR(writer.Write(std::to_string(report->schema_version)));
  for (const CollectionDigest& digest : report->collections)
    SB_RETURN_IF_ERROR(writer.Write(EncodeDigest(digest)));
  return {};
}

Result<StoreFileReport> InspectApart(std::string_view engine, const std::string& file) {
  StoreFileReport report;
  int frame_count = 0;
  const auto take = [&](std::string_view frame) -> Status {
    ++frame_count;
    if (frame_count == 1) {
      auto stamped = DecodeStoreState(frame);
      if (!stamped) return Fail(stamped.error());
      report.state = std::move(stamped->state);
    } else if (frame_count == 2) {
      report.is_foreign = frame == "1";
    } else if (frame_count == 3) {
      report.schema_version = std::strtoull(std::string(frame).c_str(), nullptr, 10);
    } else {
      report.collections.push_back(DecodeDigest(frame));
    }
    return {};
  };
  SB_RETURN_IF_ERROR(RunApart(
      [&](const ApartWriter& writer) { return InspectInChild(engine, file, writer); }, take));
  return report;
}

RescueStore ExamineStore(Role role, const std::string& path) {
  RescueStore store;
  const bool is_legacy = role == Role::kLegacy;
  std::error_code error;
  store.path = path;
  store.file = is_legacy && !fs::is_regular_file(path, error) ? path + "/data.mdb" : path;
  store.is_there = fs::is_regular_file(store.file, error);
  store.bytes = SizeOf(store.file) + (is_legacy ? 0 : SizeOf(path + "-wal"));
  if (!store.is_there) {
    store.problem = store.file + " is not there";
    return store;
  }
  auto report = InspectApart(EngineOf(role), store.file);
  if (report) {
    store.report = *std::move(report);
    if (!is_legacy) store.report.is_foreign = CheckSqliteSeal(path) == SealVerdict::kForeign;
  } else {
    store.problem = report.error().message;
    std::replace(store.problem.begin(), store.problem.end(), '\n', ' ');
  }
  return store;
}

// ---- Backups

RescueBackup DescribeBackup(const BackupEntry& entry) {
  RescueBackup backup;
  backup.id = entry.id;
  backup.problem = entry.manifest ? "" : entry.damage;
  if (!entry.manifest) return backup;
  backup.log_id = entry.manifest->log_id;
  backup.epoch = entry.manifest->epoch;
  backup.sequence = entry.manifest->sequence;
  backup.created_at = entry.manifest->created_at;
  for (const Role role : kRoles)
    backup.has_half[Index(role)] = entry.manifest->half(role) != nullptr;
  return backup;
}

void CheckBackup(const BackupDirectory& directory, bool is_full, RescueBackup& backup) {
  BackupProgress progress(SystemClock(), 0);
  const auto verdict = VerifyBackup(directory, backup.id, is_full, progress);
  backup.is_checked = true;
  if (!verdict) {
    backup.problem = verdict.error().message;
  } else if (!verdict->is_ok()) {
    backup.problem = verdict->problems.front();
  }
}

void FindBackups(const RescueExaminationOptions& options, RescueExamination& found) {
  const std::string path =
      options.backup_dir.empty() ? options.data_dir + "/backups" : options.backup_dir;
  const auto directory = BackupDirectory::Open(path, /*must_exist=*/true);
  if (!directory) {
    if (directory.error().code != ErrorCode::kNotFound || !options.backup_dir.empty())
      found.backups_problem = directory.error().message;
    return;
  }
  const auto entries = directory->List();
  if (!entries) {
    found.backups_problem = entries.error().message;
    return;
  }
  for (const BackupEntry& entry : *entries) found.backups.push_back(DescribeBackup(entry));
  // Ids of one second are in no order.
  std::stable_sort(found.backups.begin(), found.backups.end(), [](const auto& a, const auto& b) {
    return std::tie(a.created_at, a.epoch, a.sequence) >
           std::tie(b.created_at, b.epoch, b.sequence);
  });
  std::size_t whole_count = 0;
  for (RescueBackup& backup : found.backups) {
    if (whole_count < options.whole_backup_count && backup.problem.empty())
      CheckBackup(*directory, options.is_full, backup);
    if (backup.is_checked && backup.problem.empty()) ++whole_count;
  }
}

}  // namespace

std::uint64_t RescueStore::record_count() const {
  std::uint64_t count = 0;
  for (const CollectionDigest& digest : report.collections) count += digest.record_count;
  return count;
}

RescueExamination ExamineForRescue(const RescueExaminationOptions& options) {
  RescueExamination found;
  found.data_dir = options.data_dir;
  FindGeneration(found);
  if (!found.generation.empty()) {
    FindStores(found);
    auto log = ReadRescueLog(options.data_dir + "/" + found.generation + "/log", Ignore);
    if (log) found.log = *std::move(log);
    found.stores[Index(Role::kLegacy)] = ExamineStore(Role::kLegacy, found.paths.legacy);
    found.stores[Index(Role::kUnified)] = ExamineStore(Role::kUnified, found.paths.unified);
  }
  FindBackups(options, found);
  return found;
}

}  // namespace switchback
