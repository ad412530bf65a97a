#include "service/recovery.hpp"

#include <algorithm>
#include <utility>

#include "common/check.hpp"
#include "service/batch.hpp"

namespace switchback {
namespace {

Result<Batch> ReadBatch(CommitLog::Reader& reader, std::uint64_t last, CollectionCatalog& catalog) {
  auto record = reader.Next(last);
  if (!record) return Fail(record.error());
  SB_CHECK(record->has_value(), "the log holds every batch up to its last");
  return BatchOf(**record, catalog);
}

// As many batches as make a segment.
Result<std::shared_ptr<Segment>> ReadSegment(CommitLog::Reader& reader, std::uint64_t last,
                                             const MemtableOptions& options,
                                             CollectionCatalog& catalog) {
  std::vector<Batch> batches;
  std::size_t bytes = 0;
  std::size_t records = 0;
  while (bytes < options.segment_bytes_max && records < options.segment_record_count_max) {
    auto batch = ReadBatch(reader, last, catalog);
    if (!batch) return Fail(batch.error());
    bytes += batch->bytes->size();
    records += batch->effects.size();
    batches.push_back(*std::move(batch));
    if (batches.back().sequence == last) break;
  }
  auto segment = std::make_shared<Segment>(batches.front().sequence, options.clock->Now());
  segment->AddAll(batches);
  return segment;
}

Status LoadLog(CommitLog::Reader reader, std::uint64_t last, bool even_if_full,
               const MemtableOptions& options, CollectionCatalog& catalog, Memtable& memtable) {
  while (memtable.last_sequence() < last && (even_if_full || !memtable.IsFull())) {
    auto segment = ReadSegment(reader, last, options, catalog);
    if (!segment) return Fail(segment.error());
    memtable.Load(*std::move(segment));
  }
  return {};
}

}  // namespace

Result<Batch> BatchOf(const LogRecord& record, CollectionCatalog& catalog) {
  Batch batch{record.sequence, std::make_shared<const std::string>(record.payload), {}};
  auto effects = DecodeBatch(*batch.bytes, catalog);
  if (!effects) return Fail(effects.error());
  batch.effects = *std::move(effects);
  return batch;
}

std::vector<Effect> HeldEffects(const Segment& segment, const StoreState& state) {
  std::vector<Effect> effects = segment.NetEffects();
  if (!state.is_partial()) return effects;
  std::erase_if(effects, [&](const Effect& effect) {
    return std::count(state.collections.begin(), state.collections.end(),
                      effect.collection->name) == 0;
  });
  return effects;
}

Status ApplyLog(CommitLog& log, Backend& store, CollectionCatalog& catalog) {
  auto state = store.State();
  if (!state) return Fail(state.error());
  const std::uint64_t last = log.last_sequence();
  if (state->log_id != log.log_id() || state->is_filling || state->applied_sequence >= last)
    return {};
  const MemtableOptions limits{0, 0, kSegmentBytesMax, kSegmentRecordCountMax};
  CommitLog::Reader reader = log.NewReader(state->applied_sequence);
  while (state->applied_sequence < last) {
    auto segment = ReadSegment(reader, last, limits, catalog);
    if (!segment) return Fail(segment.error());
    state->applied_sequence = (*segment)->last_sequence();
    SB_RETURN_IF_ERROR(store.Apply(HeldEffects(**segment, *state), *state));
  }
  return store.MakeDurable();
}

Result<std::unique_ptr<Memtable>> RecoverMemtable(const MemtableOptions& options,
                                                  std::vector<std::uint64_t> positions,
                                                  CommitLog& log, CollectionCatalog& catalog) {
  const std::uint64_t last = log.last_sequence();
  std::sort(positions.begin(), positions.end());
  for (std::size_t i = 0; i < positions.size(); ++i) {
    const bool is_furthest = i + 1 == positions.size();
    auto memtable = std::make_unique<Memtable>(options, positions[i]);
    auto loaded =
        LoadLog(log.NewReader(positions[i]), last, is_furthest, options, catalog, *memtable);
    // Of what only the store that is behind needs, some may be gone.
    if (!loaded && is_furthest) return Fail(WithContext(loaded.error(), "recovery"));
    if (loaded && memtable->last_sequence() == last) return memtable;
  }
  return std::make_unique<Memtable>(options, last);
}

}  // namespace switchback
