// All stores in service at one batch, while writers go on.
#include "service/pinned_stores.hpp"

#include <gtest/gtest.h>

#include <random>

#include "tests/support/failpoints.hpp"
#include "tests/support/service_world.hpp"

namespace switchback {
namespace {

using test::FailsWith;
using test::Must;
using test::Records;
using test::ServiceWorld;

constexpr std::chrono::milliseconds kWaitMax{60000};

class PinnedStoresTest : public ::testing::Test {
 protected:
  Records ReadAll(ReadView& view, const std::string& name) {
    Records records;
    Must(view.Scan(world_.collection(name), "", [&](std::string_view key, std::string_view value) {
      records.emplace(key, value);
      return true;
    }));
    return records;
  }
  ServiceWorld world_;
};

TEST_F(PinnedStoresTest, BothShowWhatWasWrittenBeforeAndNothingAfter) {
  world_.Open();
  Must(world_.Put("users", "a", "1"));

  const PinnedStores pinned = Must(world_.service->PinStores(kWaitMax));
  Must(world_.Put("users", "a", "2"));

  EXPECT_EQ(pinned.sequence, 1u);
  for (const Role role : kRoles) {
    ASSERT_NE(pinned.view(role), nullptr);
    EXPECT_EQ(ReadAll(*pinned.view(role), "users"), (Records{{"a", "1"}}));
    EXPECT_EQ(Must(pinned.view(role)->State()).applied_sequence, 1u);
  }
  EXPECT_EQ(world_.Get("users", "a"), "2") << "readers see what is written meanwhile";
}

TEST_F(PinnedStoresTest, StoresGoOnOnceItIsGone) {
  world_.Open();
  {
    const PinnedStores pinned = Must(world_.service->PinStores(kWaitMax));
    Must(world_.Put("users", "a", "1"));
    EXPECT_TRUE(FailsWith(world_.service->PinStores(kWaitMax), ErrorCode::kConflict));
  }

  world_.Drain();
  EXPECT_EQ(Must(world_.service->PinStores(kWaitMax)).sequence, 1u);
}

TEST_F(PinnedStoresTest, WritersAreNotHeldUpByALongCopy) {
  world_.options.memtable_record_count_max = 4096;
  world_.Open();
  const PinnedStores pinned = Must(world_.service->PinStores(kWaitMax));

  const Collection& users = world_.collection("users");
  for (int batch = 0; batch < 20; ++batch) {
    Must(world_.service->Write([&](Transaction& transaction) -> Status {
      for (int i = 0; i < 500; ++i)
        SB_RETURN_IF_ERROR(transaction.Put(users, std::to_string(batch * 500 + i), "v"));
      return {};
    }));
  }

  EXPECT_TRUE(ReadAll(*pinned.view(Role::kLegacy), "users").empty());
  EXPECT_TRUE(ReadAll(*pinned.view(Role::kUnified), "users").empty());
}

TEST_F(PinnedStoresTest, WhoeverWaitsForTheStoresGetsThemEarlier) {
  world_.Open();
  const PinnedStores pinned = Must(world_.service->PinStores(kWaitMax));
  Must(world_.Put("users", "a", "1"));

  EXPECT_TRUE(test::IsOk(world_.service->Drain(kWaitMax)));
}

TEST_F(PinnedStoresTest, BothHalvesAreEqualUnderRandomWriters) {
  world_.options.memtable_record_count_max = 2048;
  world_.Open();
  std::atomic<bool> is_done{false};
  std::vector<std::thread> writers;
  for (unsigned seed = 0; seed < 3; ++seed) {
    writers.emplace_back([&, seed] {
      std::mt19937 random(seed);
      while (!is_done) {
        const std::string key = std::to_string(random() % 200);
        const std::string name = random() % 2 == 0 ? "a" : "b";
        Must(random() % 4 == 0 ? world_.Delete(name, key)
                               : world_.Put(name, key, std::to_string(random())));
      }
    });
  }

  std::uint64_t last = 0;
  for (int round = 0; round < 30; ++round) {
    EXPECT_TRUE(
        test::Eventually([&] { return world_.service->GetStatus().last_sequence > last + 10; }));
    const PinnedStores pinned = Must(world_.service->PinStores(kWaitMax));
    for (const char* name : {"a", "b"}) {
      EXPECT_EQ(ReadAll(*pinned.view(Role::kLegacy), name),
                ReadAll(*pinned.view(Role::kUnified), name))
          << "at batch " << pinned.sequence;
    }
    for (const Role role : kRoles)
      EXPECT_EQ(Must(pinned.view(role)->State()).applied_sequence, pinned.sequence);
    last = pinned.sequence;
  }

  is_done = true;
  for (std::thread& writer : writers) writer.join();
}

TEST_F(PinnedStoresTest, StoreThatIsNotInServiceIsLeftOutWithTheReason) {
  world_.Open();
  Must(world_.Put("users", "a", "1"));
  Must(world_.service->ClearStore(Role::kUnified, "for a test", kWaitMax));

  const PinnedStores pinned = Must(world_.service->PinStores(kWaitMax));

  EXPECT_NE(pinned.view(Role::kLegacy), nullptr);
  EXPECT_EQ(pinned.view(Role::kUnified), nullptr);
  EXPECT_NE(pinned.absences[Index(Role::kUnified)].find("detached"), std::string::npos);
}

TEST_F(PinnedStoresTest, FailureLetsTheStoresGoOn) {
  world_.Open();
  {
    const test::ScopedFailpoints failpoints("service.pin=error");
    EXPECT_TRUE(FailsWith(world_.service->PinStores(kWaitMax), ErrorCode::kIo));
  }

  Must(world_.Put("users", "a", "1"));
  world_.Drain();
  EXPECT_TRUE(test::IsOk(world_.service->PinStores(kWaitMax)));
}

}  // namespace
}  // namespace switchback
