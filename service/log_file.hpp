// The format of one file of the commit log, and reading it. Version 1, little-endian:
//
//   header, kLogFileHeaderBytes: "SWBKLOG1" | u32 version | u32 0 | u64 epoch | u64 first sequence
//   | u64 salt | 32 bytes log id |
//                                u64 XXH3 of all before
//   records, one a batch, each at a multiple of 8: u32 mark | u32 payload bytes | u64 sequence |
//   u64 wall clock, us |
//                                u64 XXH3 of the file's salt, the 24 bytes before and the payload
//                                | payload
//
// The mark is the low half of XXH3 (seeded with the salt) of "SBR1". The salt is new for every life
// of a file, so that what a recycled file held before can never look valid, nor what clients put
// into their values like the beginning of a record.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/file.hpp"
#include "common/result.hpp"

namespace switchback {

inline constexpr std::size_t kLogFileHeaderBytes = 4096;
inline constexpr std::size_t kLogRecordHeaderBytes = 32;
inline constexpr std::size_t kLogIdBytes = 32;

struct LogFileHeader {
  std::uint64_t epoch = 0;
  std::uint64_t first_sequence = 0;
  std::uint64_t salt = 0;
  std::string log_id;  // kLogIdBytes hexadecimal digits
};

std::string EncodeLogFileHeader(const LogFileHeader& header);
// kCorruption when the bytes are not a header of a version we know.
Result<LogFileHeader> DecodeLogFileHeader(std::string_view bytes);

// The header of a record whose payload is `first` followed by `second`.
std::string EncodeLogRecordHeader(std::uint64_t salt, std::uint64_t sequence, std::uint64_t wall_us,
                                  std::string_view first, std::string_view second);

struct LogRecord {
  std::uint64_t sequence = 0;
  std::uint64_t wall_us = 0;
  std::string_view payload;  // valid until the next Read
};

// Reads records of one file in order. One thread. Buffers up to a record or 1 MiB, whichever is
// more.
class LogFileReader {
 public:
  static Result<LogFileReader> Open(const std::string& path);
  [[nodiscard]] const LogFileHeader& header() const { return header_; }
  // The record at the current offset, or nullopt when there is no valid record with that sequence
  // there.
  Result<std::optional<LogRecord>> Read(std::uint64_t sequence);
  // Where the next record starts.
  [[nodiscard]] std::uint64_t offset() const { return offset_; }
  // True when a valid record with at least that sequence stands anywhere at or after the current
  // offset: then what could not be read there is damage, not a torn tail. Leaves the offset.
  Result<bool> HasRecordAhead(std::uint64_t sequence_min);
  // Goes on at the first such record, past the damage, and gives its sequence; nullopt when there
  // is none, and the offset stays.
  Result<std::optional<std::uint64_t>> SkipToRecord(std::uint64_t sequence_min);

 private:
  struct Place {
    std::uint64_t offset = 0;
    std::uint64_t sequence = 0;
  };
  Result<std::string_view> Bytes(std::size_t size);  // fewer at the end of the file
  // The first valid record with at least that sequence, from the current offset on.
  Result<std::optional<Place>> FindAhead(std::uint64_t sequence_min);
  UniqueFd fd_;
  LogFileHeader header_;
  std::uint64_t offset_ = kLogFileHeaderBytes;
  std::string buffer_;
  std::uint64_t buffer_offset_ = 0;  // of buffer_[0] in the file
};

// Size of a record on disk.
constexpr std::uint64_t LogRecordBytes(std::uint64_t payload_bytes) {
  return (kLogRecordHeaderBytes + payload_bytes + 7) / 8 * 8;
}

}  // namespace switchback
