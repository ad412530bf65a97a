#include "service/log_file.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <xxhash.h>

#include <cstring>

#include "tests/support/expect_ok.hpp"
#include "tests/support/temp_dir.hpp"

namespace switchback {
namespace {

using test::FailsWith;
using test::IsOk;
using test::Must;

constexpr std::uint64_t kSalt = 0x1234567890abcdefull;

LogFileHeader HeaderOf(std::uint64_t first_sequence, std::uint64_t salt = kSalt) {
  return {3, first_sequence, salt, "0123456789abcdef0123456789abcdef"};
}

std::string RecordOf(std::uint64_t salt, std::uint64_t sequence, std::string_view payload) {
  std::string record = EncodeLogRecordHeader(salt, sequence, 99, payload, {});
  record += payload;
  record.resize(LogRecordBytes(payload.size()), '\0');
  return record;
}

class LogFileTest : public ::testing::Test {
 protected:
  LogFileReader Reader(std::string_view records, std::uint64_t first_sequence = 1) {
    test::WriteBytes(path_, EncodeLogFileHeader(HeaderOf(first_sequence)) + std::string(records));
    return Must(LogFileReader::Open(path_));
  }
  // The payload, or "" when there is no such record.
  static std::string Next(LogFileReader& reader, std::uint64_t sequence) {
    const auto record = Must(reader.Read(sequence));
    return record ? std::string(record->payload) : "";
  }

  test::TempDir dir_;
  const std::string path_ = dir_.File("log");
};

TEST_F(LogFileTest, HeaderComesBackAsWritten) {
  const std::string bytes = EncodeLogFileHeader(HeaderOf(42));

  const auto header = DecodeLogFileHeader(bytes);

  ASSERT_TRUE(IsOk(header));
  EXPECT_EQ(bytes.size(), kLogFileHeaderBytes);
  EXPECT_EQ(header->epoch, 3u);
  EXPECT_EQ(header->first_sequence, 42u);
  EXPECT_EQ(header->salt, kSalt);
  EXPECT_EQ(header->log_id, HeaderOf(42).log_id);
}

TEST_F(LogFileTest, AnyDamagedByteOfTheHeaderIsNoticed) {
  const std::string bytes = EncodeLogFileHeader(HeaderOf(42));
  constexpr std::size_t kUsedBytes = 8 + 4 + 4 + 8 + 8 + 8 + kLogIdBytes + 8;
  for (std::size_t at = 0; at < kUsedBytes; ++at) {
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x40);
    EXPECT_TRUE(FailsWith(DecodeLogFileHeader(damaged), ErrorCode::kCorruption)) << "byte " << at;
  }
  EXPECT_TRUE(
      FailsWith(DecodeLogFileHeader(bytes.substr(0, kUsedBytes - 1)), ErrorCode::kCorruption));
}

TEST_F(LogFileTest, ANewerFormatIsNamedAndRefused) {
  std::string bytes = EncodeLogFileHeader(HeaderOf(1));
  bytes[8] = 2;  // the version, and a checksum that fits
  const std::size_t checksummed = 8 + 4 + 4 + 8 + 8 + 8 + kLogIdBytes;
  const std::uint64_t checksum = XXH3_64bits(bytes.data(), checksummed);
  std::memcpy(bytes.data() + checksummed, &checksum, sizeof checksum);

  const auto header = DecodeLogFileHeader(bytes);

  ASSERT_TRUE(FailsWith(header, ErrorCode::kUnsupported));
  EXPECT_NE(header.error().message.find("format 2"), std::string::npos);
}

TEST_F(LogFileTest, ReadsRecordsInOrderAndThenNothing) {
  LogFileReader reader =
      Reader(RecordOf(kSalt, 5, "five") + RecordOf(kSalt, 6, "six") + std::string(100, '\0'), 5);

  EXPECT_EQ(Next(reader, 5), "five");
  EXPECT_EQ(Next(reader, 6), "six");
  const std::uint64_t end = reader.offset();
  EXPECT_EQ(Next(reader, 7), "");
  EXPECT_EQ(reader.offset(), end);
  EXPECT_EQ(end, kLogFileHeaderBytes + LogRecordBytes(4) + LogRecordBytes(3));
}

TEST_F(LogFileTest, TwoPartsOfAPayloadAreOne) {
  std::string record = EncodeLogRecordHeader(kSalt, 1, 7, "first-", "second");
  record += "first-second";
  LogFileReader reader = Reader(record);

  const auto read = Must(reader.Read(1));

  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->payload, "first-second");
  EXPECT_EQ(read->wall_us, 7u);
  EXPECT_EQ(read->sequence, 1u);
}

TEST_F(LogFileTest, ARecordOfAnotherSaltOrSequenceDoesNotCount) {
  LogFileReader recycled = Reader(RecordOf(kSalt + 1, 1, "old life"));
  EXPECT_EQ(Next(recycled, 1), "");

  LogFileReader other = Reader(RecordOf(kSalt, 2, "two"));
  EXPECT_EQ(Next(other, 1), "");
}

TEST_F(LogFileTest, AnyDamagedByteVoidsTheRecord) {
  const std::string record = RecordOf(kSalt, 1, "a payload");
  const std::size_t used = kLogRecordHeaderBytes + 9;
  for (std::size_t at = 0; at < used; ++at) {
    std::string damaged = record;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    LogFileReader reader = Reader(damaged);
    EXPECT_EQ(Next(reader, 1), "") << "byte " << at;
  }
}

TEST_F(LogFileTest, SeesWhatIsWrittenWhileItReads) {
  LogFileReader reader = Reader(RecordOf(kSalt, 1, "one") + std::string(4096, '\0'));
  EXPECT_EQ(Next(reader, 1), "one");
  EXPECT_EQ(Next(reader, 2), "");  // the zeros are in the reader's buffer now

  const auto fd = Must(OpenFile(path_, O_WRONLY));
  Must(WriteAt(fd.get(), RecordOf(kSalt, 2, "two"), reader.offset()));

  EXPECT_EQ(Next(reader, 2), "two");
}

TEST_F(LogFileTest, ReadsRecordsAcrossItsBuffer) {
  std::string records;
  for (std::uint64_t sequence = 1; sequence <= 40; ++sequence)
    records +=
        RecordOf(kSalt, sequence, std::string(100001, static_cast<char>('a' + sequence % 20)));
  LogFileReader reader = Reader(records);

  for (std::uint64_t sequence = 1; sequence <= 40; ++sequence)
    EXPECT_EQ(Next(reader, sequence), std::string(100001, static_cast<char>('a' + sequence % 20)));
  EXPECT_EQ(Next(reader, 41), "");
}

TEST_F(LogFileTest, TellsDamageFromATornTail) {
  std::string damaged = RecordOf(kSalt, 2, "two");
  damaged[kLogRecordHeaderBytes] = 'X';
  const std::string one = RecordOf(kSalt, 1, "one");
  const std::string far_away(3 << 20, 'f');

  LogFileReader torn = Reader(one + damaged + far_away);
  ASSERT_EQ(Next(torn, 1), "one");
  const std::uint64_t offset = torn.offset();
  EXPECT_FALSE(Must(torn.HasRecordAhead(2)));
  EXPECT_EQ(torn.offset(), offset);

  LogFileReader broken = Reader(one + damaged + RecordOf(kSalt, 3, "three"));
  ASSERT_EQ(Next(broken, 1), "one");
  EXPECT_TRUE(Must(broken.HasRecordAhead(2)));

  LogFileReader hole = Reader(one + damaged + far_away + RecordOf(kSalt, 9, "nine") + far_away);
  ASSERT_EQ(Next(hole, 1), "one");
  EXPECT_TRUE(Must(hole.HasRecordAhead(2)));
  EXPECT_EQ(Next(hole, 2), "");

  LogFileReader recycled = Reader(one + damaged + RecordOf(kSalt + 1, 3, "three"));
  ASSERT_EQ(Next(recycled, 1), "one");
  EXPECT_FALSE(Must(recycled.HasRecordAhead(2)));
}

// Each of these would cost a pass over the rest of the file if what a client can write passed for
// the beginning of a record.
TEST_F(LogFileTest, ValuesThatLookLikeRecordsCostNothing) {
  std::string forged;
  while (forged.size() < (8u << 20)) forged += RecordOf(0, 1000, "").substr(0, 32);
  LogFileReader reader = Reader(forged);

  EXPECT_FALSE(Must(reader.HasRecordAhead(1)));
}

TEST_F(LogFileTest, AFileThatIsNotOursIsCorruption) {
  test::WriteBytes(path_, "hello");
  EXPECT_TRUE(FailsWith(LogFileReader::Open(path_), ErrorCode::kCorruption));
  EXPECT_TRUE(FailsWith(LogFileReader::Open(dir_.File("none")), ErrorCode::kNotFound));
}

}  // namespace
}  // namespace switchback
