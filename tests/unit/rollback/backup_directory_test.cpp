#include "rollback/backup_directory.hpp"

#include <gtest/gtest.h>
#include <zstd.h>

#include <filesystem>
#include <fstream>

#include "common/file.hpp"
#include "rollback/backup_codec.hpp"
#include "tests/support/expect_ok.hpp"
#include "tests/support/temp_dir.hpp"

namespace switchback {
namespace {

using test::FailsWith;
using test::Must;

namespace fs = std::filesystem;

class BackupDirectoryTest : public ::testing::Test {
 protected:
  const test::TempDir dir_;
  const BackupDirectory directory_ = Must(BackupDirectory::Open(dir_.File("backups")));
};

const std::vector<std::string>& HostileIds() {
  static const std::vector<std::string> kIds{"",
                                             "..",
                                             ".",
                                             "a/../b",
                                             "/etc",
                                             "../x",
                                             "a.tmp",
                                             std::string("a\0b", 3),
                                             std::string(300, 'a'),
                                             "a b",
                                             "%2e%2e"};
  return kIds;
}

TEST_F(BackupDirectoryTest, NamesThatAreNoIdsAreRefused) {
  for (const std::string& id : HostileIds()) {
    EXPECT_TRUE(FailsWith(directory_.Load(id), ErrorCode::kInvalidArgument)) << id;
    EXPECT_TRUE(FailsWith(directory_.Remove(id), ErrorCode::kInvalidArgument)) << id;
    EXPECT_TRUE(FailsWith(directory_.Begin(id), ErrorCode::kInvalidArgument)) << id;
    EXPECT_TRUE(FailsWith(directory_.OpenFile(id, "MANIFEST.json"), ErrorCode::kInvalidArgument));
    EXPECT_TRUE(FailsWith(directory_.SetState(id, {}), ErrorCode::kInvalidArgument)) << id;
  }
}

TEST_F(BackupDirectoryTest, SymbolicLinksAreNotFollowed) {
  fs::create_directories(dir_.File("elsewhere"));
  std::ofstream(dir_.File("elsewhere/MANIFEST.json")) << "secret";
  fs::create_directory_symlink(dir_.File("elsewhere"), directory_.PathOf("link"));
  fs::create_directories(directory_.PathOf("real"));
  fs::create_symlink(dir_.File("elsewhere/MANIFEST.json"),
                     directory_.PathOf("real") + "/MANIFEST.json");
  fs::create_directories(directory_.PathOf("real") + "/legacy.mdb");

  EXPECT_TRUE(FailsWith(directory_.OpenFile("link", "MANIFEST.json"), ErrorCode::kRefused));
  EXPECT_TRUE(FailsWith(directory_.OpenFile("real", "MANIFEST.json"), ErrorCode::kRefused));
  EXPECT_TRUE(FailsWith(directory_.OpenFile("real", "legacy.mdb"), ErrorCode::kRefused));
  EXPECT_TRUE(FailsWith(directory_.OpenFile("real", "../link/MANIFEST.json"), ErrorCode::kRefused));
  EXPECT_FALSE(Must(directory_.Load("real")).damage.empty());
  Must(directory_.Remove("link"));
  EXPECT_TRUE(fs::exists(dir_.File("elsewhere/MANIFEST.json"))) << "only the link is gone";
}

TEST_F(BackupDirectoryTest, WhatIsNotPublishedDoesNotCount) {
  const std::string path = Must(directory_.Begin("one"));
  EXPECT_TRUE(Must(directory_.List()).empty());

  Must(directory_.Publish("one"));

  ASSERT_EQ(Must(directory_.List()).size(), 1u);
  Must(directory_.Begin("one"));
  EXPECT_TRUE(FailsWith(directory_.Publish("one"), ErrorCode::kConflict));
  Must(directory_.RemoveLeftovers());
  EXPECT_FALSE(fs::exists(path));
}

TEST_F(BackupDirectoryTest, OneWithoutAManifestIsDamagedAndCountsAsPinned) {
  Must(directory_.Begin("one"));
  Must(directory_.Publish("one"));

  const BackupEntry entry = Must(directory_.Load("one"));

  EXPECT_FALSE(entry.manifest);
  EXPECT_FALSE(entry.damage.empty());
  EXPECT_TRUE(entry.state.is_pinned);
}

TEST_F(BackupDirectoryTest, OfTheSameSecondTheLaterBatchIsFirst) {
  const auto publish = [this](const std::string& id, std::uint64_t sequence) {
    BackupManifest manifest;
    manifest.id = id;
    manifest.sequence = sequence;
    BackupHalf half;
    half.engine = "lmdb";
    half.sha256 = half.raw_sha256 = std::string(64, '0');
    manifest.halves.push_back(half);
    const std::string path = Must(directory_.Begin(id));
    Must(WriteFileAtomically(path + "/MANIFEST.json", WriteManifest(manifest)));
    Must(directory_.Publish(id));
  };
  publish("20260101T120000Z-ffff", 1);
  publish("20260101T120000Z-0000", 2);
  publish("20260101T120001Z-8888", 0);
  publish("20260101T120000Z-7777", 3);

  std::vector<std::string> ids;
  for (const BackupEntry& entry : Must(directory_.List())) {
    EXPECT_TRUE(entry.manifest) << entry.damage;
    ids.push_back(entry.id);
  }
  EXPECT_EQ(ids, (std::vector<std::string>{"20260101T120001Z-8888", "20260101T120000Z-7777",
                                           "20260101T120000Z-0000", "20260101T120000Z-ffff"}));
}

TEST(BackupCodec, ABombIsStoppedAtTheLimit) {
  const test::TempDir dir;
  const std::string zeros(8 << 20, '\0');
  std::string packed(ZSTD_compressBound(zeros.size()), '\0');
  packed.resize(ZSTD_compress(packed.data(), packed.size(), zeros.data(), zeros.size(), 3));
  std::ofstream(dir.File("bomb"), std::ios::binary) << packed;
  const UniqueFd file = Must(OpenFile(dir.File("bomb"), 0));
  const auto step = [](std::uint64_t) { return Status{}; };

  EXPECT_TRUE(FailsWith(UnpackFile(file.get(), true, 1 << 20, dir.File("out"), step),
                        ErrorCode::kCorruption));
  EXPECT_LE(fs::file_size(dir.File("out")), 1u << 20);
  EXPECT_EQ(Must(UnpackFile(file.get(), true, 8 << 20, "", step)).raw.bytes, zeros.size());
}

TEST(BackupCodec, WhatIsCutShortIsFound) {
  const test::TempDir dir;
  std::ofstream(dir.File("raw"), std::ios::binary) << std::string(300000, 'x');
  const auto step = [](std::uint64_t) { return Status{}; };
  Must(CompressFile(dir.File("raw"), dir.File("packed"), 3, step));
  fs::resize_file(dir.File("packed"), fs::file_size(dir.File("packed")) - 1);
  const UniqueFd file = Must(OpenFile(dir.File("packed"), 0));

  EXPECT_TRUE(FailsWith(UnpackFile(file.get(), true, 300000, "", step), ErrorCode::kCorruption));
  EXPECT_TRUE(FailsWith(CheckUnpacksTo(file.get(), dir.File("raw"), step), ErrorCode::kCorruption));
}

TEST(BackupCodec, WhatWasCompressedIsComparedWithItsSource) {
  const test::TempDir dir;
  const std::string bytes(3'000'000, 'x');
  const auto write = [&dir](const std::string& content) {
    std::ofstream(dir.File("raw"), std::ios::binary) << content;
  };
  write(bytes);
  const auto step = [](std::uint64_t) { return Status{}; };
  Must(CompressFile(dir.File("raw"), dir.File("packed"), 3, step));
  const UniqueFd file = Must(OpenFile(dir.File("packed"), 0));
  const FileSum sum = Must(CheckUnpacksTo(file.get(), dir.File("raw"), step));
  EXPECT_EQ(sum, Must(UnpackFile(file.get(), true, bytes.size(), "", step)).packed);

  std::string other = bytes;
  other[2'999'999] = 'y';
  for (const std::string& different : {other, bytes + "x", bytes.substr(1), std::string()}) {
    write(different);
    EXPECT_TRUE(
        FailsWith(CheckUnpacksTo(file.get(), dir.File("raw"), step), ErrorCode::kCorruption));
  }
}

}  // namespace
}  // namespace switchback
