#include "common/sha256.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>

#include "common/check.hpp"

namespace switchback {
namespace {

std::string Hex(const unsigned char* digest, unsigned size) {
  std::string hex;
  for (unsigned i = 0; i < size; ++i) {
    hex += "0123456789abcdef"[digest[i] >> 4];
    hex += "0123456789abcdef"[digest[i] & 15];
  }
  return hex;
}

}  // namespace

void Digest::Free::operator()(evp_md_ctx_st* context) const noexcept {
  EVP_MD_CTX_free(context);
}

Digest::Digest(const evp_md_st* kind) : context_(EVP_MD_CTX_new()) {
  SB_CHECK(context_ != nullptr, "memory for a digest");
  is_known_ = EVP_DigestInit_ex(context_.get(), kind, nullptr) == 1;
  SB_CHECK(is_known_ || kind != EVP_sha256(), "OpenSSL has SHA-256");
}

Digest::~Digest() = default;

void Digest::Add(std::string_view bytes) {
  if (!is_known_) return;
  SB_CHECK(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1, "hashing in memory");
}

std::string Digest::FinishHex() {
  if (!is_known_) return "";
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  SB_CHECK(EVP_DigestFinal_ex(context_.get(), digest.data(), &size) == 1, "a digest");
  return Hex(digest.data(), size);
}

Sha256::Sha256() : Digest(EVP_sha256()) {}
Md5::Md5() : Digest(EVP_md5()) {}

std::string Sha256Hex(std::string_view bytes) {
  Sha256 hash;
  hash.Add(bytes);
  return hash.FinishHex();
}

std::string HmacSha256Hex(std::string_view key, std::string_view bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  const auto* data = reinterpret_cast<const unsigned char*>(bytes.data());
  SB_CHECK(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), data, bytes.size(),
                digest.data(), &size) != nullptr,
           "an HMAC");
  return Hex(digest.data(), size);
}

}  // namespace switchback
