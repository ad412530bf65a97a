// Backups to a target and back: interrupted at every step, damaged, lied about.
#include "rollback/backup_transfer.hpp"

#include <gtest/gtest.h>

#include <functional>

#include "tests/unit/rollback/target_world.hpp"

namespace switchback {
namespace {

using test::Content;
using test::FailsWith;
using test::IsOk;
using test::Must;
using test::TargetWorld;

namespace fs = std::filesystem;

class BackupTransferTest : public ::testing::TestWithParam<bool> {
 protected:
  [[nodiscard]] std::string LegacyName() const {
    return GetParam() ? "legacy.mdb.zst" : "legacy.mdb";
  }
  // Nothing came here, and nothing is left of the attempt.
  void ExpectNothingHere() const { EXPECT_TRUE(fs::is_empty(world_.options.directory)); }
  // Puts another manifest in the place of the one that is there.
  void WriteRemoteManifest(const std::string& id, const std::string& text) {
    std::ofstream(world_.RemoteFile(id, "MANIFEST.json"), std::ios::binary) << text;
  }
  BackupManifest RemoteManifest(const std::string& id) {
    return Must(ParseManifest(Content(world_.RemoteFile(id, "MANIFEST.json"))));
  }

  TargetWorld world_{GetParam()};
};

TEST_P(BackupTransferTest, WhatWasUploadedComesBackAsItWas) {
  const std::string id = world_.Create();
  const BackupManifest before = *Must(world_.manager->directory().Load(id)).manifest;

  ASSERT_TRUE(IsOk(world_.Upload(id)));
  EXPECT_EQ(world_.RemoteIds(), std::vector{id});
  Must(world_.manager->directory().Remove(id));
  ASSERT_TRUE(IsOk(world_.Download(id)));

  const BackupEntry entry = Must(world_.manager->directory().Load(id));
  ASSERT_TRUE(entry.manifest) << entry.damage;
  EXPECT_TRUE(entry.is_verified());
  EXPECT_EQ(WriteManifest(*entry.manifest), WriteManifest(before));
  EXPECT_TRUE(world_.Verify(id, true).is_ok());
  EXPECT_EQ(std::distance(fs::directory_iterator(world_.options.directory), {}), 1);
  for (const auto& file : fs::directory_iterator(world_.File(id, "")))
    EXPECT_EQ(file.status().permissions(), fs::perms::owner_read | fs::perms::owner_write);
}

TEST_P(BackupTransferTest, AnUploadThatEndsAtAnyStepIsNotThereAndIsGoneOnWith) {
  const std::string id = world_.Create();
  for (const std::string point :
       {"upload.file", "upload.file@2", "target.put", "target.put@2", "target.sync",
        "target.sync@2", "upload.state", "target.text", "upload.check", "upload.publish",
        "target.text@2", "target.publish", "backup.rename"}) {
    const auto at = point.find('@');
    {
      const test::ScopedFailpoints failpoints(point.substr(0, at) + "=error" +
                                              (at == std::string::npos ? "" : point.substr(at)));
      EXPECT_FALSE(world_.Upload(id).has_value()) << point;
    }
    EXPECT_TRUE(world_.RemoteIds().empty()) << point;
    EXPECT_TRUE(FailsWith(world_.Download(id), ErrorCode::kConflict)) << point;
    if (point.size() % 2 == 0) continue;  // the next one meets what this one has left
    ASSERT_TRUE(IsOk(world_.Upload(id))) << point;
    EXPECT_EQ(world_.RemoteIds(), std::vector{id}) << point;
    BackupProgress progress(world_.clock, 0);
    Must(Must(world_.options.open_target())->Remove(id, progress));
    EXPECT_TRUE(fs::is_empty(world_.target_path));
  }
}

TEST_P(BackupTransferTest, WhatIsThereAlreadyIsNotWrittenAgain) {
  const std::string id = world_.Create();
  {
    const test::ScopedFailpoints failpoints("upload.publish=error");
    EXPECT_FALSE(world_.Upload(id).has_value());
  }
  const std::string there = world_.target_path + "/" + id + ".tmp/" + LegacyName();
  const auto long_ago = fs::file_time_type::clock::now() - std::chrono::hours(100);
  fs::last_write_time(there, long_ago);

  ASSERT_TRUE(IsOk(world_.Upload(id)));

  EXPECT_EQ(fs::last_write_time(world_.RemoteFile(id, LegacyName())), long_ago);
}

TEST_P(BackupTransferTest, WhatAnInterruptedUploadLeftIsNotTrusted) {
  const std::string id = world_.Create();
  {
    const test::ScopedFailpoints failpoints("upload.publish=error");
    EXPECT_FALSE(world_.Upload(id).has_value());
  }
  const std::string there = world_.target_path + "/" + id + ".tmp/" + LegacyName();
  test::FlipBit(there, 5, 1);
  std::ofstream(there, std::ios::app) << "and more";

  ASSERT_TRUE(IsOk(world_.Upload(id)));

  EXPECT_EQ(Content(world_.RemoteFile(id, LegacyName())), Content(world_.File(id, LegacyName())));
}

TEST_P(BackupTransferTest, UploadedTwiceIsFineAndAnotherOfItsNameIsNot) {
  const std::string id = world_.Create();
  ASSERT_TRUE(IsOk(world_.Upload(id)));
  Must(world_.manager->SetPinned(id, true, "test"));
  EXPECT_TRUE(IsOk(world_.Upload(id)));

  fs::resize_file(world_.RemoteFile(id, LegacyName()), 3);
  EXPECT_TRUE(FailsWith(world_.Upload(id), ErrorCode::kCorruption));
  fs::remove(world_.RemoteFile(id, LegacyName()));
  EXPECT_TRUE(FailsWith(world_.Upload(id), ErrorCode::kCorruption));
  BackupManifest other = RemoteManifest(id);
  other.note = "another";
  WriteRemoteManifest(id, WriteManifest(other));
  EXPECT_TRUE(FailsWith(world_.Upload(id), ErrorCode::kConflict));
}

TEST_P(BackupTransferTest, WhatIsDamagedHereIsNotUploaded) {
  const std::string id = world_.Create();
  test::FlipBit(world_.File(id, LegacyName()), 100, 3);
  EXPECT_TRUE(FailsWith(world_.Upload(id), ErrorCode::kCorruption));
  EXPECT_TRUE(world_.RemoteIds().empty());
  fs::resize_file(world_.File(id, LegacyName()), 50);
  EXPECT_TRUE(FailsWith(world_.Upload(id), ErrorCode::kCorruption));
  test::FlipBit(world_.File(id, "MANIFEST.json"), 100, 3);
  EXPECT_TRUE(FailsWith(world_.Upload(id), ErrorCode::kCorruption));
  EXPECT_TRUE(world_.RemoteIds().empty());
}

TEST_P(BackupTransferTest, ADownloadThatEndsAtAnyStepLeavesNothing) {
  const std::string id = world_.CreateRemote();
  for (const std::string point :
       {"download.file", "download.file@2", "target.get", "target.get@2", "backup.begin",
        "backup.sync", "backup.rename", "download.verify", "backup.verify", "backup.adopt"}) {
    const auto at = point.find('@');
    const test::ScopedFailpoints failpoints(point.substr(0, at) + "=error" +
                                            (at == std::string::npos ? "" : point.substr(at)));

    EXPECT_FALSE(world_.Download(id).has_value()) << point;

    ExpectNothingHere();
  }
  EXPECT_TRUE(IsOk(world_.Download(id)));
}

TEST_P(BackupTransferTest, AnyFlippedBitAtTheTargetIsFound) {
  const std::string id = world_.CreateRemote();
  for (const std::string& name : {LegacyName(), std::string("MANIFEST.json")}) {
    const std::string path = world_.RemoteFile(id, name);
    for (const std::uint64_t byte :
         {std::uint64_t{0}, fs::file_size(path) / 2, fs::file_size(path) - 1}) {
      test::FlipBit(path, byte, 2);
      EXPECT_TRUE(FailsWith(world_.Download(id), ErrorCode::kCorruption)) << name << " " << byte;
      ExpectNothingHere();
      test::FlipBit(path, byte, 2);
    }
  }
  EXPECT_TRUE(IsOk(world_.Download(id)));
}

TEST_P(BackupTransferTest, CutLongerMissingAndLinkedFilesAreRefused) {
  const std::string id = world_.CreateRemote();
  const std::string path = world_.RemoteFile(id, LegacyName());
  const std::string content = Content(path);

  fs::resize_file(path, content.size() - 1);
  EXPECT_TRUE(FailsWith(world_.Download(id), ErrorCode::kCorruption));
  fs::resize_file(path, content.size() + 1);
  EXPECT_TRUE(FailsWith(world_.Download(id), ErrorCode::kCorruption));
  fs::remove(path);
  EXPECT_TRUE(FailsWith(world_.Download(id), ErrorCode::kNotFound));
  std::ofstream(world_.dir.File("elsewhere"), std::ios::binary) << content;
  fs::create_symlink(world_.dir.File("elsewhere"), path);
  EXPECT_TRUE(FailsWith(world_.Download(id), ErrorCode::kRefused));
  ExpectNothingHere();
}

TEST_P(BackupTransferTest, AManifestThatLiesIsFoundOut) {
  const std::string id = world_.CreateRemote();
  const BackupManifest honest = RemoteManifest(id);
  const auto expect = [&](ErrorCode code, const std::function<void(BackupManifest&)>& change) {
    BackupManifest lie = honest;
    change(lie);
    WriteRemoteManifest(id, WriteManifest(lie));
    EXPECT_TRUE(FailsWith(world_.Download(id), code));
    ExpectNothingHere();
  };

  expect(ErrorCode::kCorruption, [](BackupManifest& lie) { lie.id = "another"; });
  expect(ErrorCode::kCorruption, [](BackupManifest& lie) { lie.sequence += 1; });
  expect(ErrorCode::kCorruption, [](BackupManifest& lie) { lie.log_id = "other"; });
  expect(ErrorCode::kCorruption, [](BackupManifest& lie) { lie.halves[0].sha256[0] ^= 1; });
  expect(ErrorCode::kCorruption,
         [](BackupManifest& lie) { lie.halves[0].collections[0].record_count += 1; });
  expect(ErrorCode::kCorruption, [](BackupManifest& lie) { lie.halves[0].bytes += 1; });
  expect(ErrorCode::kNoSpace, [](BackupManifest& lie) { lie.halves[0].bytes = ~std::uint64_t{0}; });
  expect(ErrorCode::kNoSpace, [](BackupManifest& lie) {
    for (BackupHalf& half : lie.halves) half.bytes = std::uint64_t{1} << 63;
  });
  WriteRemoteManifest(id, std::string(kManifestBytesMax + 1, ' '));
  EXPECT_TRUE(FailsWith(world_.Download(id), ErrorCode::kTooLarge));
  WriteRemoteManifest(id, "");
  EXPECT_TRUE(FailsWith(world_.Download(id), ErrorCode::kCorruption));
  ExpectNothingHere();
}

TEST_P(BackupTransferTest, WhatIsNotThereIsNotFoundAndNamesAreChecked) {
  EXPECT_TRUE(FailsWith(world_.Download("nothing"), ErrorCode::kNotFound));
  EXPECT_TRUE(FailsWith(world_.Upload("nothing"), ErrorCode::kNotFound));
  for (const std::string id : {"..", "../x", "a/b", "", ".incoming", "x.tmp"}) {
    EXPECT_TRUE(FailsWith(world_.Download(id), ErrorCode::kInvalidArgument)) << id;
    EXPECT_TRUE(FailsWith(world_.Upload(id), ErrorCode::kInvalidArgument)) << id;
  }
  ExpectNothingHere();
}

TEST_P(BackupTransferTest, ACancelledOneEnds) {
  const std::string id = world_.Create();
  BackupProgress progress(world_.clock, 0);
  progress.Cancel();

  EXPECT_TRUE(FailsWith(
      UploadBackup(world_.manager->directory(), id, *Must(world_.options.open_target()), progress),
      ErrorCode::kCancelled));
}

TEST_P(BackupTransferTest, DamagedOnesAreListed) {
  const std::string good = world_.CreateRemote();
  const std::string bad = world_.CreateRemote();
  test::FlipBit(world_.RemoteFile(bad, "MANIFEST.json"), 100, 1);

  const RemoteBackups remote = Must(world_.manager->ListRemote());

  ASSERT_EQ(remote.backups.size(), 2u);
  for (const RemoteBackup& backup : remote.backups)
    EXPECT_EQ(backup.manifest.has_value(), backup.id == good) << backup.damage;
}

INSTANTIATE_TEST_SUITE_P(PlainAndCompressed, BackupTransferTest, ::testing::Bool());

// --- Through the manager ---

TEST(BackupTransferManagerTest, OperationsMoveABackupAndAreJournaled) {
  TargetWorld world;
  const std::string id = world.Create();

  Must(world.manager->Upload(id, "alice"));
  const BackupOperation uploaded = world.Finished();
  EXPECT_EQ(uploaded.kind, "upload");
  EXPECT_FALSE(uploaded.error);
  EXPECT_GT(uploaded.progress.bytes_done, 0u);
  EXPECT_TRUE(FailsWith(world.manager->Download(id, "alice"), ErrorCode::kConflict));
  Must(world.manager->Delete(id, "alice"));
  Must(world.manager->Download(id, "alice"));
  EXPECT_FALSE(world.Finished().error);
  EXPECT_TRUE(Must(world.manager->directory().Load(id)).is_verified());
  Must(world.manager->DeleteRemote(id, "alice"));
  EXPECT_TRUE(world.RemoteIds().empty());
  EXPECT_TRUE(FailsWith(world.manager->DeleteRemote(id, "alice"), ErrorCode::kNotFound));

  const auto operations = Must(world.journal->Operations("backup", 10));
  ASSERT_EQ(operations.size(), 3u);
  EXPECT_EQ(operations[0].reason, "download " + id);
  EXPECT_EQ(operations[1].reason, "upload " + id);
  EXPECT_EQ(operations[1].status, "done");
}

TEST(BackupTransferManagerTest, WithoutATargetItSaysWhatToSet) {
  TargetWorld world;
  const std::string id = world.Create();
  world.options.open_target = nullptr;
  world.manager.reset();
  world.Open();

  const Status begun = world.manager->Upload(id, "alice");

  ASSERT_TRUE(FailsWith(begun, ErrorCode::kUnavailable));
  EXPECT_NE(begun.error().message.find("backup_target"), std::string::npos);
  EXPECT_TRUE(FailsWith(world.manager->ListRemote(), ErrorCode::kUnavailable));
}

TEST(BackupTransferManagerTest, ATargetThatIsAwayOrIsTheBackupsThemselvesIsRefused) {
  TargetWorld world;
  const std::string id = world.Create();

  fs::remove(world.target_path);
  EXPECT_TRUE(FailsWith(world.manager->Upload(id, "alice"), ErrorCode::kNotFound));
  EXPECT_FALSE(fs::exists(world.target_path)) << "it is never made";
  fs::create_directory_symlink(world.options.directory, world.target_path);
  EXPECT_TRUE(FailsWith(world.manager->Upload(id, "alice"), ErrorCode::kInvalidArgument));
}

// Waits for the manager's own thread, which looks twice a second.
TEST(BackupTransferManagerTest, EachBackupGoesByItselfAndIsNotForgottenWhileTheTargetIsAway) {
  TargetWorld world;
  world.options.is_uploading = true;
  world.manager.reset();
  fs::remove(world.target_path);
  world.Open();
  const std::string id = world.Create();
  while (!Must(world.journal->Load("backup-uploads"))) std::this_thread::yield();
  world.manager.reset();

  fs::create_directory(world.target_path);
  world.Open();
  while (Must(world.journal->Load("backup-uploads")) != "[]") std::this_thread::yield();

  EXPECT_EQ(world.RemoteIds(), std::vector{id});
}

TEST(BackupTransferManagerTest, TheSafetyBackupOfARestoreGoesByItselfToo) {
  TargetWorld world;
  world.options.is_uploading = true;
  world.manager.reset();
  world.Open();
  const std::string id = world.Create();
  world.clock.Advance(std::chrono::seconds(2));

  Must(world.manager->BeginRestore({.id = id}));
  EXPECT_FALSE(world.Finished().error);
  while (Must(world.journal->Load("backup-uploads")) != "[]") std::this_thread::yield();

  const auto here = Must(world.manager->directory().List());
  ASSERT_EQ(here.size(), 2u);
  EXPECT_EQ(world.RemoteIds(), (std::vector{here[0].id, here[1].id}));
}

}  // namespace
}  // namespace switchback
