// One HTTP request after the other, signed for S3 if it has keys, with files as bodies. By libcurl.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/result.hpp"
#include "common/sync.hpp"
#include "rollback/target_credentials.hpp"

namespace switchback {

// A part of a file.
struct FileRange {
  int fd = -1;  // < 0: none
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
};

struct HttpCall {
  std::string method;                // "GET" "HEAD" "PUT" "POST" "DELETE"
  std::string url;                   // its query sorted by name, as signing wants it
  std::vector<std::string> headers;  // "name: value"; x-amz-content-sha256 among them
  std::string text;                  // the body, unless there is `source`
  FileRange source;                  // the body
  FileRange sink;  // where the body of a 200 or 206 goes; more than its bytes is kCorruption
  std::size_t text_bytes_max = 1u << 20;  // of any other answer's body; kTooLarge past it
  // So many more bytes went in either direction; 0 now and then. An error ends the call.
  std::function<Status(std::uint64_t)> step;
  bool is_answer_cut = false;  // what is past text_bytes_max is not read, instead of kTooLarge
};

struct HttpReply {
  long status = 0;
  std::map<std::string, std::string> headers;  // names in small letters
  std::string text;
};

// Thread-safe. Blocks for the network.
class HttpTransport {
 public:
  HttpTransport() = default;
  virtual ~HttpTransport() = default;
  HttpTransport(const HttpTransport&) = delete;
  HttpTransport& operator=(const HttpTransport&) = delete;

  // Any answer is one, whatever its status. `sunk` is how many bytes went into the sink, after an
  // error as well. Errors: kUnavailable (no connection, cut, too slow: worth another attempt),
  // kRefused (the certificate), kCorruption, kTooLarge, that of `step`, kIo (a file).
  virtual Result<HttpReply> Perform(const HttpCall& call, std::uint64_t& sunk) = 0;
};

struct HttpTransferOptions {
  std::string region;                               // of the signature
  std::string ca_file;                              // "" = the machine's
  std::string ca_option = "backup_target_ca_file";  // what operators know that file by
  std::chrono::seconds connect_time_max{10};
  std::chrono::seconds silence_max{60};    // without a byte in either direction
  std::chrono::seconds total_time_max{0};  // of a call; 0 = as long as it takes
};

// Over TLS 1.2 or newer, or plain where the URL says so; no redirections. Keeps its connection.
class HttpTransfer final : public HttpTransport {
 public:
  // Requests are signed for S3 unless the credentials are empty.
  HttpTransfer(HttpTransferOptions options, TargetCredentials credentials);
  ~HttpTransfer() override;

  Result<HttpReply> Perform(const HttpCall& call, std::uint64_t& sunk) override SB_EXCLUDES(mutex_);

 private:
  struct Free {
    void operator()(void* handle) const noexcept;
  };
  // `signature` outlives the call.
  void SetOptions(const HttpCall& call, const std::string& signature) SB_REQUIRES(mutex_);

  const HttpTransferOptions options_;
  const TargetCredentials credentials_;
  Mutex mutex_;  // calls take turns
  std::unique_ptr<void, Free> handle_ SB_GUARDED_BY(mutex_);
};

}  // namespace switchback
