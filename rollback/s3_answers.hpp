// What S3 answers, read from XML that may hold anything. Pure functions.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"

namespace switchback {

// The error document of an answer; both "" when it is none.
struct S3Failure {
  std::string code;     // "NoSuchBucket" ...
  std::string message;  // for people; at most 300 bytes, printable
};
S3Failure ParseS3Failure(std::string_view xml);

// A page of a list. `next` is empty on the last one.
struct S3ObjectPage {
  std::vector<std::string> keys;
  std::string next;  // continuation token
};
struct S3UploadPage {
  struct Upload {
    std::string key;
    std::string id;
  };
  std::vector<Upload> uploads;
  std::string next_key, next_id;
  bool is_truncated = false;
};
struct S3Part {
  std::string etag;  // without quotes
  std::uint64_t bytes = 0;
};
struct S3PartPage {
  std::map<std::uint32_t, S3Part> parts;  // by number
  std::string next;                       // number marker
};

// Errors of each: kCorruption, for what is no such document.
Result<S3ObjectPage> ParseS3Objects(std::string_view xml);
Result<S3UploadPage> ParseS3Uploads(std::string_view xml);
Result<S3PartPage> ParseS3Parts(std::string_view xml);
// The id of an upload that was begun.
Result<std::string> ParseS3UploadId(std::string_view xml);
// Whether an upload was completed: a 200 may hold an error.
bool IsS3UploadComplete(std::string_view xml);

// The body that completes an upload: the tags of parts 1..n.
std::string S3CompleteBody(const std::vector<std::string>& etags);

// An ETag without its quotes.
std::string_view WithoutQuotes(std::string_view etag);

}  // namespace switchback
