// The bytes of a backup's files: hashed, compressed with zstd, unpacked under a limit.
#pragma once

#include <cstdint>
#include <string>

#include "backends/backend.hpp"
#include "common/result.hpp"

namespace switchback {

struct FileSum {
  std::uint64_t bytes = 0;
  std::string sha256;

  friend bool operator==(const FileSum&, const FileSum&) = default;
};

struct UnpackedSums {
  FileSum packed;  // as it lies in the backup
  FileSum raw;     // as the engine wants it; the same when not compressed
};

// Half the time of zstd's own default (3), for files of about the same size (measured on stores
// of small records with `zstd -b1 -e3`).
inline constexpr int kBackupCompressionLevel = 1;

// Compresses `from` to a new file, not synced. Level 1..19.
Status CompressFile(const std::string& from, const std::string& to, int level,
                    const ReadView::CopyStep& step);

// Reads back what CompressFile made: kCorruption unless the file `fd` unpacks to the bytes of the
// file `raw_path`. The sum is that of the packed bytes that were read.
Result<FileSum> CheckUnpacksTo(int fd, const std::string& raw_path, const ReadView::CopyStep& step);

// Reads the file `fd` to its end and hashes it. With a path the unpacked bytes are written there,
// a new file, synced. `raw_bytes_max`: unpacking more is kCorruption, so that a small file cannot
// fill the disk. Errors besides: kCorruption (not zstd, or cut short), kIo, kNoSpace.
Result<UnpackedSums> UnpackFile(int fd, bool is_compressed, std::uint64_t raw_bytes_max,
                                const std::string& to, const ReadView::CopyStep& step);

// Unpacks the file `fd` to a new file that only has to be there until it is read: neither hashed
// nor synced. Errors as UnpackFile's.
Status UnpackToScratch(int fd, std::uint64_t raw_bytes_max, const std::string& to);

// fsync, and mode 0600.
Status SyncFile(const std::string& path);

}  // namespace switchback
