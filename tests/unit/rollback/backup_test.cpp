// Backups of a whole service: made, verified, exported, interrupted.
#include <gtest/gtest.h>

#include <thread>

#include "backends/store_file.hpp"
#include "tests/unit/rollback/backup_world.hpp"

namespace switchback {
namespace {

using test::BackupWorld;
using test::FailsWith;
using test::IsOk;
using test::Must;

namespace fs = std::filesystem;

class BackupTest : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    world_.options.is_compressed = GetParam();
    world_.Open();
    world_.Fill();
  }
  BackupWorld world_;
};

TEST_P(BackupTest, BothHalvesHoldTheSameAtOneBatch) {
  const std::string id = world_.Create();

  const BackupEntry entry = Must(world_.manager->directory().Load(id));
  ASSERT_TRUE(entry.manifest) << entry.damage;
  EXPECT_TRUE(entry.is_verified());
  EXPECT_EQ(entry.manifest->sequence, 3u);
  ASSERT_EQ(entry.manifest->halves.size(), 2u);
  EXPECT_EQ(entry.manifest->halves[0].collections, entry.manifest->halves[1].collections);
  ASSERT_EQ(entry.manifest->halves[0].collections.size(), 3u);
  EXPECT_EQ(entry.manifest->halves[0].collections[2].name, "users");
  EXPECT_EQ(entry.manifest->halves[0].collections[2].record_count, 200u);
  EXPECT_TRUE(entry.manifest->differences.empty());
  EXPECT_EQ(fs::status(world_.File(id, "")).permissions(), fs::perms::owner_all);
  for (const auto& file : fs::directory_iterator(world_.File(id, "")))
    EXPECT_EQ(file.status().permissions(), fs::perms::owner_read | fs::perms::owner_write)
        << file.path();
}

TEST_P(BackupTest, OneThatIsWholeIsVerified) {
  const std::string id = world_.Create();

  for (const bool is_full : {false, true}) {
    const BackupVerdict verdict = world_.Verify(id, is_full);
    EXPECT_TRUE(verdict.is_ok()) << verdict.problems.front();
    EXPECT_EQ(verdict.is_full, is_full);
  }
  EXPECT_EQ(Must(world_.manager->directory().List()).size(), 1u);
  EXPECT_EQ(std::distance(fs::directory_iterator(world_.options.directory), {}), 1)
      << "nothing is left of the verification";
}

// Every page of each file has its own bytes: a bit in each stretch of 509 bytes.
TEST_P(BackupTest, AnyFlippedBitInAnyFileIsFound) {
  const std::string id = world_.Create();
  int flip_count = 0;
  for (const auto& file : fs::directory_iterator(world_.File(id, ""))) {
    const std::string path = file.path().string();
    const std::uint64_t size = fs::file_size(path);
    const std::uint64_t stride = size < 20000 ? 37 : 4093;
    for (std::uint64_t byte = 0; byte < size; byte += stride) {
      const int bit = static_cast<int>(byte % 8);
      test::FlipBit(path, byte, bit);
      EXPECT_FALSE(world_.Verify(id, false).is_ok()) << path << " byte " << byte;
      test::FlipBit(path, byte, bit);
      ++flip_count;
    }
  }
  EXPECT_GT(flip_count, 50);
  EXPECT_TRUE(world_.Verify(id, true).is_ok());
}

TEST_P(BackupTest, MissingCutAndForeignFilesAreFound) {
  const std::string id = world_.Create();
  const std::string file = world_.File(id, GetParam() ? "legacy.mdb.zst" : "legacy.mdb");
  const auto size = fs::file_size(file);

  std::ofstream(world_.File(id, "extra")) << "x";
  EXPECT_FALSE(world_.Verify(id, false).is_ok());
  fs::remove(world_.File(id, "extra"));
  EXPECT_TRUE(world_.Verify(id, false).is_ok());
  fs::resize_file(file, size - 1);
  EXPECT_FALSE(world_.Verify(id, false).is_ok());
  fs::resize_file(file, size + 4096);
  EXPECT_FALSE(world_.Verify(id, false).is_ok());
  fs::remove(file);
  EXPECT_FALSE(world_.Verify(id, false).is_ok());
  fs::create_symlink(world_.File(id, "MANIFEST.json"), file);
  EXPECT_FALSE(world_.Verify(id, false).is_ok());
}

TEST_P(BackupTest, ExportIsTwoOrdinaryStores) {
  const std::string id = world_.Create();
  const std::string to = world_.dir.File("out");
  BackupProgress progress(world_.clock, 0);

  Must(ExportBackup(world_.manager->directory(), id, to, progress));

  const auto legacy =
      Must(InspectStoreFile("lmdb", to + "/legacy/data.mdb", StoreFileCheck::kThorough, {}));
  const auto unified =
      Must(InspectStoreFile("sqlite", to + "/unified.sqlite", StoreFileCheck::kThorough, {}));
  EXPECT_EQ(legacy.collections, unified.collections);
  EXPECT_EQ(legacy.collections.size(), 3u);
  EXPECT_EQ(legacy.state, unified.state);
  EXPECT_TRUE(
      FailsWith(ExportBackup(world_.manager->directory(), id, to, progress), ErrorCode::kConflict));
}

TEST_P(BackupTest, WritersGoOnMeanwhile) {
  std::atomic<bool> is_done{false};
  std::thread writer([&] {
    for (int i = 0; !is_done; ++i) world_.Put("users", std::to_string(i % 300), std::to_string(i));
  });

  for (int round = 0; round < 5; ++round) {
    const auto entry = Must(world_.manager->directory().Load(world_.Create()));
    ASSERT_TRUE(entry.manifest);
    EXPECT_TRUE(entry.manifest->differences.empty());
  }

  is_done = true;
  writer.join();
}

TEST_P(BackupTest, AFailureAtAnyStepLeavesNothing) {
  std::vector<std::string> points{"backup.space",   "backup.begin",    "backup.pin",
                                  "service.pin",    "backup.copy",     "lmdb.copy",
                                  "backup.copied",  "backup.check",    "backup.sync",
                                  "backup.compare", "backup.manifest", "backup.rename"};
  if (GetParam()) points.push_back("backup.compress");
  for (const std::string& point : points) {
    const test::ScopedFailpoints failpoints(point + "=error");

    EXPECT_FALSE(world_.Create(world_.manager->NewRequest()).has_value()) << point;

    EXPECT_TRUE(fs::is_empty(world_.options.directory)) << point;
  }
  world_.Put("users", "later", "1");
  EXPECT_EQ(Must(world_.manager->directory().Load(world_.Create())).manifest->sequence, 4u);
}

INSTANTIATE_TEST_SUITE_P(Compression, BackupTest, testing::Bool(),
                         [](const auto& one) { return one.param ? "Zstd" : "Plain"; });

class BackupManagerTest : public ::testing::Test {
 protected:
  BackupWorld world_;
};

TEST_F(BackupManagerTest, TwoAtOnceAreRefusedWithTheNameOfTheFirst) {
  world_.Open();
  const test::ScopedFailpoints failpoints("backup.pin=delay:300");
  const std::string first = Must(world_.manager->Create(world_.manager->NewRequest()));

  const auto second = world_.manager->Create(world_.manager->NewRequest());

  ASSERT_TRUE(FailsWith(second, ErrorCode::kRefused));
  EXPECT_NE(second.error().message.find(first), std::string::npos);
  EXPECT_TRUE(FailsWith(world_.manager->Delete(first, "me"), ErrorCode::kNotFound));
  EXPECT_FALSE(world_.Finished().error);
}

TEST_F(BackupManagerTest, SpaceIsAskedForFirst) {
  world_.Open();
  BackupRequest request = world_.manager->NewRequest();
  request.space_margin_bytes = UINT64_MAX / 2;

  EXPECT_TRUE(FailsWith(world_.Create(request), ErrorCode::kNoSpace));
}

TEST_F(BackupManagerTest, OneStoreOutOfServiceIsSaid) {
  world_.Open();
  world_.Fill();
  Must(world_.service->ClearStore(Role::kUnified, "test", std::chrono::seconds(60)));

  const std::string id = world_.Create();

  const auto entry = Must(world_.manager->directory().Load(id));
  ASSERT_TRUE(entry.manifest);
  EXPECT_EQ(entry.manifest->halves.size(), 1u);
  EXPECT_NE(entry.manifest->absences.at("unified").find("detached"), std::string::npos);
  EXPECT_TRUE(world_.Verify(id, true).is_ok());
}

TEST_F(BackupManagerTest, DamageIsRememberedAndShown) {
  world_.Open();
  const std::string id = world_.Create();
  test::FlipBit(world_.File(id, "unified.sqlite"), 5000, 3);

  Must(world_.manager->Verify(id, false, "me"));

  const BackupOperation operation = world_.Finished();
  ASSERT_TRUE(operation.error);
  EXPECT_EQ(operation.error->code, ErrorCode::kCorruption);
  const auto entry = Must(world_.manager->directory().Load(id));
  EXPECT_FALSE(entry.is_verified());
  EXPECT_NE(entry.state.problem.find("unified.sqlite"), std::string::npos);
}

TEST_F(BackupManagerTest, PinnedOnesAreNotDeleted) {
  world_.Open();
  const std::string id = world_.Create();
  Must(world_.manager->SetPinned(id, true, "me"));

  EXPECT_TRUE(FailsWith(world_.manager->Delete(id, "me"), ErrorCode::kRefused));
  Must(world_.manager->SetPinned(id, false, "me"));
  EXPECT_TRUE(IsOk(world_.manager->Delete(id, "me")));

  EXPECT_TRUE(fs::is_empty(world_.options.directory));
  EXPECT_TRUE(FailsWith(world_.manager->Delete(id, "me"), ErrorCode::kNotFound));
}

TEST_F(BackupManagerTest, PruneDeletesWhatRetentionSays) {
  world_.options.retention.count_max = 1;
  world_.Open();
  const std::string old = world_.Create();
  world_.clock.Advance(std::chrono::seconds(2));
  const std::string recent = world_.Create();

  const auto planned = Must(world_.manager->Prune(PruneBy::kOperator, true, "me"));
  EXPECT_EQ(Must(world_.manager->directory().List()).size(), 2u) << "a dry run";
  Must(world_.manager->Prune(PruneBy::kOperator, false, "me"));

  ASSERT_EQ(planned.size(), 2u);
  EXPECT_TRUE(planned[1].goes);
  const auto left = Must(world_.manager->directory().List());
  ASSERT_EQ(left.size(), 1u);
  EXPECT_EQ(left[0].id, recent);
}

TEST_F(BackupManagerTest, LeftoversAreRemovedAtTheStart) {
  fs::create_directories(world_.options.directory + "/20260101T000000Z-0000.tmp/x");
  std::ofstream(world_.options.directory + "/20260101T000000Z-0000.tmp/legacy.mdb") << "x";

  world_.Open();

  EXPECT_TRUE(fs::is_empty(world_.options.directory));
}

TEST_F(BackupManagerTest, OnesAreMadeOnTime) {
  world_.options.interval = std::chrono::hours(24);
  world_.Open();  // there is none yet
  while (Must(world_.manager->directory().List()).empty()) std::this_thread::yield();
  world_.Finished();

  world_.clock.Advance(std::chrono::hours(25));
  while (Must(world_.manager->directory().List()).size() < 2) std::this_thread::yield();

  const auto entries = Must(world_.manager->directory().List());
  EXPECT_EQ(entries[0].manifest->reason, BackupReason::kScheduled);
}

TEST_F(BackupManagerTest, ItsEndIsInTheJournal) {
  world_.Open();
  BackupRequest request = world_.manager->NewRequest();
  request.actor = "me";
  request.note = "before the release";
  Must(world_.Create(request));

  const auto operations = Must(world_.journal->Operations("backup", 10));
  ASSERT_EQ(operations.size(), 1u);
  EXPECT_EQ(operations[0].status, "done");
  EXPECT_EQ(operations[0].reason, "before the release");
}

TEST_F(BackupManagerTest, StoppingCancelsWhatRuns) {
  world_.options.bytes_per_second = 1;
  world_.Open();
  world_.Fill();
  Must(world_.manager->Create(world_.manager->NewRequest()));

  world_.manager->Stop();

  EXPECT_EQ(world_.manager->Operation()->error->code, ErrorCode::kCancelled);
  EXPECT_TRUE(fs::is_empty(world_.options.directory));
}

}  // namespace
}  // namespace switchback
