#include "rollback/sha256.hpp"

#include <openssl/evp.h>

#include <array>

#include "common/check.hpp"

namespace switchback {

void Sha256::Free::operator()(evp_md_ctx_st* context) const noexcept {
  EVP_MD_CTX_free(context);
}

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  SB_CHECK(context_ != nullptr && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1,
           "OpenSSL has SHA-256");
}

Sha256::~Sha256() = default;

void Sha256::Add(std::string_view bytes) {
  SB_CHECK(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1, "hashing in memory");
}

std::string Sha256::FinishHex() {
  std::array<unsigned char, 32> digest{};
  unsigned size = 0;
  SB_CHECK(EVP_DigestFinal_ex(context_.get(), digest.data(), &size) == 1 && size == digest.size(),
           "a digest of 32 bytes");
  std::string hex;
  for (const unsigned char byte : digest) {
    hex += "0123456789abcdef"[byte >> 4];
    hex += "0123456789abcdef"[byte & 15];
  }
  return hex;
}

std::string Sha256Hex(std::string_view bytes) {
  Sha256 hash;
  hash.Add(bytes);
  return hash.FinishHex();
}

}  // namespace switchback
