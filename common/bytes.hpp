// Fixed-width little-endian integers and length-prefixed strings, as the commit log and the stores'
// own records hold them.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace switchback {

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
              "on-disk integers are little-endian and are copied as they are");

template <class Integer>
void AppendInteger(std::string& out, Integer value) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  out.append(bytes, sizeof value);
}

inline void AppendSized(std::string& out, std::string_view bytes) {
  AppendInteger(out, static_cast<std::uint32_t>(bytes.size()));
  out.append(bytes);
}

// Reads what the functions above wrote. Never reads past the end: after the first short read
// is_ok() is false and every further read gives zero or empty.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

  template <class Integer>
  Integer ReadInteger() {
    Integer value{};
    if (rest_.size() < sizeof value) {
      ok_ = false;
      rest_ = {};
      return value;
    }
    std::memcpy(&value, rest_.data(), sizeof value);
    rest_.remove_prefix(sizeof value);
    return value;
  }

  std::string_view ReadBytes(std::size_t size) {
    if (rest_.size() < size) {
      ok_ = false;
      rest_ = {};
      return {};
    }
    const std::string_view bytes = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return bytes;
  }

  std::string_view ReadSized() { return ReadBytes(ReadInteger<std::uint32_t>()); }

  [[nodiscard]] bool is_ok() const { return ok_; }
  [[nodiscard]] std::size_t remaining() const { return rest_.size(); }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace switchback
