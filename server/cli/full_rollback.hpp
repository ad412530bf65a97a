// The last step back: a plain LMDB environment, and nothing of Switchback left. Works on a data
// directory that no server has open.
//
// What is to be removed is written down beside it first (full-rollback.json), so that a crash at
// any step is gone on with by calling it again; legacy is looked at before and after, record by
// record.
#pragma once

#include <string>
#include <vector>

#include "common/result.hpp"

namespace switchback {

struct FullRollbackOptions {
  std::string data_dir;
  std::string flags_path;  // "" = <data-dir>/flags.json
  std::string export_dir;  // both stores are copied there first; "" = no
  bool is_keeping_backups = true;
  bool is_forced = false;  // although the stores differ, or unified cannot be compared
};

struct FullRollbackResult {
  std::string legacy_path;
  std::uint64_t record_count = 0;
  bool is_compared = false;  // with unified, before it went
  std::vector<std::string> removed;
};

// Errors, before anything is changed: kConflict (a server has the directory), kRefused (legacy is
// not in sync, or the stores differ), kNotFound. After it began: kIo, kCorruption (legacy is not
// what it was: nothing more is removed).
Result<FullRollbackResult> RollBackFully(const FullRollbackOptions& options);

}  // namespace switchback
