#include "rollback/log_replay.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <thread>
#include <utility>

#include "common/check.hpp"
#include "common/limits.hpp"
#include "migration/journal.hpp"
#include "rollback/store_copy.hpp"
#include "service/recovery.hpp"

namespace switchback {
namespace {

// One transaction of each store. Scattered effects touch nearly every page of a store in each of
// them, so few large ones cost less than many; twice this is in memory.
constexpr std::size_t kRoundBytesMax = 8 * kSegmentBytesMax;
constexpr std::size_t kRoundRecordCountMax = 16 * kSegmentRecordCountMax;

std::string Reach(const std::vector<LogPiece>& pieces) {
  if (pieces.empty()) return "there is no log of the past";
  return fmt::format("the log reaches from batch {} ({}) to {} ({})", pieces.front().first_sequence,
                     FormatUtc(pieces.front().first_at), pieces.back().last_sequence,
                     FormatUtc(pieces.back().last_at));
}

// Gathers batches and applies them to every store at once, each by a thread of its own, while the
// next ones are gathered.
class Replay {
 public:
  explicit Replay(const ReadView::CopyStep& step) : step_(step) {}
  ~Replay() { Join(); }
  Replay(const Replay&) = delete;
  Replay& operator=(const Replay&) = delete;

  Status Open(const std::vector<ReplayTarget>& targets) {
    for (const ReplayTarget& target : targets) {
      auto store = OpenStoreAt(target.engine, target.path, catalog_);
      if (!store) return Fail(WithContext(store.error(), target.path));
      auto state = (*store)->State();
      if (!state) return Fail(state.error());
      SB_RETURN_IF_ERROR((*store)->AcceptForeign());  // a copy has another's number of its commit
      stores_.push_back({*std::move(store), *std::move(state), {}, {}});
    }
    return {};
  }

  Status Add(const LogRecord& record) {
    auto batch = BatchOf(record, catalog_);
    if (!batch) return Fail(batch.error());
    bytes_ += batch->bytes->size();
    records_ += batch->effects.size();
    batches_.push_back(*std::move(batch));
    const bool is_full = bytes_ >= kRoundBytesMax || records_ >= kRoundRecordCountMax;
    return is_full ? Write() : Status{};
  }

  Status Finish() {
    SB_RETURN_IF_ERROR(Write());
    SB_RETURN_IF_ERROR(Await());
    for (Store& store : stores_) SB_RETURN_IF_ERROR(store.backend->MakeDurable());
    return {};
  }

 private:
  struct Store {
    std::unique_ptr<Backend> backend;
    StoreState state;
    Status outcome;
    std::thread thread;  // applies segment_
  };

  Status Write() {
    if (batches_.empty()) return {};
    auto segment = std::make_unique<Segment>(batches_.front().sequence, SteadyTime{});
    segment->AddAll(batches_);
    SB_RETURN_IF_ERROR(Await());
    segment_ = std::move(segment);
    segment_bytes_ = std::exchange(bytes_, 0);
    batches_.clear();
    records_ = 0;
    for (Store& store : stores_)
      store.thread = std::thread([this, &store] { store.outcome = Apply(*segment_, store); });
    return {};
  }

  // Until what is being applied is in every store.
  Status Await() {
    Join();
    for (const Store& store : stores_) SB_RETURN_IF_ERROR(store.outcome);
    return step_(std::exchange(segment_bytes_, 0));
  }

  void Join() {
    for (Store& store : stores_) {
      if (store.thread.joinable()) store.thread.join();
    }
  }

  // A store that is further than that already gets nothing twice that would matter: effects are
  // absolute.
  static Status Apply(const Segment& segment, Store& store) {
    store.state.applied_sequence = segment.last_sequence();
    return store.backend->Apply(HeldEffects(segment, store.state), store.state);
  }

  const ReadView::CopyStep& step_;
  CollectionCatalog catalog_;
  std::vector<Store> stores_;
  std::vector<Batch> batches_;  // gathered
  std::size_t bytes_ = 0;
  std::size_t records_ = 0;
  std::unique_ptr<const Segment> segment_;  // being applied
  std::size_t segment_bytes_ = 0;
};

}  // namespace

Result<LogMoment> FindTime(const std::vector<LogPiece>& pieces, WallTime time) {
  const LogPiece* last = nullptr;
  for (const LogPiece& piece : pieces) {
    if (!piece.is_empty() && piece.first_at <= time) last = &piece;
  }
  if (last == nullptr)
    return Fail(ErrorCode::kNotFound,
                fmt::format("nothing is known of {}: {}", FormatUtc(time), Reach(pieces)));
  LogMoment moment{last->epoch, last->first_sequence - 1};
  const auto look = [&](const LogRecord& record) -> Status {
    if (WallTimeOf(record) <= time) moment.sequence = record.sequence;
    return {};
  };
  static std::atomic<unsigned> looks{0};
  const std::string scratch = last->path + ".look-" + std::to_string(++looks);
  SB_RETURN_IF_ERROR(ReadPiece(*last, 0, UINT64_MAX, scratch, look));
  return moment;
}

Result<LogMoment> FindSequence(const std::vector<LogPiece>& pieces, std::uint64_t sequence) {
  for (const LogPiece& piece : pieces) {
    if (piece.first_sequence <= sequence && sequence <= piece.last_sequence)
      return LogMoment{piece.epoch, sequence};
  }
  return Fail(ErrorCode::kNotFound,
              fmt::format("batch {} is not known: {}", sequence, Reach(pieces)));
}

Result<std::vector<LogPiece>> PiecesBetween(const std::vector<LogPiece>& pieces,
                                            std::uint64_t after, const LogMoment& moment) {
  std::vector<LogPiece> found;
  std::uint64_t reached = after;
  for (const LogPiece& piece : pieces) {
    if (reached >= moment.sequence) break;
    if (piece.epoch != moment.epoch || piece.last_sequence <= reached) continue;
    if (piece.first_sequence > reached + 1) break;
    reached = piece.last_sequence;
    found.push_back(piece);
  }
  if (reached >= moment.sequence) return found;
  return Fail(ErrorCode::kNotFound,
              fmt::format("batch {} of epoch {} is missing between the backup at {} and batch {}",
                          reached + 1, moment.epoch, after, moment.sequence));
}

Status ReplayPieces(const std::vector<LogPiece>& pieces, std::uint64_t after, std::uint64_t until,
                    const std::vector<ReplayTarget>& targets, const std::string& scratch,
                    const ReadView::CopyStep& step) {
  Replay replay(step);
  SB_RETURN_IF_ERROR(replay.Open(targets));
  std::uint64_t reached = after;
  for (const LogPiece& piece : pieces) {
    SB_RETURN_IF_ERROR(ReadPiece(piece, reached, until, scratch, [&](const LogRecord& record) {
      reached = record.sequence;
      return replay.Add(record);
    }));
  }
  return replay.Finish();
}

}  // namespace switchback
