#include "rollback/backup_manifest.hpp"

#include <gtest/gtest.h>

#include "tests/support/expect_ok.hpp"

namespace switchback {
namespace {

using test::FailsWith;
using test::Must;

BackupManifest Sample() {
  BackupManifest manifest;
  manifest.id = "20260101T000000Z-0a1b";
  manifest.reason = BackupReason::kBeforeRestore;
  manifest.note = "a \"note\"\n\xff";
  manifest.created_at = WallTime(std::chrono::seconds(1'700'000'000));
  manifest.duration = std::chrono::milliseconds(12);
  manifest.software = "1.2.3";
  manifest.log_id = "log";
  manifest.epoch = 2;
  manifest.sequence = UINT64_MAX;
  manifest.flag_percentage = 12.345;
  BackupHalf half;
  half.engine = "lmdb";
  half.bytes = half.raw_bytes = 4096;
  half.sha256 = half.raw_sha256 = std::string(64, 'a');
  half.collections = {{"users", 3, std::string(32, '0')}};
  manifest.halves = {half};
  manifest.absences["unified"] = "detached";
  manifest.differences = {"users"};
  return manifest;
}

TEST(BackupManifest, IsReadBackAsItWasWritten) {
  const std::string text = WriteManifest(Sample());

  const BackupManifest read = Must(ParseManifest(text));

  EXPECT_EQ(WriteManifest(read), text);
  EXPECT_EQ(read.sequence, UINT64_MAX);
  EXPECT_EQ(read.reason, BackupReason::kBeforeRestore);
  EXPECT_EQ(read.created_at, Sample().created_at);
  EXPECT_EQ(read.halves[0].collections, Sample().halves[0].collections);
  EXPECT_EQ(read.absences, Sample().absences);
}

TEST(BackupManifest, EveryFlippedBitIsFound) {
  for (const std::string& text : {WriteManifest(Sample()), WriteState({true, 1, 2, "p"})}) {
    const bool is_state = text == WriteState({true, 1, 2, "p"});
    for (std::size_t bit = 0; bit < text.size() * 8; ++bit) {
      std::string flipped = text;
      flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
      EXPECT_FALSE(is_state ? ParseState(flipped).has_value() : ParseManifest(flipped).has_value())
          << "bit " << bit;
    }
  }
}

TEST(BackupManifest, EveryCutIsFound) {
  const std::string text = WriteManifest(Sample());
  for (std::size_t size = 0; size < text.size(); ++size)
    EXPECT_FALSE(ParseManifest(text.substr(0, size)).has_value()) << size;
  EXPECT_FALSE(ParseManifest(text + "\n").has_value());
  EXPECT_FALSE(ParseManifest(std::string(kManifestBytesMax + 1, ' ')).has_value());
}

TEST(BackupManifest, WhatIsSealedAndStillWrongIsRefused) {
  const auto broken = [](auto change) {
    BackupManifest manifest = Sample();
    change(manifest);
    return ParseManifest(WriteManifest(manifest));
  };
  EXPECT_TRUE(FailsWith(broken([](auto& m) { m.id = "../x"; }), ErrorCode::kCorruption));
  EXPECT_TRUE(
      FailsWith(broken([](auto& m) { m.halves[0].engine = "sqlite"; }), ErrorCode::kCorruption));
  EXPECT_TRUE(FailsWith(broken([](auto& m) { m.halves[0].sha256 = "x"; }), ErrorCode::kCorruption));
  EXPECT_TRUE(FailsWith(broken([](auto& m) { m.halves.clear(); }), ErrorCode::kCorruption));
  EXPECT_TRUE(
      FailsWith(broken([](auto& m) { m.halves.push_back(m.halves[0]); }), ErrorCode::kCorruption));
}

TEST(BackupManifest, IdsAreShortAndPlain) {
  EXPECT_TRUE(IsValidBackupId("20260101T000000Z-0a1b"));
  for (const std::string& id :
       {std::string(), std::string("a.b"), std::string(".."), std::string("a/b"),
        std::string("a\0b", 3), std::string(65, 'a'), std::string("a b"), std::string("\xc3\xa4")})
    EXPECT_FALSE(IsValidBackupId(id)) << id;
}

TEST(BackupManifest, StateIsReadBack) {
  const BackupState state = Must(ParseState(WriteState({true, 5, 6, "x"})));
  EXPECT_TRUE(state.is_pinned);
  EXPECT_EQ(state.checked_at, 5);
  EXPECT_EQ(state.verified_at, 6);
  EXPECT_EQ(state.problem, "x");
}

}  // namespace
}  // namespace switchback
