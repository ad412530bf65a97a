// Requests to one bucket: addresses, headers, attempts, and errors in words that help.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "common/result.hpp"
#include "rollback/backup_progress.hpp"
#include "rollback/http_transfer.hpp"

namespace switchback {

// Where a bucket is. Checked when it was made (ParseS3Place).
struct S3Place {
  std::string base;  // "https://host[:port]"
  std::string bucket;
  std::string prefix;  // of every key: "" or ending in '/'
  std::string region;
  bool is_path_style = false;  // the bucket stands in the path, not in the host's name

  [[nodiscard]] std::string Name() const { return "s3://" + bucket + "/" + prefix; }
};

// Of "s3://bucket[/prefix]". `endpoint` "" = Amazon's of the region; http:// only for loopback, or
// with `is_plain_http_allowed`. `path_style` -1 = as it is best: with an endpoint of one's own, or
// dots in the bucket's name. kInvalidArgument with what is wrong.
Result<S3Place> ParseS3Place(std::string_view location, const std::string& endpoint,
                             const std::string& region, int path_style, bool is_plain_http_allowed);

// The rules of further attempts: the n-th one after first * 2^n, at most `longest`.
struct S3Retries {
  int attempts = 7;
  std::chrono::milliseconds first{250};
  std::chrono::milliseconds longest{8000};
  // Waits between two attempts; empty: BackupProgress::Pause.
  std::function<Status(BackupProgress&, std::chrono::milliseconds)> wait;
};

struct S3Call {
  std::string method;
  std::string key = {};                           // without the prefix; "" = the bucket itself
  std::map<std::string, std::string> query = {};  // by name, as signing wants it
  std::string text = {};
  FileRange source = {};
  std::string sha256 = {};  // of the body, hexadecimal; "" = of `text`
  bool is_counted = false;  // its bytes are progress
  std::size_t text_bytes_max = 4u << 20;
};

// Thread-safe. Errors of every call: kRefused (keys, rights, region, clock, certificate: the
// message says what to do), kNotFound (bucket or key), kUnavailable (after the last attempt),
// kNoSpace, kCancelled, kIo.
class S3Client {
 public:
  S3Client(S3Place place, std::unique_ptr<HttpTransport> transport, S3Retries retries)
      : place_(std::move(place)), transport_(std::move(transport)), retries_(std::move(retries)) {}

  [[nodiscard]] const S3Place& place() const { return place_; }

  // An answer with a status of 2xx.
  Result<HttpReply> Send(const S3Call& call, BackupProgress& progress);
  // Reads an object of exactly `bytes` into the empty file `fd`; after a cut it goes on from there.
  // kCorruption when it is longer or shorter; no more than `bytes` are written.
  Status Download(const std::string& key, int fd, std::uint64_t bytes, BackupProgress& progress);

 private:
  [[nodiscard]] std::string Url(const S3Call& call) const;
  [[nodiscard]] Error ErrorOf(const S3Call& call, const HttpReply& reply) const;
  // Before attempt `number` (1..): waits, or gives the error back when there were enough.
  Status PauseBefore(int number, const Error& last, std::chrono::milliseconds asked_for,
                     BackupProgress& progress);

  const S3Place place_;
  const std::unique_ptr<HttpTransport> transport_;
  const S3Retries retries_;
};

}  // namespace switchback
