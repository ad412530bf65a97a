// Makes single records of both stores equal again, under live writes: one role's own record is
// written once more, through the log, so that both stores get it in the one order of all writes.
//
// Why nothing comes back that was deleted meanwhile: the record is read inside the write itself
// (Transaction::GetStored), where no other write can come between the reading and the writing. A
// key that a write is on its way to needs no repair: both stores get that write.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "migration/comparison.hpp"
#include "service/db_service.hpp"

namespace switchback {

struct RepairOptions {
  // One write carries at most this much, but always one record.
  std::size_t record_count_max = 256;
  std::size_t bytes_max = 4u << 20;
};

struct RepairResult {
  std::uint64_t refused = 0;   // records that cannot be written: too large, for one
  std::string refusal;         // why the last of them
  std::uint64_t sequence = 0;  // after this position of the log the rest is equal
};

// Blocks until all is durable. Errors: kUnavailable (`from` is not in sync; records before it may
// be repaired), else those of the write.
Result<RepairResult> RepairRecords(DbService& service, Role from,
                                   std::span<const RecordName> records, RepairOptions options = {});

}  // namespace switchback
