// Random schedules: writes, clears, stores that follow at their own pace, windows and restarts in
// between, and damage done to one store behind the log's back. What a pass reports is exactly the
// damage that is still there.
#include <gtest/gtest.h>

#include <random>
#include <set>

#include "migration/comparison.hpp"
#include "pair_world.hpp"
#include "tests/support/expect_ok.hpp"

namespace switchback::test {
namespace {

class Schedule {
 public:
  explicit Schedule(std::uint32_t seed) : random_(seed) {
    options_.chunk.record_count_max = 1 + Below(5);
    options_.chunk.unified_record_count_max = 1 + Below(8);
    options_.chunk.copied_value_bytes_max = Below(3);
    options_.candidate_count_max = 1 + Below(6);
    budget_.bytes_max = 1 + Below(20);
  }

  void Run() {
    for (int i = 0; i < 40; ++i) WriteSomething();
    world_.ApplyAll();
    Damage();
    comparison_.emplace(world_, clock_, options_);
    for (int steps = 0; steps < 5000; ++steps) {
      if (Below(3) == 0) WriteSomething();
      if (Below(2) == 0) Follow();
      if (Below(20) == 0) comparison_.emplace(world_, clock_, options_, comparison_->settled());
      const auto window = comparison_->Next(budget_);
      ASSERT_TRUE(IsOk(window));
      for (const Difference& difference : window->differences)
        reported_.insert({difference.collection, difference.key});
      if (window->is_last) return Judge();
    }
    FAIL() << "the pass does not end";
  }

 private:
  using Name = std::pair<std::string, std::string>;

  std::uint32_t Below(std::uint32_t bound) { return static_cast<std::uint32_t>(random_()) % bound; }
  // Damaged records live in collections of their own names, which no write touches.
  Name RandomName(const char* prefix) {
    return {prefix + std::to_string(Below(3)),
            std::string(1 + Below(3), static_cast<char>('a' + Below(4)))};
  }
  void WriteSomething() {
    std::vector<OwnedEffect> effects;
    for (std::uint32_t i = 0; i <= Below(4); ++i) {
      const auto [collection, key] = RandomName("c");
      const std::uint32_t what = Below(12);
      if (what == 0) effects.push_back(ClearOf(collection));
      if (what > 0 && what < 4) effects.push_back(DeleteOf(collection, key));
      if (what >= 4)
        effects.push_back(
            PutOf(collection, key, std::string(Below(4), static_cast<char>('0' + Below(10)))));
    }
    const auto [collection, key] = RandomName("d");
    if (Below(4) == 0 && damaged_.empty()) effects.push_back(PutOf(collection, key, "value"));
    world_.Log(std::move(effects));
  }
  void Follow() {
    const Role role = kRoles[Below(2)];
    const std::uint64_t at = world_.StoreOf(role).State().applied_sequence;
    world_.Apply(role, at + Below(static_cast<std::uint32_t>(world_.log.size() - at) + 1));
  }
  void Damage() {
    for (std::uint32_t i = 0; i < Below(8); ++i) {
      const Name name = RandomName("d");
      const Role role = kRoles[Below(2)];
      const auto content = world_.ContentOf(world_.StoreOf(role));
      const bool is_there =
          content.count(name.first) > 0 && content.at(name.first).count(name.second) > 0;
      if (damaged_.count(name) > 0) continue;
      const bool deletes = is_there && Below(2) == 0;
      world_.Corrupt(role, name.first, name.second,
                     deletes ? std::nullopt : std::optional<std::string>("damage"));
      damaged_.insert(name);
    }
    if (damaged_.empty()) damaged_.insert({"", ""});  // no more writes there
  }
  void Judge() {
    damaged_.erase({"", ""});
    EXPECT_EQ(reported_, damaged_);
  }

  std::mt19937 random_;
  PairWorld world_;
  SettableClock clock_;
  ComparisonOptions options_;
  WindowBudget budget_;
  std::optional<Comparison> comparison_;
  std::set<Name> damaged_;
  std::set<Name> reported_;
};

TEST(ComparisonModel, ReportsExactlyTheDamage) {
  const std::uint32_t first = std::random_device{}();
  for (std::uint32_t i = 0; i < 400; ++i) {
    SCOPED_TRACE("seed " + std::to_string(first + i));
    Schedule(first + i).Run();
    if (::testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace switchback::test
