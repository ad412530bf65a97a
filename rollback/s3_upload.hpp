// One file into a bucket: whole when it is small, else in parts, going on with those that an
// interrupted upload has left there.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "rollback/backup_codec.hpp"
#include "rollback/s3_answers.hpp"
#include "rollback/s3_client.hpp"

namespace switchback {

// S3's own limits.
inline constexpr std::uint64_t kS3PartBytesMin = 5u << 20;
inline constexpr std::uint64_t kS3PartCountMax = 10000;
inline constexpr std::uint64_t kS3PartBytesDefault = 16u << 20;

// How large the parts of a file are: `wanted`, or what makes at most kS3PartCountMax of them.
std::uint64_t S3PartBytes(std::uint64_t file_bytes, std::uint64_t wanted);

// Belongs to one thread.
class S3Upload {
 public:
  // All outlive it. `sum`: what the file must be.
  S3Upload(S3Client& client, std::string key, int fd, const FileSum& sum,
           std::uint64_t part_bytes_wanted, BackupProgress& progress)
      : client_(client),
        key_(std::move(key)),
        fd_(fd),
        sum_(sum),
        part_bytes_(S3PartBytes(sum.bytes, part_bytes_wanted)),
        progress_(progress) {}

  // Errors: kCorruption (the file is not what it must be; nothing of it stays), those of S3Client.
  Status Run();

 private:
  [[nodiscard]] FileRange Range(std::uint64_t number) const;
  Status PutWhole();
  // The upload to go on with, and its parts; a new one where there is none.
  Status FindOrBegin();
  Status LoadParts();
  Status PutParts();
  Result<std::string> PutPart(std::uint32_t number, const std::string& sha256);
  [[nodiscard]] Result<bool> IsPartThere(std::uint32_t number) const;
  Status Complete();

  S3Client& client_;
  const std::string key_;
  const int fd_;
  const FileSum& sum_;
  const std::uint64_t part_bytes_;
  BackupProgress& progress_;
  std::string upload_id_;
  std::map<std::uint32_t, S3Part> parts_there_;
  std::vector<std::string> etags_;
};

// Ends the unfinished uploads of all keys with the prefix, and gives their number.
Result<std::size_t> AbortS3Uploads(S3Client& client, const std::string& key_prefix,
                                   BackupProgress& progress);

}  // namespace switchback
