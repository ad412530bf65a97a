// The keys to a bucket. They come from the environment or from a file that nobody else can read,
// never from arguments or the configuration, and are written nowhere.
#pragma once

#include <string>

#include "common/result.hpp"

namespace switchback {

struct TargetCredentials {
  std::string access_key_id;
  std::string secret_access_key;
  std::string session_token;  // "" = none
};

// From AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN when the first is set, else
// from the file: one JSON object of access_key_id, secret_access_key and, if there is one,
// session_token. Errors never quote what was read: kRefused (no keys are named, or the file can be
// read by others), kInvalidArgument (its form), kNotFound, kIo.
Result<TargetCredentials> LoadTargetCredentials(const std::string& path);

}  // namespace switchback
