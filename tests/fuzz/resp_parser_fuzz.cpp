// Any bytes, in any pieces: the parser neither crashes nor reads outside, answers the same however
// the input is cut, and never keeps what it says it discards. The first byte chooses limits and the
// size of the pieces.
#include <cstdint>
#include <string>
#include <vector>

#include "common/check.hpp"
#include "server/resp/parser.hpp"

namespace {

using switchback::ParseStatus;
using switchback::RequestParser;

struct Outcome {
  std::vector<std::vector<std::string>> requests;
  std::vector<bool> too_long;
  std::string error;

  friend bool operator==(const Outcome&, const Outcome&) = default;
};

// Returns false when the error has ended it.
bool ParseAll(RequestParser& parser, std::string& buffer, Outcome& outcome) {
  while (true) {
    // A fresh allocation of exactly this size: reading past its end is seen.
    const std::vector<char> exact(buffer.begin(), buffer.end());
    switch (parser.Parse({exact.data(), exact.size()})) {
      case ParseStatus::kIncomplete: {
        const std::size_t discardable = parser.TakeDiscardable();
        SB_CHECK(discardable <= buffer.size(), "only what is there can be discarded");
        buffer.erase(0, discardable);
        return true;
      }
      case ParseStatus::kError: outcome.error = parser.error(); return false;
      case ParseStatus::kCommand:
        SB_CHECK(parser.request_bytes() <= buffer.size(), "a request ends within its input");
        outcome.requests.emplace_back(parser.arguments().begin(), parser.arguments().end());
        outcome.too_long.push_back(parser.is_too_long());
        buffer.erase(0, parser.request_bytes());
        parser.Next();
        break;
    }
  }
}

Outcome Feed(const std::string& bytes, std::size_t piece, std::size_t limit, bool is_trusted) {
  RequestParser parser(limit);
  parser.SetTrusted(is_trusted);
  Outcome outcome;
  std::string buffer;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    buffer += bytes.substr(at, piece);
    if (!ParseAll(parser, buffer, outcome)) break;
  }
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const bool is_trusted = (data[0] & 1) != 0;
  const std::size_t limit = (data[0] & 2) != 0 ? 8 : switchback::kBulkBytesMax;
  const std::size_t piece = 1 + (data[0] >> 2);

  const Outcome whole = Feed(bytes, bytes.size(), limit, is_trusted);

  SB_CHECK(Feed(bytes, piece, limit, is_trusted) == whole, "the cut does not matter");
  return 0;
}
