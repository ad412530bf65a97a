// The memtable after a start: what the log holds and the stores lack goes into memory, so that the
// service can answer at once (I3).
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "backends/backend.hpp"
#include "common/result.hpp"
#include "service/commit_log.hpp"
#include "service/memtable.hpp"

namespace switchback {

// `positions`: for each store that the log can bring up, the batch it has applied. A store too far
// behind for the memtable's budget is left out and catches up from the log; the one that is
// furthest is always covered. Errors: kCorruption, kIo from the log.
Result<std::unique_ptr<Memtable>> RecoverMemtable(const MemtableOptions& options,
                                                  std::vector<std::uint64_t> positions,
                                                  CommitLog& log, CollectionCatalog& catalog);

// What a log's record holds, decoded.
Result<Batch> BatchOf(const LogRecord& record, CollectionCatalog& catalog);
// The segment's net effects on the collections that a store with `state` holds.
std::vector<Effect> HeldEffects(const Segment& segment, const StoreState& state);

// Brings a store that nobody else has open up to the end of the log, durably. Nothing when it
// holds nothing that counts, or stands there already. Errors: those of the log and of the store.
Status ApplyLog(CommitLog& log, Backend& store, CollectionCatalog& catalog);

}  // namespace switchback
