// Both engines and the log fail at random places under load. Nobody reads anything stale, no
// acknowledged write is lost, and in the end both stores hold the same (I1, I2, I4, I5).
#include <gtest/gtest.h>

#include <atomic>
#include <random>

#include "tests/fault/real_world.hpp"
#include "tests/support/failpoints.hpp"
#include "tests/support/temp_dir.hpp"

namespace switchback {
namespace {

using test::Content;
using test::IsOk;
using test::Must;
using test::Records;
using test::ScopedFailpoints;
using namespace std::chrono_literals;

// One writer and its keys: a value is acknowledged, or unknown until the next success.
class StormWriter {
 public:
  StormWriter(DbService& service, int number, unsigned seed)
      : service_(service), number_(number), random_(seed) {}

  void Run(const std::atomic<bool>& stop) {
    const Collection* c = Must(service_.catalog().Intern("c"));
    while (!stop) {
      const std::string key = std::to_string(number_) + "-" + std::to_string(random_() % 40);
      const bool is_delete = random_() % 5 == 0;
      const std::string value = std::to_string(++count_);
      const Status written = is_delete ? service_.Delete(*c, key) : service_.Put(*c, key, value);
      const std::string now = is_delete ? "" : value;
      if (written) {
        possible_[key] = {now};
        ++acknowledged_;
      } else if (written.error().code == ErrorCode::kUnknownOutcome) {
        possible_[key].push_back(now);
      }
    }
  }
  // The values that each key may have; "" is none.
  [[nodiscard]] const std::map<std::string, std::vector<std::string>>& possible() const {
    return possible_;
  }
  [[nodiscard]] long acknowledged() const { return acknowledged_; }

 private:
  DbService& service_;
  const int number_;
  std::mt19937 random_;
  long count_ = 0, acknowledged_ = 0;
  std::map<std::string, std::vector<std::string>> possible_;
};

void ExpectPossible(const StormWriter& writer, const Records& found, bool is_same_process) {
  for (const auto& [key, values] : writer.possible()) {
    const auto at = found.find(key);
    const std::string value = at == found.end() ? "" : at->second;
    // What was not acknowledged is never visible to the process that could not make it durable.
    if (is_same_process) {
      EXPECT_EQ(value, values.front()) << key;
    }
    EXPECT_NE(std::find(values.begin(), values.end(), value), values.end()) << key << "=" << value;
  }
}

std::string RandomFaults(std::mt19937& random) {
  static constexpr std::array<const char*, 15> kPoints{
      "log.append",    "log.sync",         "log.create",        "lmdb.begin",   "lmdb.put",
      "lmdb.commit",   "lmdb.committed",   "lmdb.sync",         "sqlite.begin", "sqlite.put",
      "sqlite.commit", "sqlite.committed", "sqlite.checkpoint", "sqlite.sync",  "follower.apply"};
  static constexpr std::array<const char*, 4> kActions{"=error@1", "=error@3", "=nospace@2",
                                                       "=error"};
  std::string faults;
  for (std::size_t i = 0, count = random() % 3; i < count; ++i) {
    faults += kPoints[random() % kPoints.size()];
    faults += kActions[random() % kActions.size()];
    faults += ";";
  }
  return faults;
}

TEST(FailpointStorm, LosesNothingAndEndsEqual) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const test::TempDir dir;
  DbServiceOptions options = test::RealOptions(dir.File("data"));
  options.memtable_record_count_max = 2000;
  auto service = Must(DbService::Open(options));
  std::vector<StormWriter> writers;
  for (int i = 0; i < 2; ++i) writers.emplace_back(*service, i, seed + static_cast<unsigned>(i));
  ScopedFailpoints failpoints;
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (StormWriter& writer : writers) threads.emplace_back([&] { writer.Run(stop); });

  std::uint64_t loads = 0;
  const auto end = std::chrono::steady_clock::now() + 6s;
  while (std::chrono::steady_clock::now() < end) {
    failpoints.Set(RandomFaults(random));
    (void)test::FlipTo(*service, std::array<double, 3>{0, 30, 100}[random() % 3], ++loads);
    // As long as it takes the service to answer a good number of writes, or a moment.
    const auto moment = std::chrono::steady_clock::now() + 100ms;
    const std::uint64_t writes = service->GetStatus().writes;
    while (service->GetStatus().writes < writes + 50 && std::chrono::steady_clock::now() < moment)
      std::this_thread::yield();
  }
  failpoints.Set("");
  stop = true;
  for (std::thread& thread : threads) thread.join();

  ASSERT_TRUE(test::BothComeInSync(*service));
  Must(service->Drain(1min));
  const Content legacy = test::StoredIn(*service, Role::kLegacy);
  EXPECT_EQ(legacy, test::StoredIn(*service, Role::kUnified));
  for (const StormWriter& writer : writers) {
    EXPECT_GT(writer.acknowledged(), 0);
    ExpectPossible(writer, legacy.count("c") != 0 ? legacy.at("c") : Records{}, true);
  }
  ASSERT_TRUE(IsOk(service->Close()));
  service = nullptr;

  service = Must(DbService::Open(options));
  EXPECT_EQ(test::Served(*service), legacy);
}

// One fault at each place, while writes go on: the service overcomes it by itself.
class OneFault : public ::testing::TestWithParam<const char*> {};

TEST_P(OneFault, IsOvercome) {
  const test::TempDir dir;
  const auto service = Must(DbService::Open(test::RealOptions(dir.File("data"))));
  const Collection* c = Must(service->catalog().Intern("c"));
  Records expected;
  {
    const ScopedFailpoints failpoints(GetParam());
    for (int i = 0; i < 60; ++i) {
      const std::string key = "k" + std::to_string(i % 20), value = std::to_string(i);
      if (service->Put(*c, key, value)) expected[key] = value;
      if (i % 20 == 19) (void)service->Drain(5s);
    }
  }
  while (service->GetStatus().is_log_failed) std::this_thread::yield();
  for (int i = 0; i < 20; ++i) {
    const std::string key = "after" + std::to_string(i);
    ASSERT_TRUE(IsOk(service->Put(*c, key, "v")));
    expected[key] = "v";
  }
  ASSERT_TRUE(test::BothComeInSync(*service));
  Must(service->Drain(1min));
  EXPECT_EQ(test::StoredIn(*service, Role::kLegacy), (Content{{"c", expected}}));
  EXPECT_EQ(test::StoredIn(*service, Role::kUnified), (Content{{"c", expected}}));
  EXPECT_TRUE(IsOk(service->Close()));
}

INSTANTIATE_TEST_SUITE_P(
    Everywhere, OneFault,
    ::testing::Values("log.append=error@2", "log.sync=error@2", "log.sync=nospace@1",
                      "log.create=error@1;log.append=error@1", "lmdb.begin=error@1",
                      "lmdb.put=error@1", "lmdb.commit=error@1", "lmdb.commit=nospace@1",
                      "lmdb.committed=error@1", "lmdb.sync=error@1", "sqlite.begin=error@1",
                      "sqlite.put=error@1", "sqlite.commit=error@1", "sqlite.commit=nospace@1",
                      "sqlite.committed=error@1", "sqlite.sync=error@1", "follower.apply=error@1",
                      "lmdb.read=error@2", "sqlite.read=error@2"));

}  // namespace
}  // namespace switchback
