#include "server/resp/inline_request.hpp"

namespace switchback {
namespace {

bool IsSpace(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

char Unescape(char c) {
  switch (c) {
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    case 'b': return '\b';
    case 'a': return '\a';
    default: return c;
  }
}

// Reads one quoted part; `at` stands behind the opening quote and is left behind the closing one.
bool ReadQuoted(std::string_view line, std::size_t& at, char quote, std::string& bytes) {
  while (at < line.size()) {
    const char c = line[at++];
    if (c == quote) return at == line.size() || IsSpace(line[at]);
    if (c != '\\' || at == line.size()) {
      bytes += c;
      continue;
    }
    const char next = line[at];
    if (quote == '\'') {
      // Between single quotes a backslash is itself unless it guards a quote.
      bytes += next == '\'' ? next : c;
      if (next == '\'') ++at;
      continue;
    }
    if (next == 'x' && at + 2 < line.size() && HexDigit(line[at + 1]) >= 0 &&
        HexDigit(line[at + 2]) >= 0) {
      bytes += static_cast<char>(HexDigit(line[at + 1]) * 16 + HexDigit(line[at + 2]));
      at += 3;
      continue;
    }
    bytes += Unescape(next);
    ++at;
  }
  return false;
}

}  // namespace

bool SplitInlineRequest(std::string_view line, std::string& bytes, std::vector<Slice>& words) {
  std::size_t at = 0;
  while (true) {
    while (at < line.size() && IsSpace(line[at])) ++at;
    if (at == line.size()) return true;
    const std::size_t begin = bytes.size();
    bool is_word_open = true;
    while (is_word_open && at < line.size()) {
      const char c = line[at];
      if (c == '"' || c == '\'') {
        ++at;
        if (!ReadQuoted(line, at, c, bytes)) return false;
        is_word_open = false;
      } else if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
        is_word_open = false;
      } else {
        bytes += c;
        ++at;
      }
    }
    words.push_back({begin, bytes.size() - begin});
  }
}

}  // namespace switchback
