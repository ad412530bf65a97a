// The whole service against std::map: random operations, flips, faults, restarts, kills and power
// cuts; every read is compared, and after each drain both stores hold exactly the model (I1..I4).
#include <gtest/gtest.h>

#include <random>

#include "tests/support/failpoints.hpp"
#include "tests/support/service_world.hpp"

namespace switchback {
namespace {

using test::Content;
using test::Crash;
using test::IsOk;
using test::Must;
using test::Records;
using test::ScopedFailpoints;
using test::ServiceWorld;

class ServiceModel {
 public:
  explicit ServiceModel(unsigned seed) : random_(seed) {
    world_.options.memtable_record_count_max = 32 + random_() % 200;
    world_.options.log_file_bytes = 16384;
    world_.options.ack = random_() % 4 == 0 ? AckMode::kStores : AckMode::kLog;
    world_.Open();
  }

  void Step() {
    switch (random_() % 24) {
      case 0: return Must(world_.Flip(std::array<double, 3>{0, 25, 100}[random_() % 3]));
      case 1: return ScanOne();
      case 2: return CountOne();
      case 3: return MultiGet();
      case 4: return Fault();
      case 5:
      case 6: return Transact();
      case 7: return random_() % 6 == 0 ? Clear() : Get();
      case 8: return random_() % 4 == 0 ? DrainAndCompare() : Get();
      case 9: return random_() % 6 == 0 ? Restart() : Get();
      case 10:
      case 11:
      case 12:
      case 13: return Get();
      case 14:
      case 15:
      case 16: return Delete();
      default: return Put();
    }
  }

  void DrainAndCompare() {
    failpoints_.Set("");
    for (const Role role : kRoles) ASSERT_TRUE(world_.Becomes(role, FollowerState::kInSync));
    world_.Drain();
    for (const Role role : kRoles) {
      Content stored = world_.Stored(role);
      std::erase_if(stored, [](const auto& named) { return named.second.empty(); });
      ASSERT_EQ(stored, NonEmpty()) << RoleName(role);
    }
  }

 private:
  std::string AnyName() { return std::string(1, static_cast<char>('a' + random_() % 3)); }
  std::string AnyKey() { return "k" + std::to_string(random_() % 25); }
  std::string AnyValue() {
    std::string value = std::to_string(++values_);
    if (random_() % 10 == 0) value.append(random_() % 3000, 'x');
    return value;
  }
  Content NonEmpty() const {
    Content content = model_;
    std::erase_if(content, [](const auto& named) { return named.second.empty(); });
    return content;
  }

  void Put() {
    const std::string name = AnyName(), key = AnyKey(), value = AnyValue();
    Must(world_.Put(name, key, value));
    model_[name][key] = value;
  }
  void Delete() {
    const std::string name = AnyName(), key = AnyKey();
    Must(world_.Delete(name, key));
    model_[name].erase(key);
  }
  void Clear() {
    const std::string name = AnyName();
    Must(world_.service->Write(
        [&](Transaction& transaction) { return transaction.Clear(world_.collection(name)); }));
    model_[name].clear();
  }
  void Get() {
    const std::string name = AnyName(), key = AnyKey();
    const Records& records = model_[name];
    const auto expected = records.find(key);
    ASSERT_EQ(world_.Get(name, key), expected == records.end() ? "(none)" : expected->second);
  }
  void MultiGet() {
    const std::string name = AnyName();
    std::vector<std::string> keys(random_() % 6);
    std::vector<std::optional<std::string>> expected;
    for (std::string& key : keys) {
      key = AnyKey();
      const auto found = model_[name].find(key);
      expected.push_back(found == model_[name].end() ? std::nullopt
                                                     : std::optional<std::string>(found->second));
    }
    const std::vector<std::string_view> views(keys.begin(), keys.end());
    ASSERT_EQ(Must(world_.session().MultiGet(world_.collection(name), views)), expected);
    world_.session().EndTurn();
  }
  void ScanOne() {
    const std::string name = AnyName();
    ASSERT_EQ(world_.Scan(name), model_[name]);
  }
  void CountOne() {
    const std::string name = AnyName();
    ASSERT_EQ(Must(world_.session().Count(world_.collection(name))), model_[name].size());
    world_.session().EndTurn();
  }
  // Reads, writes and sometimes gives up.
  void Transact() {
    Content after = model_;
    const bool gives_up = random_() % 4 == 0;
    const std::string from = AnyName(), to = AnyName();
    const Collection& source = world_.collection(from);
    const Collection& target = world_.collection(to);
    const Status written = world_.service->Write([&](Transaction& transaction) -> Status {
      for (std::size_t i = 0, count = random_() % 5; i < count; ++i) {
        const std::string key = AnyKey(), new_key = AnyKey();
        auto value = transaction.Get(source, key);
        if (!value) return Fail(value.error());
        const auto expected = after[from].find(key);
        EXPECT_EQ(value->value_or("(none)"),
                  expected == after[from].end() ? "(none)" : expected->second);
        if (!*value) continue;
        const std::string moved(**value);
        SB_RETURN_IF_ERROR(transaction.Delete(source, key));
        SB_RETURN_IF_ERROR(transaction.Put(target, new_key, moved));
        after[from].erase(key);
        after[to][new_key] = moved;
      }
      return gives_up ? Status(Fail(ErrorCode::kRefused, "")) : Status{};
    });
    ASSERT_EQ(written.has_value(), !gives_up) << (written ? "" : written.error().message);
    if (written) model_ = std::move(after);
  }

  // A fault of one store, which no reader and no writer may notice.
  void Fault() {
    const std::array<const char*, 4> points{"apply", "commit", "committed", "sync"};
    // One store at a time, and only while the other is well.
    const Role role = kRoles[random_() % 2];
    if (world_.options.ack == AckMode::kStores) return;  // its writers do wait for the store
    if (world_.StateOf(Other(role)) != FollowerState::kInSync) return;
    failpoints_.Set(std::string("backend.") + RoleName(role) + "." + points[random_() % 4] +
                    "=error@" + std::to_string(1 + random_() % 3));
  }

  void Restart() {
    switch (random_() % 3) {
      case 0:
        failpoints_.Set("");
        for (const Role role : kRoles) ASSERT_TRUE(world_.Becomes(role, FollowerState::kInSync));
        world_.Reopen();
        break;
      case 1: world_.CrashAndReopen(Crash::kKill); break;
      default: world_.CrashAndReopen(Crash::kPowerCut);
    }
  }

  std::mt19937 random_;
  ScopedFailpoints failpoints_;
  ServiceWorld world_;
  Content model_;
  int values_ = 0;
};

TEST(ServiceModel, AgreesWithAMapThroughFaultsFlipsAndCrashes) {
  const unsigned first_seed = std::random_device{}();
  for (unsigned round = 0; round < 8; ++round) {
    SCOPED_TRACE("seed " + std::to_string(first_seed + round));
    ServiceModel model(first_seed + round);
    for (int step = 0; step < 400; ++step) {
      model.Step();
      ASSERT_FALSE(::testing::Test::HasFailure()) << "step " << step;
    }
    model.DrainAndCompare();
    ASSERT_FALSE(::testing::Test::HasFailure());
  }
}

// The replay after a crash is itself cut short by crashes: it may be done any number of times.
TEST(ServiceModel, ReplayTwiceIsReplayOnce) {
  ServiceWorld world;
  world.options.log_file_bytes = 16384;
  world.Open();
  // Nothing of this reaches the stores before the first crash.
  world.legacy->store()->HoldApplies();
  world.unified->store()->HoldApplies();
  Records expected;
  for (int i = 0; i < 200; ++i) {
    const std::string key = "k" + std::to_string(i % 20), value = std::to_string(i);
    Must(world.Put("c", key, value));
    expected[key] = value;
    if (i % 7 == 0) {
      Must(world.Delete("c", "k3"));
      expected.erase("k3");
    }
  }
  for (int crash = 0; crash < 8; ++crash) {
    world.CrashAndReopen(crash % 2 == 0 ? Crash::kKill : Crash::kPowerCut);
    ASSERT_EQ(world.Scan("c"), expected) << "crash " << crash;
    // The next one comes when this many of the effects are replayed.
    const auto wanted = static_cast<std::uint64_t>(crash * 25);
    ASSERT_TRUE(
        test::Eventually([&] { return world.legacy->Newest()->state.applied_sequence >= wanted; }));
  }
  world.Drain();
  for (const Role role : kRoles) EXPECT_EQ(world.Stored(role), (Content{{"c", expected}}));
}

}  // namespace
}  // namespace switchback
