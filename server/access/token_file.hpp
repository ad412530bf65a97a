// The file of named tokens:
//   {"tokens": [{"name": "deploy-bot", "role": "operator", "sha256": "<64 hex digits>"}]}
// Instead of "sha256" a token may stand there itself, as "token". HTTP takes a token as
// `Authorization: Bearer TOKEN`, RESP as `AUTH NAME TOKEN`.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"
#include "server/access/access_role.hpp"

namespace switchback {

inline constexpr std::size_t kTokenFileBytesMax = 1u << 20;
inline constexpr std::size_t kNamedTokenCountMax = 1000;
// A token that people chose must not be guessed: those that `switchback token new` makes have 43.
inline constexpr std::size_t kTokenBytesMin = 16;

struct NamedToken {
  std::string name;
  AccessRole role = AccessRole::kViewer;
  std::string digest;  // SHA-256 of the token, 64 lower-case hexadecimal digits
};

// `[A-Za-z0-9_.@-]{1,64}` and not "default", which is RESP's user without a name.
bool IsTokenName(std::string_view name);

// Errors (kInvalidArgument): not such a document, a name or token twice, a token that is too short.
// No message repeats a token.
Result<std::vector<NamedToken>> ParseTokens(std::string_view json);

// The same of a file, which nobody but its owner may be able to read. Errors besides: kRefused (its
// mode), kNotFound, kIo, kTooLarge.
Result<std::vector<NamedToken>> LoadTokenFile(const std::string& path);

// A new token: 32 random bytes in 43 characters that fit into a header. Error: kIo.
Result<std::string> NewToken();
// The line of the file for it.
std::string TokenFileLine(const std::string& name, AccessRole role, const std::string& token);

}  // namespace switchback
