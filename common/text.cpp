#include "common/text.hpp"

#include <algorithm>
#include <cstdint>

namespace switchback {
namespace {

constexpr std::string_view kDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// How many bytes the sequence that begins with `lead` has; 0 when none begins so.
std::size_t SequenceSize(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead <= 0xdf) return 2;
  if (lead >= 0xe0 && lead <= 0xef) return 3;
  if (lead >= 0xf0 && lead <= 0xf4) return 4;
  return 0;
}

// The second byte keeps out overlong forms, surrogates and what is past the last code point.
bool IsSecond(unsigned char lead, unsigned char second) {
  switch (lead) {
    case 0xe0: return second >= 0xa0;
    case 0xed: return second <= 0x9f;
    case 0xf0: return second >= 0x90;
    case 0xf4: return second <= 0x8f;
    default: return true;
  }
}

}  // namespace

bool IsUtf8(std::string_view bytes) {
  for (std::size_t at = 0; at < bytes.size();) {
    const auto byte = [&](std::size_t index) {
      return static_cast<unsigned char>(bytes[at + index]);
    };
    const std::size_t size = SequenceSize(byte(0));
    if (size == 0 || at + size > bytes.size()) return false;
    for (std::size_t index = 1; index < size; ++index) {
      if ((byte(index) & 0xc0) != 0x80) return false;
    }
    if (size > 1 && !IsSecond(byte(0), byte(1))) return false;
    at += size;
  }
  return true;
}

std::string EncodeBase64(std::string_view bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::size_t size = std::min<std::size_t>(3, bytes.size() - at);
    std::uint32_t group = 0;
    for (std::size_t index = 0; index < 3; ++index) {
      group = group << 8 | (index < size ? static_cast<unsigned char>(bytes[at + index]) : 0u);
    }
    for (std::size_t index = 0; index < 4; ++index)
      text += index <= size ? kDigits[group >> (18 - 6 * index) & 63] : '=';
  }
  return text;
}

std::optional<std::string> DecodeBase64(std::string_view text) {
  std::string bytes;
  for (std::size_t at = 0; at + 4 <= text.size(); at += 4) {
    std::uint32_t group = 0;
    std::size_t padding = 0;
    for (const char c : text.substr(at, 4)) {
      const auto digit = kDigits.find(c);
      padding += c == '=' ? 1 : 0;
      if (c != '=' && digit == std::string_view::npos) return std::nullopt;
      group = group << 6 | (c == '=' ? 0u : static_cast<std::uint32_t>(digit));
    }
    if (padding > 2) return std::nullopt;
    for (std::size_t index = 0; index < 3 - padding; ++index)
      bytes += static_cast<char>(group >> (16 - 8 * index) & 255);
  }
  // Stray '=' signs, cut groups and bits that mean nothing give another text.
  if (EncodeBase64(bytes) != text) return std::nullopt;
  return bytes;
}

}  // namespace switchback
