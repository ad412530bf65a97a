#include "migration/comparison.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

#include "common/check.hpp"

namespace switchback {
namespace {

// How many windows the total of records may be old.
constexpr std::uint64_t kWindowsPerTotal = 16;

auto Order(const std::string& collection, std::string_view key) {
  return std::tuple<std::string_view, std::string_view>(collection, key);
}

class PairScope {
 public:
  explicit PairScope(StorePair& pair) : pair_(pair) {}
  ~PairScope() { pair_.End(); }
  PairScope(const PairScope&) = delete;
  PairScope& operator=(const PairScope&) = delete;

 private:
  StorePair& pair_;
};

}  // namespace

Comparison::Comparison(FillAccess& access, const Clock& clock, ComparisonOptions options,
                       ComparisonProgress from)
    : clock_(clock),
      options_(std::move(options)),
      pair_(access, options_.pair),
      chunk_(options_.chunk),
      settled_(from),
      reached_(std::move(from)) {}

Result<Window> Comparison::Next(const WindowBudget& budget) {
  window_began_ = clock_.Now();
  SB_RETURN_IF_ERROR(pair_.Begin([this](const Effect& effect) { return IsNeeded(effect); }));
  const PairScope scope(pair_);
  SB_RETURN_IF_ERROR(CheckPosition(options_.sequence_min));
  return NextAtPosition(budget);
}

Status Comparison::CheckPosition(std::uint64_t sequence_min) const {
  if (pair_.sequence() >= sequence_min) return {};
  return Fail(ErrorCode::kBusy, "no store has applied batch " + std::to_string(sequence_min) +
                                    " yet, from which on the records are to be compared");
}

// Moves only at its end, so that after an error the same window can be tried again.
Result<Window> Comparison::NextAtPosition(const WindowBudget& budget) {
  if (window_count_ % kWindowsPerTotal == 0) SB_RETURN_IF_ERROR(UpdateTotal());
  Window window;
  window.sequence = pair_.sequence();
  auto standing = ReadAgain(candidates_);
  if (!standing) return Fail(standing.error());
  window.differences = *std::move(standing);

  ComparisonProgress reached = reached_;
  std::vector<RecordName> found;
  bool is_compared = is_compared_;
  if (!is_compared) {
    SB_RETURN_IF_ERROR(CompareCollections(budget, window, reached, found));
    is_compared = window.is_last;
  }
  window.is_last = is_compared && found.empty();
  window.bytes = reached.bytes - reached_.bytes;
  SB_CHECK(Order(reached_.collection, reached_.key) <= Order(reached.collection, reached.key),
           "the cursor moves forward only");
  // What the window before has found is dealt with now; what this one has found is not.
  settled_ = found.empty() ? reached : reached_;
  reached_ = std::move(reached);
  candidates_ = std::move(found);
  is_compared_ = is_compared;
  window_count_ += 1;
  return window;
}

bool Comparison::IsNeeded(const Effect& effect) const {
  const auto order = Order(effect.collection->name, effect.key);
  if (order > Order(reached_.collection, reached_.key)) return true;
  const auto at = std::lower_bound(candidates_.begin(), candidates_.end(), order,
                                   [](const RecordName& record, const auto& wanted) {
                                     return Order(record.collection, record.key) < wanted;
                                   });
  return at != candidates_.end() && Order(at->collection, at->key) == order;
}

// Sets window.is_last when no record is left.
Status Comparison::CompareCollections(const WindowBudget& budget, Window& window,
                                      ComparisonProgress& reached, std::vector<RecordName>& found) {
  const auto names = CollectionsLeft(reached);
  if (!names) return Fail(names.error());
  const std::uint64_t records_before = reached.records;
  const std::uint64_t bytes_before = reached.bytes;
  for (const std::string& name : *names) {
    const auto collection = pair_.catalog().Intern(name);
    if (!collection) return Fail(WithContext(collection.error(), "compare " + name));
    for (bool is_finished = false; !is_finished;) {
      const auto compared = CompareChunk(**collection, budget.bytes_max, reached, found);
      if (!compared) return Fail(WithContext(compared.error(), "compare " + name));
      is_finished = *compared;
      window.bytes = reached.bytes - bytes_before;
      const bool is_over = is_finished && &name == &names->back();
      // A window that only learns that a collection has ended would learn the same for ever.
      const bool has_moved = reached.records > records_before;
      if (!is_over && has_moved && IsSpent(budget, window, found.size())) return {};
    }
  }
  window.is_last = true;
  return {};
}

bool Comparison::IsCompared(const std::string& name) {
  const auto& wanted = options_.collections;
  if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), name) == wanted.end())
    return false;
  const Collection* known = pair_.catalog().Find(name);
  return known == nullptr ||
         (known->IsHeldBy(Index(Role::kLegacy)) && known->IsHeldBy(Index(Role::kUnified)));
}

Result<std::vector<std::string>> Comparison::CollectionsLeft(const ComparisonProgress& reached) {
  auto names = pair_.CollectionNames();
  if (!names) return names;
  std::erase_if(*names, [&](const std::string& name) {
    return name < reached.collection || !IsCompared(name);
  });
  return names;
}

Result<bool> Comparison::CompareChunk(const Collection& collection, std::uint64_t bytes_max,
                                      ComparisonProgress& reached, std::vector<RecordName>& found) {
  const std::string after = collection.name == reached.collection ? reached.key : std::string();
  std::vector<std::string> differing;
  const std::size_t room = options_.candidate_count_max - found.size();
  auto chunk = chunk_.Compare(pair_, collection, after, bytes_max, room, differing);
  if (!chunk) return Fail(chunk.error());
  for (std::string& key : differing) found.push_back({collection.name, std::move(key)});
  reached.records += chunk->records;
  reached.bytes += chunk->bytes;
  reached.collection = collection.name;
  reached.key = chunk->last_key.empty() ? after : std::move(chunk->last_key);
  return chunk->is_finished;
}

bool Comparison::IsSpent(const WindowBudget& budget, const Window& window,
                         std::size_t found) const {
  return found >= options_.candidate_count_max || window.bytes >= budget.bytes_max ||
         clock_.Now() - window_began_ >= budget.duration_max;
}

Result<std::vector<Difference>> Comparison::ReadAgain(std::span<const RecordName> records) {
  std::vector<Difference> differences;
  for (const RecordName& record : records) {
    const auto collection = pair_.catalog().Intern(record.collection);
    if (!collection) return Fail(collection.error());
    const auto values = pair_.GetDigests(**collection, record.key);
    if (!values) return Fail(values.error());
    if (values->is_equal()) continue;
    differences.push_back({record.collection, record.key, *values, pair_.sequence()});
  }
  return differences;
}

Result<std::vector<Difference>> Comparison::Recheck(std::span<const RecordName> records,
                                                    std::uint64_t sequence_min) {
  SB_RETURN_IF_ERROR(pair_.Begin());
  const PairScope scope(pair_);
  SB_RETURN_IF_ERROR(CheckPosition(sequence_min));
  return ReadAgain(records);
}

// Legacy counts in no time (LMDB); a count of unified would read every page (SQLite).
Status Comparison::UpdateTotal() {
  auto names = pair_.view(Role::kLegacy).CollectionNames();
  if (!names) return Fail(names.error());
  std::uint64_t total = 0;
  for (const std::string& name : *names) {
    if (!IsCompared(name)) continue;
    const auto collection = pair_.catalog().Intern(name);
    if (!collection) return Fail(collection.error());
    const auto count = pair_.view(Role::kLegacy).Count(**collection);
    if (!count) return Fail(count.error());
    total += *count;
  }
  records_total_ = total;
  return {};
}

}  // namespace switchback
