#include "service/commit_log.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "tests/support/expect_ok.hpp"
#include "tests/support/failpoints.hpp"
#include "tests/support/temp_dir.hpp"

namespace switchback {
namespace {

using test::FailsWith;
using test::IsOk;
using test::Must;
using test::ScopedFailpoints;

constexpr std::uint64_t kFileBytes = 16384;

class CommitLogTest : public ::testing::Test {
 protected:
  Result<std::unique_ptr<CommitLog>> TryOpen(bool make_spares = false) {
    return CommitLog::Open(
        {.directory = directory_, .file_bytes = kFileBytes, .make_spares = make_spares});
  }
  void Open(bool make_spares = false) {
    log_.reset();
    log_ = Must(TryOpen(make_spares));
  }
  void Append(std::string_view payload) { Must(log_->Append("", payload)); }
  // Every payload after `after`, as a new reader sees them.
  std::vector<std::string> Payloads(std::uint64_t after = 0) {
    std::vector<std::string> payloads;
    CommitLog::Reader reader = log_->NewReader(after);
    std::uint64_t expected = after + 1;
    while (const auto record = Must(reader.Next(UINT64_MAX))) {
      EXPECT_EQ(record->sequence, expected++);
      payloads.emplace_back(record->payload);
    }
    return payloads;
  }
  std::vector<std::string> Files(std::string_view prefix) const {
    std::vector<std::string> files;
    for (const auto& entry : std::filesystem::directory_iterator(directory_)) {
      const std::string name = entry.path().filename().string();
      if (name.rfind(prefix, 0) == 0) files.push_back(entry.path().string());
    }
    std::sort(files.begin(), files.end());
    return files;
  }

  test::TempDir dir_;
  const std::string directory_ = dir_.File("log");
  std::unique_ptr<CommitLog> log_;
};

TEST_F(CommitLogTest, KeepsWhatWasAppendedAcrossReopening) {
  Open();
  const std::string id = log_->log_id();
  EXPECT_EQ(id.size(), kLogIdBytes);
  EXPECT_EQ(log_->last_sequence(), 0u);
  EXPECT_EQ(log_->first_sequence(), 1u);
  Append("one");
  Must(log_->Append("two-", "parts"));

  Open();

  EXPECT_EQ(log_->log_id(), id);
  EXPECT_EQ(log_->epoch(), 1u);
  EXPECT_EQ(log_->last_sequence(), 2u);
  Append("three");
  EXPECT_EQ(Payloads(), (std::vector<std::string>{"one", "two-parts", "three"}));
  EXPECT_EQ(Payloads(2), (std::vector<std::string>{"three"}));
}

TEST_F(CommitLogTest, BeginsANewFileWhenTheOldOneIsFull) {
  Open();
  std::vector<std::string> expected;
  for (int i = 0; i < 40; ++i) {
    expected.push_back(std::string(1000, static_cast<char>('a' + i % 26)));
    Append(expected.back());
  }
  EXPECT_GT(log_->GetSize().files, 2u);
  EXPECT_EQ(log_->GetSize().bytes, log_->GetSize().files * kFileBytes);
  EXPECT_EQ(Payloads(), expected);

  Open();

  EXPECT_EQ(log_->last_sequence(), 40u);
  EXPECT_EQ(Payloads(), expected);
}

TEST_F(CommitLogTest, ABatchLargerThanAFileGetsAFileOfItsOwn) {
  Open();
  Append("small");
  const std::string large(10 * kFileBytes, 'L');
  Append(large);
  Append("after");

  Open();

  EXPECT_EQ(Payloads(), (std::vector<std::string>{"small", large, "after"}));
  EXPECT_GE(log_->GetSize().bytes, large.size());
}

// The process dies, or the power goes, anywhere in the last append.
TEST_F(CommitLogTest, CutsATornTailAtEveryByteOfTheLastRecord) {
  Open();
  Append("first");
  Append("the second record");
  log_.reset();
  const std::string path = Files("log-").at(0);
  const std::string whole = test::ReadBytes(path);
  const std::size_t begin = kLogFileHeaderBytes + LogRecordBytes(5);
  const std::size_t end = begin + kLogRecordHeaderBytes + 17;
  for (std::size_t cut = begin; cut < end; ++cut) {
    std::string torn = whole;
    std::fill(torn.begin() + static_cast<std::ptrdiff_t>(cut), torn.end(), '\0');
    test::WriteBytes(path, torn);
    // The same without what was reserved past the cut.
    if (cut % 2 == 0) std::filesystem::resize_file(path, cut);

    Open();

    ASSERT_EQ(Payloads(), std::vector<std::string>{"first"}) << "cut at byte " << cut - begin;
    Append("next");
    Open();
    ASSERT_EQ(Payloads(), (std::vector<std::string>{"first", "next"}));
    log_.reset();
    for (const std::string& file : Files("log-")) std::filesystem::remove(file);
  }
}

TEST_F(CommitLogTest, ATornTailMayHoldGarbageInsteadOfZeros) {
  Open();
  Append("first");
  Append("second");
  log_.reset();
  const std::string path = Files("log-").at(0);
  std::string torn = test::ReadBytes(path);
  for (std::size_t at = kLogFileHeaderBytes + LogRecordBytes(5) + 20; at < torn.size(); ++at)
    torn[at] = static_cast<char>(at * 31);
  test::WriteBytes(path, torn);

  Open();

  EXPECT_EQ(Payloads(), std::vector<std::string>{"first"});
}

TEST_F(CommitLogTest, RefusesDamageThatIntactBatchesFollow) {
  Open();
  Append("first");
  Append("second");
  Append("third");
  log_.reset();
  const std::string path = Files("log-").at(0);
  const std::string whole = test::ReadBytes(path);
  const std::size_t begin = kLogFileHeaderBytes + LogRecordBytes(5);
  for (std::size_t at = begin; at < begin + kLogRecordHeaderBytes + 6; ++at) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    test::WriteBytes(path, damaged);

    const auto opened = TryOpen();

    ASSERT_TRUE(FailsWith(opened, ErrorCode::kCorruption)) << "byte " << at - begin;
    EXPECT_NE(opened.error().message.find("batch 2"), std::string::npos);
    EXPECT_EQ(test::ReadBytes(path), damaged) << "a refusal changes nothing";
  }
}

TEST_F(CommitLogTest, DamageInAnOlderFileIsFoundWhenItIsRead) {
  Open();
  for (int i = 0; i < 40; ++i) Append(std::string(1000, 'x'));
  log_.reset();
  const std::string path = Files("log-").at(0);
  std::string damaged = test::ReadBytes(path);
  damaged[kLogFileHeaderBytes + LogRecordBytes(1000) + 100] = '!';
  test::WriteBytes(path, damaged);

  Open();

  CommitLog::Reader reader = log_->NewReader(0);
  EXPECT_TRUE(Must(reader.Next(UINT64_MAX)).has_value());
  EXPECT_TRUE(FailsWith(reader.Next(UINT64_MAX), ErrorCode::kCorruption));
}

TEST_F(CommitLogTest, HeaderDamageAndFilesOfOthersAreRefused) {
  Open();
  Append("first");
  log_.reset();
  const std::string path = Files("log-").at(0);
  const std::string whole = test::ReadBytes(path);
  std::string damaged = whole;
  damaged[20] = static_cast<char>(damaged[20] ^ 1);
  test::WriteBytes(path, damaged);
  EXPECT_TRUE(FailsWith(TryOpen(), ErrorCode::kCorruption));

  test::WriteBytes(path, whole);
  std::filesystem::copy_file(path, directory_ + "/log-00000000000000000007");
  EXPECT_TRUE(FailsWith(TryOpen(), ErrorCode::kCorruption)) << "a copy under another name";

  std::filesystem::remove(directory_ + "/log-00000000000000000007");
  test::WriteBytes(directory_ + "/log-00000000000000000002",
                   EncodeLogFileHeader({1, 2, 77, std::string(kLogIdBytes, 'e')}));
  EXPECT_TRUE(FailsWith(TryOpen(), ErrorCode::kCorruption)) << "a file of another log";
}

TEST_F(CommitLogTest, AFailedAppendIsNeverSeenAgainOnceTheNextSucceeded) {
  for (const char* point : {"log.append=error", "log.sync=error", "log.sync=nospace"}) {
    SCOPED_TRACE(point);
    Open();
    const std::uint64_t before = log_->last_sequence();
    const std::vector<std::string> expected = Payloads();
    {
      const ScopedFailpoints failpoints(point);
      EXPECT_FALSE(log_->Append("", "void"));
      EXPECT_FALSE(log_->Append("", "void as well"));
    }
    EXPECT_EQ(log_->last_sequence(), before);
    EXPECT_EQ(Payloads(), expected);

    Append("good");
    std::vector<std::string> now = expected;
    now.push_back("good");
    EXPECT_EQ(Payloads(), now);
    Open();
    EXPECT_EQ(Payloads(), now) << "after a restart";
  }
}

TEST_F(CommitLogTest, SaysWhetherAFailureIsCertain) {
  Open();
  {
    const ScopedFailpoints failpoints("log.sync=error");
    EXPECT_TRUE(FailsWith(log_->Append("", "x"), ErrorCode::kUnknownOutcome));
  }
  {
    const ScopedFailpoints failpoints("log.sync=nospace");
    EXPECT_TRUE(FailsWith(log_->Append("", "x"), ErrorCode::kNoSpace));
  }
  {
    const ScopedFailpoints failpoints("log.create=error");
    EXPECT_TRUE(FailsWith(log_->Append("", "x"), ErrorCode::kIo));
    EXPECT_FALSE(log_->BeginNewFile());
  }
  EXPECT_TRUE(IsOk(log_->BeginNewFile()));
  Append("works again");
  EXPECT_EQ(log_->last_sequence(), 1u);
}

// Its sync failed, so it may or may not be there after a crash, but never half of it.
TEST_F(CommitLogTest, AnUnknownOutcomeIsDecidedByTheNextRecovery) {
  Open();
  Append("known");
  {
    const ScopedFailpoints failpoints("log.sync=error");
    EXPECT_FALSE(log_->Append("", "unknown"));
  }

  Open();

  EXPECT_EQ(Payloads(), (std::vector<std::string>{"known", "unknown"}));
  Append("later");
  Open();
  EXPECT_EQ(Payloads(), (std::vector<std::string>{"known", "unknown", "later"}));
}

TEST_F(CommitLogTest, AFailureToBeginAFileLeavesNothingBehind) {
  Open(true);
  Append("first");
  {
    const ScopedFailpoints failpoints("log.append=error");
    EXPECT_FALSE(log_->Append("", "x"));
  }
  // A directory in the place of the file that comes next: the rename fails.
  const std::string in_the_way = directory_ + "/log-00000000000000000002";
  std::filesystem::create_directories(in_the_way + "/x");
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(log_->Append("", "x"));
  std::filesystem::remove_all(in_the_way);
  Append("second");

  EXPECT_LE(Files("spare-").size() + Files("new").size(), kLogSpareFileCountMax + 1);
  EXPECT_EQ(Payloads(), (std::vector<std::string>{"first", "second"}));
}

TEST_F(CommitLogTest, TrimGivesBackWholeFilesOnly) {
  Open();
  for (int i = 0; i < 40; ++i) Append(std::string(1000, 'x'));
  const std::uint64_t files = log_->GetSize().files;

  log_->TrimBefore(2);
  EXPECT_EQ(log_->GetSize().files, files);
  EXPECT_EQ(log_->first_sequence(), 1u);

  log_->TrimBefore(25);
  const std::uint64_t first = log_->first_sequence();
  EXPECT_GT(first, 1u);
  EXPECT_LE(first, 25u);
  EXPECT_EQ(Payloads(24).size(), 16u);
  CommitLog::Reader reader = log_->NewReader(first - 2);
  EXPECT_TRUE(FailsWith(reader.Next(UINT64_MAX), ErrorCode::kNotFound));

  log_->TrimBefore(UINT64_MAX);
  EXPECT_EQ(log_->GetSize().files, 1u) << "the file appended to stays";
  Append("more");
  Open();
  EXPECT_EQ(log_->last_sequence(), 41u);
}

TEST_F(CommitLogTest, AReaderWhoseFileIsTrimmedIsToldSo) {
  Open(true);  // with spares: the file is overwritten, not only unlinked
  for (int i = 0; i < 13; ++i) Append(std::string(1000, 'a'));
  CommitLog::Reader reader = log_->NewReader(0);
  ASSERT_TRUE(Must(reader.Next(UINT64_MAX)).has_value());
  for (int i = 0; i < 13; ++i) Append(std::string(1000, 'b'));
  log_->TrimBefore(14);
  for (int i = 0; i < 60; ++i) Append(std::string(1000, 'c'));
  log_->TrimBefore(40);

  Result<std::optional<LogRecord>> record = reader.Next(UINT64_MAX);
  while (record && *record && (*record)->sequence < 20) {
    EXPECT_EQ((*record)->payload, std::string(1000, (*record)->sequence <= 13 ? 'a' : 'b'));
    record = reader.Next(UINT64_MAX);
  }

  EXPECT_TRUE(FailsWith(record, ErrorCode::kNotFound));
}

TEST_F(CommitLogTest, RecycledFilesNeverShowTheirOldRecords) {
  Open(true);
  std::vector<std::string> expected;
  for (int i = 0; i < 200; ++i) {
    const std::string payload(900 + static_cast<std::size_t>(i), static_cast<char>('a' + i % 26));
    Append(payload);
    expected.push_back(payload);
    if (i % 20 == 19) log_->TrimBefore(static_cast<std::uint64_t>(i - 10));
    if (i % 70 == 69) Open(true);
  }
  const std::uint64_t first = log_->first_sequence();
  ASSERT_GT(first, 100u);
  expected.erase(expected.begin(), expected.begin() + static_cast<std::ptrdiff_t>(first - 1));
  EXPECT_EQ(Payloads(first - 1), expected);

  Open(true);

  EXPECT_EQ(log_->last_sequence(), 200u);
  EXPECT_EQ(Payloads(first - 1), expected);
}

TEST_F(CommitLogTest, ReadersFollowTheAppenderAcrossFiles) {
  Open(true);
  constexpr std::uint64_t kCount = 300;
  std::atomic<std::uint64_t> read_up_to{0};
  std::thread follower([&] {
    CommitLog::Reader reader = log_->NewReader(0);
    std::uint64_t at = 0;
    while (at < kCount) {
      const auto record = Must(reader.Next(UINT64_MAX));
      if (!record) {
        std::this_thread::yield();
        continue;
      }
      ASSERT_EQ(record->sequence, ++at);
      ASSERT_EQ(record->payload, std::to_string(at) + std::string(at * 3, 'p'));
      read_up_to = at;
    }
  });
  for (std::uint64_t i = 1; i <= kCount; ++i) {
    Append(std::to_string(i) + std::string(i * 3, 'p'));
    log_->TrimBefore(read_up_to.load());  // what it has read, the file it is in excepted
  }
  follower.join();
}

TEST_F(CommitLogTest, AReaderStopsWhereItIsTold) {
  Open();
  for (int i = 0; i < 5; ++i) Append("x");
  CommitLog::Reader reader = log_->NewReader(1);

  EXPECT_EQ(Must(reader.Next(3))->sequence, 2u);
  EXPECT_EQ(Must(reader.Next(3))->sequence, 3u);
  EXPECT_FALSE(Must(reader.Next(3)).has_value());
  EXPECT_EQ(Must(reader.Next(4))->sequence, 4u);
}

TEST_F(CommitLogTest, AFileThatCouldNotBePreallocatedIsContinuedInANewOne) {
  Open();
  Append("first");
  log_.reset();
  const std::string path = Files("log-").at(0);
  std::filesystem::resize_file(path, kLogFileHeaderBytes + LogRecordBytes(5));

  Open();
  Append("second");

  EXPECT_EQ(Files("log-").size(), 2u);
  Open();
  EXPECT_EQ(Payloads(), (std::vector<std::string>{"first", "second"}));
}

TEST_F(CommitLogTest, StrangeFilesInTheDirectoryAreIgnored) {
  std::filesystem::create_directories(directory_);
  for (const char* name : {"log-1", "log-0000000000000000000x", "new.tmp", "notes", "spare-x.tmp"})
    test::WriteBytes(directory_ + "/" + name, "not a log");
  Open(true);
  Append("one");

  Open(true);

  EXPECT_EQ(Payloads(), std::vector<std::string>{"one"});
  EXPECT_EQ(test::ReadBytes(directory_ + "/notes"), "not a log");
}

TEST_F(CommitLogTest, AMissingDirectoryIsMadeAndAFileInItsPlaceIsAnError) {
  test::WriteBytes(dir_.File("file"), "x");
  EXPECT_FALSE(CommitLog::Open({.directory = dir_.File("file"), .make_spares = false}));
  EXPECT_TRUE(IsOk(CommitLog::Open({.directory = dir_.File("a/b/c"), .make_spares = false})));
}

}  // namespace
}  // namespace switchback
