// What a verify keeps in the journal, so that it can go on after a crash: the document "verify".
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "migration/comparison.hpp"
#include "migration/journal.hpp"
#include "migration/verify_status.hpp"

namespace switchback {

struct VerifyRecord {
  std::string state = "none";  // as VerifyStatus's; "running" in a journal found at start: it was
                               // interrupted
  VerifyOptions options;
  std::string actor;
  std::string started_at;
  std::string ended_at;
  std::string error;
  std::int64_t operation = 0;  // in the journal
  std::uint64_t epoch = 0;     // of the log
  std::uint64_t passes = 0;
  std::string last_pass;
  // Of the pass: everything up to `progress` is compared, and what differed is counted below.
  ComparisonProgress progress;
  std::uint64_t records_total = 0;
  std::uint64_t missing = 0, extra = 0, differs = 0, unnamed = 0, repaired = 0;
  std::uint64_t sequence_first = 0, sequence = 0;

  // Forgets the pass, keeps what was asked for.
  void BeginPass();
  [[nodiscard]] std::uint64_t found() const { return missing + extra + differs; }
  [[nodiscard]] std::uint64_t left() const { return found() - repaired; }
};

// A record that cannot be read (another version's) counts as none. Errors: the journal's.
Result<VerifyRecord> LoadVerifyRecord(Journal& journal);
Status StoreVerifyRecord(Journal& journal, const VerifyRecord& record);

}  // namespace switchback
