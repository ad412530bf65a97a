#include "rollback/retention.hpp"

#include <algorithm>
#include <set>
#include <tuple>

namespace switchback {
namespace {

using Days = std::chrono::sys_days;

Days DayOf(WallTime time) {
  return std::chrono::floor<std::chrono::days>(time);
}
// Weeks begin on Mondays; 1970-01-01 was a Thursday.
std::int64_t WeekOf(WallTime time) {
  return (DayOf(time).time_since_epoch().count() + 3) / 7;
}
std::int64_t MonthOf(WallTime time) {
  const std::chrono::year_month_day date(DayOf(time));
  return static_cast<int>(date.year()) * 12 + static_cast<int>(static_cast<unsigned>(date.month()));
}

std::string KeptForGood(const RetentionItem& item) {
  if (item.is_in_use) return "in use";
  if (item.is_pinned) return "pinned";
  if (item.is_damaged) return "damaged: delete it by hand";
  if (item.reason != BackupReason::kManual && item.reason != BackupReason::kScheduled)
    return std::string("made ") + BackupReasonName(item.reason) + ": delete it by hand";
  return "";
}

// The newest of each of the last periods that have one. `items` are the newest first.
class Generations {
 public:
  Generations(const char* name, std::uint32_t count, std::int64_t (*period_of)(WallTime))
      : name_(name), count_(count), period_of_(period_of) {}
  std::string Keep(WallTime time) {
    if (seen_.size() >= count_ || !seen_.insert(period_of_(time)).second) return "";
    return std::string("the newest of its ") + name_;
  }

 private:
  const char* const name_;
  const std::uint32_t count_;
  std::int64_t (*const period_of_)(WallTime);
  std::set<std::int64_t> seen_;
};

// What age is measured from.
WallTime ReferenceOf(const std::vector<RetentionItem>& items, WallTime now, PruneBy by) {
  const int wanted = by == PruneBy::kSchedule ? 2 : 1;
  int past_count = 0;
  for (const RetentionItem& item : items) {
    if (item.is_damaged || item.created_at > now) continue;
    if (++past_count == wanted) return item.created_at;
  }
  return WallTime::min();
}

}  // namespace

std::vector<RetentionVerdict> DecideRetention(const RetentionPolicy& policy,
                                              std::vector<RetentionItem> items, WallTime now,
                                              PruneBy by) {
  std::sort(items.begin(), items.end(), [](const RetentionItem& a, const RetentionItem& b) {
    return std::tie(a.created_at, a.id) > std::tie(b.created_at, b.id);
  });
  const WallTime reference = ReferenceOf(items, now, by);
  Generations daily("day", policy.daily,
                    [](WallTime t) { return std::int64_t{DayOf(t).time_since_epoch().count()}; });
  Generations weekly("week", policy.weekly, WeekOf);
  Generations monthly("month", policy.monthly, MonthOf);
  bool has_verified = false;
  std::uint32_t count = 0;
  std::vector<RetentionVerdict> verdicts;
  for (const RetentionItem& item : items) {
    std::string why = KeptForGood(item);
    const auto keep = [&](bool holds, const char* because) {
      if (why.empty() && holds) why = because;
    };
    const bool is_future = item.created_at > now;
    const bool is_newest_verified = item.is_verified && !has_verified && !item.is_damaged;
    // One from the future does not stand for the newest: it may be old.
    if (!item.is_damaged && !is_future) {
      has_verified = has_verified || item.is_verified;
      ++count;
      for (Generations* generations : {&daily, &weekly, &monthly}) {
        const std::string kept = generations->Keep(item.created_at);
        if (why.empty()) why = kept;
      }
    }
    keep(is_newest_verified, "the newest verified one");
    keep(count <= policy.keep_min, "the newest");
    keep(is_future, "dated in the future");
    const bool is_old = policy.age_max.count() > 0 && reference != WallTime::min() &&
                        item.created_at < reference - policy.age_max;
    const bool is_beyond = policy.count_max > 0 && count > policy.count_max;
    const bool goes = why.empty() && (is_old || is_beyond);
    if (why.empty()) why = is_old ? "too old" : is_beyond ? "one too many" : "recent";
    verdicts.push_back({item.id, goes, why});
  }
  return verdicts;
}

}  // namespace switchback
