// Bytes as text: whether they are UTF-8, and base64 for where they are not.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace switchback {

// Valid UTF-8: no overlong forms, no surrogates, nothing past U+10FFFF.
bool IsUtf8(std::string_view bytes);

// RFC 4648, with padding.
std::string EncodeBase64(std::string_view bytes);
// nullopt when `text` is not exactly what EncodeBase64 gives for some bytes.
std::optional<std::string> DecodeBase64(std::string_view text);

}  // namespace switchback
