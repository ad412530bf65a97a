// Any moment of the past: what the log's archive keeps, and restores to it.
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "tests/unit/rollback/backup_world.hpp"

namespace switchback {
namespace {

using test::BackupWorld;
using test::FailsWith;
using test::IsOk;
using test::Must;
using test::ScopedFailpoints;

namespace fs = std::filesystem;

WallTime At(std::int64_t seconds) {
  return WallTime(std::chrono::seconds(1'700'000'000 + seconds));
}
LogPiece Piece(std::uint64_t epoch, std::uint64_t first, std::uint64_t last) {
  LogPiece piece;
  piece.epoch = epoch;
  piece.first_sequence = first;
  piece.last_sequence = last;
  piece.first_at = At(static_cast<std::int64_t>(first));
  piece.last_at = At(static_cast<std::int64_t>(last));
  return piece;
}

TEST(LogPiece, NameOfAnArchivedOneSaysWhatItHolds) {
  const LogPiece piece = Piece(3, 17, 99);
  const std::string name = ArchiveName(piece);

  const auto parsed = ParseArchiveName(name);

  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->epoch, 3u);
  EXPECT_EQ(parsed->first_sequence, 17u);
  EXPECT_EQ(parsed->last_sequence, 99u);
  EXPECT_EQ(parsed->first_at, piece.first_at);
  EXPECT_EQ(parsed->last_at, piece.last_at);
  for (const std::string& other : {std::string(), std::string("log.1.zst"), name + ".tmp",
                                   "x" + name, name.substr(0, name.size() - 5) + "x.zst",
                                   std::string("log.1.2.3.4.99999999999999999999999.zst")})
    EXPECT_FALSE(ParseArchiveName(other)) << other;
}

TEST(PiecesBetween, LeadFromABatchToAMomentWithoutAGap) {
  const std::vector<LogPiece> pieces{Piece(1, 1, 10),  Piece(1, 1, 10),  Piece(1, 11, 20),
                                     Piece(1, 31, 40), Piece(2, 21, 25), Piece(2, 26, 30)};
  const auto count = [&](std::uint64_t after, LogMoment moment) {
    return Must(PiecesBetween(pieces, after, moment)).size();
  };
  EXPECT_EQ(count(0, {1, 10}), 1u) << "one that is there twice counts once";
  EXPECT_EQ(count(5, {1, 15}), 2u);
  EXPECT_EQ(count(10, {1, 15}), 1u);
  EXPECT_EQ(count(10, {1, 10}), 0u);
  EXPECT_EQ(count(20, {2, 30}), 2u);
  EXPECT_TRUE(FailsWith(PiecesBetween(pieces, 15, {1, 35}), ErrorCode::kNotFound)) << "a gap";
  EXPECT_TRUE(FailsWith(PiecesBetween(pieces, 10, {2, 25}), ErrorCode::kNotFound));
  EXPECT_TRUE(FailsWith(PiecesBetween(pieces, 25, {2, 31}), ErrorCode::kNotFound));
  EXPECT_EQ(Must(FindSequence(pieces, 35)).epoch, 1u);
  EXPECT_EQ(Must(FindSequence(pieces, 22)).epoch, 2u);
  EXPECT_TRUE(FailsWith(FindSequence(pieces, 41), ErrorCode::kNotFound));
}

class PointInTimeTest : public ::testing::Test {
 protected:
  using Content = std::map<std::string, std::string>;

  void SetUp() override { world_.Open(); }
  const Collection& users() { return *Must(world_.service->catalog().Intern("users")); }
  void Put(const std::string& key, const std::string& value) {
    Must(world_.service->Put(users(), key, value));
    content_[key] = value;
    Note();
  }
  void Delete(const std::string& key) {
    Must(world_.service->Delete(users(), key));
    content_.erase(key);
    Note();
  }
  void Clear() {
    Must(world_.service->Write(
        [&](Transaction& transaction) { return transaction.Clear(users()); }));
    content_.clear();
    Note();
  }
  std::uint64_t Last() { return world_.service->GetStatus().last_sequence; }
  void Note() { history_[Last()] = content_; }
  Content Stored(Role role) {
    Content content;
    const auto view = Must(world_.service->fill_access().NewStoreView(role));
    Must(view->Begin());
    Must(view->Scan(users(), "", [&](std::string_view key, std::string_view value) {
      content.emplace(key, value);
      return true;
    }));
    return content;
  }
  // What is durable in both stores leaves the log, and goes into the archive.
  void Trim() { Must(world_.service->Drain(std::chrono::minutes(1))); }
  Status Run(RestoreRequest request) {
    request.is_without_safety_backup = true;
    SB_RETURN_IF_ERROR(world_.manager->BeginRestore(std::move(request)));
    const BackupOperation ended = world_.Finished();
    return ended.error ? Status(Fail(*ended.error)) : Status{};
  }
  std::size_t ArchivedCount() {
    std::size_t count = 0;
    for (const auto& file : fs::directory_iterator(world_.dir.File("log-archive")))
      count += file.path().extension() == ".zst" ? 1 : 0;
    return count;
  }

  BackupWorld world_;
  Content content_;
  std::map<std::uint64_t, Content> history_;  // by the last batch
};

TEST_F(PointInTimeTest, EveryMomentOfRandomWritesComesBack) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  world_.Create();
  const std::uint64_t first = Last();
  for (int i = 0; i < 600; ++i) {
    const std::string key = std::to_string(random() % 60);
    if (random() % 200 == 0) {
      Clear();
    } else if (random() % 4 == 0 && content_.contains(key)) {
      Delete(key);
    } else {
      Put(key, std::string(random() % 3000, static_cast<char>('a' + i % 26)));
    }
    if (i % 150 == 149) Trim();
    if (i == 300) world_.Create();
  }
  const std::uint64_t last = Last();
  std::uniform_int_distribution<std::uint64_t> any(first + 1, last);
  for (int round = 0; round < 6; ++round) {
    const std::uint64_t goal = round == 0 ? last : any(random);
    SCOPED_TRACE("to batch " + std::to_string(goal));
    ASSERT_TRUE(IsOk(Run({.to_sequence = goal})));
    const Content& expected = std::prev(history_.upper_bound(goal))->second;
    EXPECT_EQ(Stored(Role::kLegacy), expected);
    EXPECT_EQ(Stored(Role::kUnified), expected);
  }
}

TEST_F(PointInTimeTest, TimeIsThatOfTheBatches) {
  world_.Create();
  Put("a", "early");
  world_.clock.Advance(std::chrono::hours(1));
  const WallTime between = world_.clock.WallNow();
  world_.clock.Advance(std::chrono::hours(1));
  Put("a", "late");

  const RestorePlan plan = Must(world_.manager->PlanRestore({.to_time = between}));
  EXPECT_EQ(plan.batches_lost, 1u);
  ASSERT_TRUE(IsOk(Run({.to_time = between})));

  EXPECT_EQ(Stored(Role::kUnified), (Content{{"a", "early"}}));
  EXPECT_TRUE(FailsWith(Run({.to_time = between - std::chrono::hours(5)}), ErrorCode::kNotFound));
}

TEST_F(PointInTimeTest, WhatLeavesTheLogIsArchivedAndWhatIsTooOldGoes) {
  world_.Create();
  for (int i = 0; i < 300; ++i) Put(std::to_string(i % 10), std::string(4000, 'v'));
  Trim();
  while (ArchivedCount() < 3) std::this_thread::yield();
  world_.archive.Flush();
  const auto pieces = Must(world_.archive.Pieces());
  for (std::size_t i = 1; i < pieces.size(); ++i)
    EXPECT_EQ(pieces[i].first_sequence, pieces[i - 1].last_sequence + 1);

  world_.clock.Advance(std::chrono::hours(24 * 8));
  for (int i = 0; i < 150; ++i) Put(std::to_string(i % 10), std::string(4000, 'w'));
  Trim();
  while (Must(world_.archive.Pieces()).front().first_sequence == pieces.front().first_sequence)
    std::this_thread::yield();
  EXPECT_TRUE(FailsWith(Run({.to_sequence = 5}), ErrorCode::kNotFound));
}

TEST_F(PointInTimeTest, PiecesThatAreHeldCanBeReadAlthoughTheLogGivesThemUp) {
  for (int i = 0; i < 300; ++i) Put(std::to_string(i % 10), std::string(4000, 'v'));
  auto hold = world_.archive.HoldPieces();
  auto pieces = Must(InspectLogDirectory(world_.dir.File("data/gen-1/log")));
  ASSERT_GE(pieces.size(), 3u);
  for (LogPiece& piece : pieces)
    piece.path_later = world_.archive.StagedPath(piece.epoch, piece.path);
  Trim();
  while (fs::exists(pieces.front().path)) std::this_thread::yield();

  std::uint64_t reached = 0;
  for (const LogPiece& piece : pieces)
    Must(ReadPiece(piece, 0, UINT64_MAX, world_.dir.File("scratch"), [&](const LogRecord& record) {
      EXPECT_EQ(record.sequence, ++reached);
      return Status{};
    }));
  EXPECT_EQ(reached, 300u);
  EXPECT_EQ(ArchivedCount(), 0u);
  hold.reset();
  world_.archive.Flush();
  EXPECT_GE(ArchivedCount(), pieces.size() - 1);
}

TEST_F(PointInTimeTest, MomentThatTheBackupIsNotBeforeIsRefused) {
  Put("a", "1");
  Put("a", "2");
  const std::string id = world_.Create();
  Put("a", "3");
  RestoreRequest early;
  early.id = id;
  early.to_sequence = 1;
  EXPECT_TRUE(FailsWith(Run(early), ErrorCode::kRefused));
  EXPECT_TRUE(FailsWith(Run({.to_sequence = 1}), ErrorCode::kNotFound)) << "no backup is before it";
  EXPECT_EQ(Stored(Role::kLegacy).size() <= 1u, true);
}

TEST_F(PointInTimeTest, MomentsAfterARestoreAreReachedFromABackupBeforeIt) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  world_.Create();  // the only one
  std::vector<std::uint64_t> known;
  Content of_generation_before;
  for (int round = 0; round < 8; ++round) {
    SCOPED_TRACE(round);
    for (int i = 0; i < 30; ++i) {
      Put(std::to_string(random() % 20), std::to_string(random()));
      known.push_back(Last());
    }
    if (random() % 3 == 0) Trim();
    if (random() % 4 == 0 && round > 0) {
      Content before = std::exchange(of_generation_before, content_);
      ASSERT_TRUE(IsOk(Run({})));
      content_ = before;
    } else {
      const std::uint64_t to = known[random() % known.size()];
      of_generation_before = content_;
      ASSERT_TRUE(IsOk(Run({.to_sequence = to}))) << to;
      content_ = history_.at(to);
    }
    EXPECT_EQ(Stored(Role::kLegacy), content_);
    EXPECT_EQ(Stored(Role::kUnified), content_);
  }
  EXPECT_GE(world_.service->GetStatus().epoch, 9u);
}

TEST_F(PointInTimeTest, ATimeRightAfterARestoreIsWhatWasRestored) {
  Put("a", "1");
  const std::string id = world_.Create();
  Put("a", "2");
  world_.clock.Advance(std::chrono::minutes(1));
  ASSERT_TRUE(IsOk(Run({.id = id})));
  world_.clock.Advance(std::chrono::minutes(1));
  const WallTime between = world_.clock.WallNow();
  world_.clock.Advance(std::chrono::minutes(1));
  Put("a", "3");
  ASSERT_TRUE(IsOk(Run({.to_time = between})));
  EXPECT_EQ(Stored(Role::kLegacy), (Content{{"a", "1"}}));
}

TEST_F(PointInTimeTest, AnErrorInTheReplayLeavesEverythingAsItWas) {
  world_.Create();
  for (int i = 0; i < 10; ++i) Put("a", std::to_string(i));
  for (const char* point : {"restore.replay=error", "sqlite.commit=error@1"}) {
    SCOPED_TRACE(point);
    Must(world_.service->Drain(std::chrono::minutes(1)));
    const ScopedFailpoints failing(point);
    EXPECT_FALSE(Run({.to_sequence = 5}).has_value());
    EXPECT_EQ(world_.service->GetStatus().generation, "gen-1");
  }
  ASSERT_TRUE(IsOk(Run({.to_sequence = 5})));
  EXPECT_EQ(Stored(Role::kLegacy), (Content{{"a", "4"}}));
}

}  // namespace
}  // namespace switchback
