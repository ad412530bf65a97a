// What is intact in a data directory that may not start: stores, log, backups, generations. Reads
// only, and in a child process wherever an engine is asked (rollback/apart.hpp).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "backends/store_file.hpp"
#include "common/clock.hpp"
#include "rollback/rescue_log.hpp"
#include "service/data_directory.hpp"
#include "service/role.hpp"

namespace switchback {

struct RescueStore {
  std::string path;         // as stores.json names it
  std::string file;         // the one file of it
  std::uint64_t bytes = 0;  // of the file, and of SQLite's write-ahead log
  bool is_there = false;
  std::string problem;          // why it cannot be read whole; "" = every record was read
  StoreFileReport report = {};  // what was found; empty with a problem
  [[nodiscard]] bool is_intact() const { return is_there && problem.empty(); }
  [[nodiscard]] bool is_attached() const { return !report.state.log_id.empty(); }
  [[nodiscard]] std::uint64_t record_count() const;
};

struct RescueBackup {
  std::string id;
  std::string problem;  // "" = it is whole, as far as was looked
  bool is_checked = false;
  std::string log_id;
  std::uint64_t epoch = 0, sequence = 0;
  WallTime created_at{};
  std::array<bool, kRoleCount> has_half{};
};

struct RescueGeneration {
  std::string name;
  std::uint64_t epoch = 0;  // 0: its log cannot be read
  std::uint64_t last_sequence = 0;
  bool has_batches = false;
};

struct RescueExamination {
  std::string data_dir;
  std::string generation;       // CURRENT's, or the one that must have been; "" = there is none
  std::string current_problem;  // what is wrong with CURRENT
  bool is_generation_certain = true;
  std::string stores_problem;  // what is wrong with stores.json
  StorePaths paths;
  RescueLog log;
  std::array<RescueStore, kRoleCount> stores;
  std::vector<RescueBackup> backups;  // the newest first
  std::string backups_problem;
  std::vector<RescueGeneration> generations;  // all of them, by name

  [[nodiscard]] const RescueStore& store(Role role) const { return stores[Index(role)]; }
};

struct RescueExaminationOptions {
  std::string data_dir;
  std::string backup_dir = {};         // "" = beside the stores
  bool is_full = false;                // backups are unpacked and counted as well
  std::size_t whole_backup_count = 2;  // so many whole ones are looked for, the newest first
};

// Blocks for the disk: every record of both stores, the log and some backups are read.
RescueExamination ExamineForRescue(const RescueExaminationOptions& options);

}  // namespace switchback
