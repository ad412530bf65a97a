// Restores of a whole service: planned, done, undone, refused, cut off.
#include "rollback/restore.hpp"

#include <gtest/gtest.h>

#include <set>
#include <thread>

#include "backends/sqlite_handles.hpp"
#include "backends/store_file.hpp"
#include "migration/backfill.hpp"
#include "tests/unit/rollback/backup_world.hpp"

namespace switchback {
namespace {

using test::BackupWorld;
using test::FailsWith;
using test::FlipBit;
using test::IsOk;
using test::Must;
using test::ScopedFailpoints;

namespace fs = std::filesystem;

class RestoreTest : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    world_.options.is_compressed = GetParam();
    world_.Open();
    world_.Fill();
  }
  std::string Get(const std::string& name, const std::string& key) {
    const auto session = world_.service->NewSession();
    const auto value = Must(session->Get(*Must(world_.service->catalog().Intern(name)), key));
    std::string copy = value ? std::string(*value) : "(none)";
    session->EndTurn();
    return copy;
  }
  Status Run(RestoreRequest request) {
    request.actor = "test";
    SB_RETURN_IF_ERROR(world_.manager->BeginRestore(std::move(request)));
    const BackupOperation ended = world_.Finished();
    return ended.error ? Status(Fail(*ended.error)) : Status{};
  }
  Status Restore(const std::string& id) { return Run({.id = id}); }
  std::string Generation() { return world_.service->GetStatus().generation; }
  std::size_t GenerationCount() {
    std::size_t count = 0;
    for (const auto& entry : fs::directory_iterator(world_.dir.File("data")))
      count += entry.path().filename().string().rfind("gen-", 0) == 0 ? 1 : 0;
    return count;
  }
  BackupWorld world_;
};

TEST_P(RestoreTest, BringsBackWhatWasThereAndKeepsTheWayBack) {
  const std::string id = world_.Create();
  world_.Put("users", "1", "later");
  world_.Put("new", "n", "later");

  ASSERT_TRUE(IsOk(Restore(id)));

  EXPECT_EQ(Get("users", "1"), std::string(100, 'u'));
  EXPECT_EQ(Get("new", "n"), "(none)");
  EXPECT_EQ(Get("large", "l").size(), 70000u);
  EXPECT_EQ(world_.service->GetStatus().previous_generation, "gen-1");
  std::multiset<BackupReason> reasons;
  for (const BackupEntry& entry : Must(world_.manager->directory().List()))
    reasons.insert(entry.manifest->reason);
  EXPECT_EQ(reasons, (std::multiset{BackupReason::kManual, BackupReason::kBeforeRestore}));
}

TEST_P(RestoreTest, UndoAndItsUndoGoBackAndForth) {
  const std::string id = world_.Create();
  world_.Put("users", "1", "later");
  ASSERT_TRUE(IsOk(Restore(id)));
  world_.Put("users", "1", "after the restore");

  ASSERT_TRUE(IsOk(Run({})));
  EXPECT_EQ(Get("users", "1"), "later");
  ASSERT_TRUE(IsOk(Run({})));
  EXPECT_EQ(Get("users", "1"), "after the restore");
  ASSERT_TRUE(IsOk(Run({})));
  EXPECT_EQ(Get("users", "1"), "later");
  EXPECT_LE(GenerationCount(), 4u) << "what is of no use any more is removed";
}

TEST_P(RestoreTest, PlanSaysWhatWouldBeLost) {
  const std::string id = world_.Create();
  for (int i = 0; i < 5; ++i) world_.Put("users", "1", "later");

  const RestorePlan plan = Must(world_.manager->PlanRestore({.id = id}));

  EXPECT_EQ(plan.batches_lost, 5u);
  EXPECT_EQ(plan.generation, "gen-1");
  EXPECT_FALSE(plan.steps.empty());
  ASSERT_FALSE(plan.warnings.empty());
  EXPECT_NE(plan.warnings[0].find("5 batches"), std::string::npos);
  EXPECT_EQ(Generation(), "gen-1");
}

TEST_P(RestoreTest, OneHalfMakesBoth) {
  const auto digests = [&](Role of) {
    const auto view = Must(world_.service->fill_access().NewStoreView(of));
    Must(view->Begin());
    return Must(DigestCollections(*view, world_.service->catalog(),
                                  [](std::uint64_t) { return Status{}; }));
  };
  for (const Role role : kRoles) {
    SCOPED_TRACE(RoleName(role));
    const std::string id = world_.Create();
    const std::string before = Get("users", "1");
    const auto manifest = *Must(world_.manager->directory().Load(id)).manifest;
    fs::remove(world_.File(id, manifest.half(Other(role))->FileName()));
    world_.Put("users", "1", "later");
    EXPECT_TRUE(FailsWith(Restore(id), ErrorCode::kNotFound)) << "a half is missing";

    ASSERT_TRUE(IsOk(Run({.id = id, .from = role})));

    EXPECT_EQ(Get("users", "1"), before);
    EXPECT_EQ(digests(Role::kLegacy), digests(Role::kUnified));
    EXPECT_EQ(digests(Role::kLegacy), manifest.halves[0].collections);
  }
}

TEST_P(RestoreTest, StoreOfSomeCollectionsComesBackAsOne) {
  DbService& service = *world_.service;
  Must(service.ForgetStore(Role::kUnified, "a test", std::chrono::minutes(1)));
  BackfillOptions fill;
  fill.collections = {"users"};
  Must(service.StartFill(
      Role::kUnified, FillMode::kFromScratch,
      std::make_unique<Backfill>(service.fill_access(), fill,
                                 std::make_shared<BackfillProgress>(world_.clock))));
  const auto unified = [&] { return service.GetStatus().followers[Index(Role::kUnified)]; };
  while (unified().state != FollowerState::kInSync) std::this_thread::yield();

  const std::string id = world_.Create();
  EXPECT_TRUE(Must(world_.manager->directory().Load(id)).manifest->differences.empty());
  world_.Put("users", "1", "later");
  world_.Put("large", "l", "later");
  EXPECT_TRUE(FailsWith(Run({.id = id, .from = Role::kUnified}), ErrorCode::kRefused));
  ASSERT_TRUE(IsOk(Restore(id)));

  EXPECT_EQ(unified().collections, std::vector<std::string>{"users"});
  EXPECT_EQ(Get("large", "l").size(), 70000u);
  ASSERT_TRUE(IsOk(Run({.id = id, .from = Role::kLegacy})));
  EXPECT_TRUE(unified().collections.empty()) << "made from the one that holds all";
}

TEST_P(RestoreTest, DamageIsFoundBeforeAnythingIsTouched) {
  const std::string id = world_.Create();
  world_.Put("users", "1", "later");
  const auto halves = Must(world_.manager->directory().Load(id)).manifest->halves;
  for (const BackupHalf& half : halves) {
    SCOPED_TRACE(half.FileName());
    FlipBit(world_.File(id, half.FileName()), half.bytes / 2, 3);
    EXPECT_TRUE(FailsWith(Restore(id), ErrorCode::kCorruption));
    FlipBit(world_.File(id, half.FileName()), half.bytes / 2, 3);
  }

  EXPECT_EQ(Generation(), "gen-1");
  EXPECT_EQ(Get("users", "1"), "later");
  EXPECT_EQ(GenerationCount(), 1u) << "nothing is left of the attempts";
}

TEST_P(RestoreTest, AfterAnErrorAtAnyStepEverythingIsAsBefore) {
  const std::string id = world_.Create();
  world_.Put("users", "1", "later");
  for (const char* point :
       {"restore.safety", "restore.unpack", "restore.built", "restore.switch", "service.switch",
        "directory.current@1", "directory.switched@1", "backup.copy"}) {
    SCOPED_TRACE(point);
    const std::string name = std::string(point).substr(0, std::string(point).find('@'));
    const std::string hit = std::string(point).substr(name.size());
    {
      const ScopedFailpoints failing(name + "=error" + hit);
      EXPECT_FALSE(Restore(id).has_value());
    }
    EXPECT_EQ(Generation(), "gen-1");
    EXPECT_EQ(Get("users", "1"), "later");
    EXPECT_EQ(GenerationCount(), 1u);
    world_.Put("users", "2", point);
    EXPECT_EQ(Get("users", "2"), point);
  }
  ASSERT_TRUE(IsOk(Restore(id)));
  EXPECT_EQ(Get("users", "1"), std::string(100, 'u'));
}

TEST_P(RestoreTest, WhatCannotBeMeantIsRefused) {
  EXPECT_TRUE(FailsWith(Run({}), ErrorCode::kNotFound)) << "nothing to undo";
  EXPECT_TRUE(FailsWith(Restore("20200101T000000Z-0000"), ErrorCode::kNotFound));
  EXPECT_TRUE(FailsWith(Restore("../../etc"), ErrorCode::kInvalidArgument));
  const std::string id = world_.Create();
  BackupWorld other;
  other.options.directory = world_.options.directory;
  other.Open();
  other.Put("users", "1", "of the other");
  EXPECT_TRUE(FailsWith(other.manager->BeginRestore({.id = id}), ErrorCode::kRefused));

  Must(other.manager->BeginRestore({.id = id, .is_foreign_allowed = true}));
  EXPECT_FALSE(other.Finished().error);
  EXPECT_EQ(Must(other.service->CollectionNames()),
            (std::vector<std::string>{"large", "main", "users"}));
}

// SQLite replays whatever valid -wal lies beside a file that it opens.
TEST_P(RestoreTest, AStaleWalDoesNotComeBackFromTheDead) {
  Must(world_.service->Drain(std::chrono::minutes(1)));
  const std::string id = world_.Create();
  const std::string store = world_.dir.File("stranger.sqlite");
  fs::copy_file(world_.dir.File("data/gen-1/unified.sqlite"), store);
  const SqliteHandle database = Must(OpenSqliteWriter({.path = store}));
  Must(ExecuteSqlite(database.get(), "CREATE TABLE stranger(x)"));
  ASSERT_GT(fs::file_size(store + "-wal"), 0u);
  fs::create_directories(world_.dir.File("data/gen-2"));
  for (const std::string& place :
       {world_.File(id, "unified.sqlite"), world_.dir.File("data/gen-2/unified.sqlite"),
        world_.dir.File("data/gen-3/unified.sqlite")}) {
    if (fs::exists(fs::path(place).parent_path())) fs::copy_file(store + "-wal", place + "-wal");
  }

  ASSERT_TRUE(IsOk(Restore(id)));

  const std::string path = world_.service->GetStatus().followers[Index(Role::kUnified)].path;
  const SqliteHandle restored = Must(OpenSqliteReader({.path = path}));
  EXPECT_FALSE(ExecuteSqlite(restored.get(), "SELECT * FROM stranger").has_value());
  EXPECT_EQ(Get("users", "1"), std::string(100, 'u'));
}

TEST_P(RestoreTest, ClientsGoOnMeanwhile) {
  const std::string id = world_.Create();
  std::atomic<bool> is_over{false};
  std::atomic<int> failures{0};
  std::thread client([&] {
    const Collection& users = *Must(world_.service->catalog().Intern("users"));
    const auto session = world_.service->NewSession();
    for (int i = 0; !is_over; ++i) {
      if (!world_.service->Put(users, "live", std::to_string(i))) ++failures;
      const auto value = session->Get(users, "7");
      if (!value || !*value) ++failures;
      session->EndTurn();
    }
  });
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(IsOk(Restore(id)));
  is_over = true;
  client.join();
  EXPECT_EQ(failures, 0);
}

INSTANTIATE_TEST_SUITE_P(Plain, RestoreTest, ::testing::Values(false));
INSTANTIATE_TEST_SUITE_P(Compressed, RestoreTest, ::testing::Values(true));

}  // namespace
}  // namespace switchback
