#include "server/resp/reply.hpp"

#include <charconv>
#include <cstring>
#include <string>

#include "server/errors.hpp"

namespace switchback {
namespace {

// A type byte, a 64-bit number with its sign, CRLF.
constexpr std::size_t kHeaderBytesMax = 1 + 20 + 2;

// Writes a header at `to` and returns its end. Lengths below 10 are most of what is written.
char* WriteHeader(char* to, char type, long long value) {
  *to++ = type;
  if (value >= 0 && value < 10) {
    *to++ = static_cast<char>('0' + value);
  } else {
    to = std::to_chars(to, to + kHeaderBytesMax, value).ptr;
  }
  *to++ = '\r';
  *to++ = '\n';
  return to;
}

}  // namespace

void ReplyWriter::Header(char type, long long value) {
  char* const begin = output_.Reserve(kHeaderBytesMax);
  output_.Commit(static_cast<std::size_t>(WriteHeader(begin, type, value) - begin));
}

void ReplyWriter::SimpleString(std::string_view text) {
  output_.Append("+");
  output_.Append(text);
  output_.Append("\r\n");
}

void ReplyWriter::Error(std::string_view text) {
  char* to = output_.Reserve(text.size() + 3);
  *to++ = '-';
  for (const char c : text) *to++ = c == '\r' || c == '\n' ? ' ' : c;
  *to++ = '\r';
  *to++ = '\n';
  output_.Commit(text.size() + 3);
}

void ReplyWriter::Error(const switchback::Error& error) {
  Error(RespErrorText(error));
}

void ReplyWriter::Integer(long long value) {
  Header(':', value);
}

void ReplyWriter::Bulk(std::string_view bytes) {
  // One reservation for the whole: this is the hot path of GET.
  char* const begin = output_.Reserve(kHeaderBytesMax + bytes.size() + 2);
  char* to = WriteHeader(begin, '$', static_cast<long long>(bytes.size()));
  if (!bytes.empty()) std::memcpy(to, bytes.data(), bytes.size());
  to += bytes.size();
  *to++ = '\r';
  *to++ = '\n';
  output_.Commit(static_cast<std::size_t>(to - begin));
}

void ReplyWriter::Verbatim(std::string_view text) {
  if (version_ == RespVersion::k2) return Bulk(text);
  Header('=', static_cast<long long>(text.size()) + 4);
  output_.Append("txt:");
  output_.Append(text);
  output_.Append("\r\n");
}

void ReplyWriter::Null() {
  output_.Append(version_ == RespVersion::k2 ? "$-1\r\n" : "_\r\n");
}

void ReplyWriter::NullArray() {
  output_.Append(version_ == RespVersion::k2 ? "*-1\r\n" : "_\r\n");
}

void ReplyWriter::Array(std::size_t count) {
  Header('*', static_cast<long long>(count));
}

void ReplyWriter::Map(std::size_t pair_count) {
  if (version_ == RespVersion::k2) return Array(pair_count * 2);
  Header('%', static_cast<long long>(pair_count));
}

void ReplyWriter::Set(std::size_t count) {
  Header(version_ == RespVersion::k2 ? '*' : '~', static_cast<long long>(count));
}

}  // namespace switchback
