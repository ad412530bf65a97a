// The certificate that both doors show, and what they ask of clients. Read anew when its files
// change: connections that are open keep what they began with.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/result.hpp"
#include "common/sync.hpp"

struct ssl_ctx_st;

namespace switchback {

struct TlsOptions {
  std::string certificate;  // PEM: the server's, then those between it and a root; "" = no TLS
  std::string key;          // PEM, readable by its owner only
  std::string client_ca;    // PEM; clients must show a certificate that these vouch for. "" = none

  [[nodiscard]] bool is_on() const { return !certificate.empty(); }
  [[nodiscard]] std::vector<std::string> Files() const;
};

// Shared by whoever has a connection that was made with it.
using TlsHandle = std::shared_ptr<ssl_ctx_st>;

// What the files say: TLS 1.2 at least, no renegotiation, no compression. Errors: kNotFound, kIo;
// kRefused (others can read the key); kInvalidArgument (no PEM, key and certificate do not fit).
Result<TlsHandle> LoadTls(const TlsOptions& options);

// What new connections begin with. Thread-safe.
class TlsContext {
 public:
  explicit TlsContext(TlsOptions options) : options_(std::move(options)) {}

  // Reads the files. On an error what is in force stays.
  Status Load() SB_EXCLUDES(mutex_);
  // After a Load that went well.
  [[nodiscard]] TlsHandle Current() const SB_EXCLUDES(mutex_);
  [[nodiscard]] const TlsOptions& options() const { return options_; }

 private:
  const TlsOptions options_;
  mutable Mutex mutex_;
  TlsHandle current_ SB_GUARDED_BY(mutex_);
};

}  // namespace switchback
