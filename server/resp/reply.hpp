// Writes replies in RESP2 or RESP3 into one output buffer. Where the two differ, one call writes
// what the client's protocol knows: a RESP3 map is a flat array of twice the length in RESP2.
// Not thread-safe; cheap to make.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "common/result.hpp"
#include "server/resp/byte_buffer.hpp"

namespace switchback {

enum class RespVersion : std::uint8_t { k2 = 2, k3 = 3 };

class ReplyWriter {
 public:
  // Appends to `output`, which outlives the writer.
  ReplyWriter(ByteBuffer& output, RespVersion version) : output_(output), version_(version) {}

  [[nodiscard]] RespVersion version() const { return version_; }
  [[nodiscard]] ByteBuffer& output() { return output_; }

  void Ok() { output_.Append("+OK\r\n"); }
  // `text` holds no line break.
  void SimpleString(std::string_view text);
  // "ERR ...": line breaks become spaces, as a reply is one line.
  void Error(std::string_view text);
  void Error(const switchback::Error& error);
  void Integer(long long value);
  void Boolean(bool value) { Integer(value ? 1 : 0); }
  void Bulk(std::string_view bytes);
  // Text for people: RESP3 marks it as such (INFO, CLIENT LIST).
  void Verbatim(std::string_view text);
  void Null();
  void NullArray();  // what a RESP2 client gets for an EXEC that gave up

  // Headers: the elements follow.
  void Array(std::size_t count);
  void Map(std::size_t pair_count);
  void Set(std::size_t count);

 private:
  void Header(char type, long long value);

  ByteBuffer& output_;
  RespVersion version_;
};

}  // namespace switchback
