#include "service/log_file.hpp"

#include <fcntl.h>
#define XXH_STATIC_LINKING_ONLY  // the streaming state on the stack
#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "common/bytes.hpp"
#include "common/check.hpp"
#include "common/limits.hpp"

namespace switchback {
namespace {

constexpr std::string_view kFileMagic = "SWBKLOG1";
constexpr std::uint32_t kFormatVersion = 1;
constexpr std::string_view kRecordMark = "SBR1";
constexpr std::size_t kChecksummedHeaderBytes = 24;
constexpr std::size_t kReadAheadBytes = 1 << 20;
// A batch may hold one oversized transaction beside what was collected before it.
constexpr std::uint64_t kPayloadBytesMax =
    kTransactionBytesMax + kBatchBytesMax + kTransactionEffectCountMax * 16 + (1 << 20);

std::uint64_t Checksum(std::uint64_t salt, std::string_view header, std::string_view first,
                       std::string_view second) {
  XXH3_state_t state;
  // The salt is hashed as data: a seeded state on the stack needs XXH3_INITSTATE, or it may keep
  // the secret of whatever state lay there before, and sums come out wrong now and then.
  XXH3_64bits_reset(&state);
  XXH3_64bits_update(&state, &salt, sizeof salt);
  XXH3_64bits_update(&state, header.data(), header.size());
  XXH3_64bits_update(&state, first.data(), first.size());
  XXH3_64bits_update(&state, second.data(), second.size());
  return XXH3_64bits_digest(&state);
}

std::uint32_t MarkOf(std::uint64_t salt) {
  return static_cast<std::uint32_t>(
      XXH3_64bits_withSeed(kRecordMark.data(), kRecordMark.size(), salt));
}

struct RecordHeader {
  std::uint32_t mark;
  std::uint32_t payload_bytes;
  std::uint64_t sequence;
  std::uint64_t wall_us;
  std::uint64_t checksum;
};

RecordHeader DecodeRecordHeader(std::string_view bytes) {
  ByteReader reader(bytes);
  RecordHeader header{};
  header.mark = reader.ReadInteger<std::uint32_t>();
  header.payload_bytes = reader.ReadInteger<std::uint32_t>();
  header.sequence = reader.ReadInteger<std::uint64_t>();
  header.wall_us = reader.ReadInteger<std::uint64_t>();
  header.checksum = reader.ReadInteger<std::uint64_t>();
  return header;
}

}  // namespace

std::string EncodeLogFileHeader(const LogFileHeader& header) {
  SB_CHECK(header.log_id.size() == kLogIdBytes, "a log id has a fixed size");
  std::string bytes(kFileMagic);
  AppendInteger(bytes, kFormatVersion);
  AppendInteger(bytes, std::uint32_t{0});
  AppendInteger(bytes, header.epoch);
  AppendInteger(bytes, header.first_sequence);
  AppendInteger(bytes, header.salt);
  bytes += header.log_id;
  AppendInteger(bytes, static_cast<std::uint64_t>(XXH3_64bits(bytes.data(), bytes.size())));
  bytes.resize(kLogFileHeaderBytes, '\0');
  return bytes;
}

Result<LogFileHeader> DecodeLogFileHeader(std::string_view bytes) {
  ByteReader reader(bytes);
  const std::string_view magic = reader.ReadBytes(kFileMagic.size());
  const auto version = reader.ReadInteger<std::uint32_t>();
  reader.ReadInteger<std::uint32_t>();
  LogFileHeader header;
  header.epoch = reader.ReadInteger<std::uint64_t>();
  header.first_sequence = reader.ReadInteger<std::uint64_t>();
  header.salt = reader.ReadInteger<std::uint64_t>();
  header.log_id = reader.ReadBytes(kLogIdBytes);
  const std::size_t checksummed = bytes.size() - reader.remaining();
  const auto checksum = reader.ReadInteger<std::uint64_t>();
  if (!reader.is_ok() || magic != kFileMagic)
    return Fail(ErrorCode::kCorruption, "not a file of the commit log");
  if (checksum != XXH3_64bits(bytes.data(), checksummed))
    return Fail(ErrorCode::kCorruption, "header is damaged");
  if (version != kFormatVersion) {
    return Fail(ErrorCode::kUnsupported, "written in log format " + std::to_string(version) +
                                             ", this program knows " +
                                             std::to_string(kFormatVersion));
  }
  return header;
}

std::string EncodeLogRecordHeader(std::uint64_t salt, std::uint64_t sequence, std::uint64_t wall_us,
                                  std::string_view first, std::string_view second) {
  SB_CHECK(first.size() + second.size() <= kPayloadBytesMax,
           "a batch is bounded before it is logged");
  std::string bytes;
  bytes.reserve(kLogRecordHeaderBytes);
  AppendInteger(bytes, MarkOf(salt));
  AppendInteger(bytes, static_cast<std::uint32_t>(first.size() + second.size()));
  AppendInteger(bytes, sequence);
  AppendInteger(bytes, wall_us);
  AppendInteger(bytes, Checksum(salt, bytes, first, second));
  return bytes;
}

Result<LogFileReader> LogFileReader::Open(const std::string& path) {
  LogFileReader reader;
  auto fd = OpenFile(path, O_RDONLY);
  if (!fd) return Fail(fd.error());
  reader.fd_ = *std::move(fd);
  std::string bytes(kLogFileHeaderBytes, '\0');
  auto got = ReadAt(reader.fd_.get(), bytes.data(), bytes.size(), 0);
  if (!got) return Fail(WithContext(got.error(), path));
  auto header = DecodeLogFileHeader(std::string_view(bytes).substr(0, *got));
  if (!header) return Fail(WithContext(header.error(), path));
  reader.header_ = *std::move(header);
  return reader;
}

Result<std::string_view> LogFileReader::Bytes(std::size_t size) {
  const std::uint64_t buffer_end = buffer_offset_ + buffer_.size();
  if (offset_ < buffer_offset_ || offset_ + size > buffer_end) {
    buffer_.resize(std::max(size, kReadAheadBytes));
    auto got = ReadAt(fd_.get(), buffer_.data(), buffer_.size(), offset_);
    if (!got) {
      buffer_.clear();
      return Fail(got.error());
    }
    buffer_.resize(*got);
    buffer_offset_ = offset_;
  }
  return std::string_view(buffer_).substr(offset_ - buffer_offset_, size);
}

Result<std::optional<LogRecord>> LogFileReader::Read(std::uint64_t sequence) {
  const std::uint32_t mark = MarkOf(header_.salt);
  for (int attempt = 0;; ++attempt) {
    auto bytes = Bytes(kLogRecordHeaderBytes);
    if (!bytes) return Fail(bytes.error());
    if (bytes->size() == kLogRecordHeaderBytes) {
      const RecordHeader header = DecodeRecordHeader(*bytes);
      if (header.mark == mark && header.sequence == sequence &&
          header.payload_bytes <= kPayloadBytesMax) {
        auto whole = Bytes(kLogRecordHeaderBytes + header.payload_bytes);
        if (!whole) return Fail(whole.error());
        const std::string_view payload =
            whole->substr(std::min(whole->size(), kLogRecordHeaderBytes));
        if (payload.size() == header.payload_bytes &&
            header.checksum ==
                Checksum(header_.salt, whole->substr(0, kChecksummedHeaderBytes), payload, {})) {
          offset_ += LogRecordBytes(header.payload_bytes);
          return LogRecord{sequence, header.wall_us, payload};
        }
      }
    }
    // What was read ahead may be older than what has been written since: look again at the file
    // itself, once.
    if (attempt == 1) return std::optional<LogRecord>{};
    buffer_.clear();
    buffer_offset_ = 0;
  }
}

Result<std::optional<LogFileReader::Place>> LogFileReader::FindAhead(std::uint64_t sequence_min) {
  const std::uint64_t start = offset_;
  const std::uint32_t wanted = MarkOf(header_.salt);
  std::optional<Place> found;
  while (!found) {
    auto bytes = Bytes(kReadAheadBytes);
    if (!bytes) return Fail(bytes.error());
    if (bytes->size() < kLogRecordHeaderBytes) break;
    const std::uint64_t chunk_offset = offset_;
    const std::size_t chunk_bytes = bytes->size() - kLogRecordHeaderBytes + 1;
    std::vector<Place> candidates;  // as good as always the real thing
    for (std::size_t at = 0; at < chunk_bytes; at += 8) {
      std::uint32_t mark = 0;
      std::memcpy(&mark, bytes->data() + at, sizeof mark);
      if (mark != wanted) continue;
      const RecordHeader header = DecodeRecordHeader(bytes->substr(at, kLogRecordHeaderBytes));
      if (header.sequence >= sequence_min)
        candidates.push_back({chunk_offset + at, header.sequence});
    }
    for (const Place& candidate : candidates) {
      if (found) break;
      offset_ = candidate.offset;
      auto record = Read(candidate.sequence);
      if (!record) return Fail(record.error());
      if (record->has_value()) found = candidate;
    }
    offset_ = chunk_offset + (chunk_bytes + 7) / 8 * 8;
  }
  offset_ = start;
  return found;
}

Result<bool> LogFileReader::HasRecordAhead(std::uint64_t sequence_min) {
  auto found = FindAhead(sequence_min);
  if (!found) return Fail(found.error());
  return found->has_value();
}

Result<std::optional<std::uint64_t>> LogFileReader::SkipToRecord(std::uint64_t sequence_min) {
  auto found = FindAhead(sequence_min);
  if (!found) return Fail(found.error());
  if (!found->has_value()) return std::optional<std::uint64_t>{};
  offset_ = (*found)->offset;
  return std::optional((*found)->sequence);
}

}  // namespace switchback
