// SHA-256, and MD5 where S3 names parts by it, by OpenSSL.
#pragma once

#include <memory>
#include <string>
#include <string_view>

struct evp_md_st;
struct evp_md_ctx_st;

namespace switchback {

// One hash over what is added. Belongs to one thread.
class Digest {
 public:
  Digest(const Digest&) = delete;
  Digest& operator=(const Digest&) = delete;

  void Add(std::string_view bytes);
  // Two hexadecimal digits a byte. Once.
  [[nodiscard]] std::string FinishHex();

 protected:
  explicit Digest(const evp_md_st* kind);
  ~Digest();

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const noexcept;
  };
  std::unique_ptr<evp_md_ctx_st, Free> context_;
  bool is_known_ = true;
};

// 64 digits.
class Sha256 : public Digest {
 public:
  Sha256();
};

// 32 digits; "" where OpenSSL is built or set up without it. Tells parts apart, protects nothing.
class Md5 : public Digest {
 public:
  Md5();
};

std::string Sha256Hex(std::string_view bytes);
// HMAC with SHA-256 (RFC 2104). `key` may be of any length.
std::string HmacSha256Hex(std::string_view key, std::string_view bytes);

}  // namespace switchback
