#include "server/resp/parser.hpp"

#include <gtest/gtest.h>

#include <random>

namespace switchback {
namespace {

constexpr std::size_t kNoLimit = kBulkBytesMax;

std::vector<std::string> ToStrings(std::span<const std::string_view> args) {
  return {args.begin(), args.end()};
}

struct Parsed {
  std::vector<std::vector<std::string>> requests;
  std::string error;
  std::size_t too_long_count = 0;

  friend bool operator==(const Parsed&, const Parsed&) = default;
};

// Feeds `chunks` one after the other, as a connection does: what is left over stays in a buffer
// that moves, and what may be discarded is.
Parsed Feed(RequestParser& parser, const std::vector<std::string>& chunks) {
  Parsed parsed;
  std::string buffer;
  for (const std::string& chunk : chunks) {
    buffer = std::string(buffer + chunk);  // a new place in memory each time
    while (parsed.error.empty()) {
      const ParseStatus status = parser.Parse(buffer);
      if (status == ParseStatus::kIncomplete) {
        buffer.erase(0, parser.TakeDiscardable());
        break;
      }
      if (status == ParseStatus::kError) {
        parsed.error = parser.error();
        break;
      }
      if (parser.is_too_long()) ++parsed.too_long_count;
      parsed.requests.push_back(ToStrings(parser.arguments()));
      buffer.erase(0, parser.request_bytes());
      parser.Next();
    }
  }
  return parsed;
}

Parsed FeedWhole(std::string bytes) {
  RequestParser parser(kNoLimit);
  return Feed(parser, {std::move(bytes)});
}

std::vector<std::string> SingleBytes(const std::string& bytes) {
  std::vector<std::string> chunks;
  for (const char c : bytes) chunks.emplace_back(1, c);
  return chunks;
}

TEST(RequestParser, ReadsAnArrayOfBulkStrings) {
  const Parsed parsed = FeedWhole("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$2\r\nvv\r\n");

  EXPECT_EQ(parsed.requests, (std::vector<std::vector<std::string>>{{"SET", "k", "vv"}}));
}

TEST(RequestParser, KeepsEveryByteOfAnArgument) {
  std::string value;
  for (int i = 0; i < 256; ++i) value += static_cast<char>(i);
  value += "\r\n*1\r\n$4\r\nPING\r\n";

  const Parsed parsed =
      FeedWhole("*2\r\n$4\r\nECHO\r\n$" + std::to_string(value.size()) + "\r\n" + value + "\r\n");

  EXPECT_EQ(parsed.requests, (std::vector<std::vector<std::string>>{{"ECHO", value}}));
}

TEST(RequestParser, ReadsEmptyArguments) {
  const Parsed parsed = FeedWhole("*2\r\n$0\r\n\r\n$0\r\n\r\n");

  EXPECT_EQ(parsed.requests, (std::vector<std::vector<std::string>>{{"", ""}}));
}

TEST(RequestParser, ReadsPipelinedAndInlineRequestsInOrder) {
  const Parsed parsed = FeedWhole("*1\r\n$4\r\nPING\r\nGET a\r\n*2\r\n$3\r\nGET\r\n$1\r\nb\r\n");

  EXPECT_EQ(parsed.requests,
            (std::vector<std::vector<std::string>>{{"PING"}, {"GET", "a"}, {"GET", "b"}}));
}

TEST(RequestParser, PassesOverEmptyRequests) {
  const Parsed parsed = FeedWhole("*0\r\n*-1\r\n\r\n   \r\n\nPING\n");

  EXPECT_EQ(parsed.requests.back(), std::vector<std::string>{"PING"});
  for (std::size_t i = 0; i + 1 < parsed.requests.size(); ++i) {
    EXPECT_TRUE(parsed.requests[i].empty());
  }
  EXPECT_EQ(parsed.requests.size(), 6u);
  EXPECT_EQ(parsed.error, "");
}

TEST(RequestParser, AnswersTheSameUntilTheRequestIsForgotten) {
  RequestParser parser(kNoLimit);
  std::string input = "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n";
  ASSERT_EQ(parser.Parse(input), ParseStatus::kCommand);
  const std::string moved = input + "*1\r\n";
  input.assign(input.size(), 'x');

  ASSERT_EQ(parser.Parse(moved), ParseStatus::kCommand);

  EXPECT_EQ(ToStrings(parser.arguments()), (std::vector<std::string>{"GET", "k"}));
  EXPECT_EQ(parser.request_bytes(), input.size());
}

TEST(RequestParser, KnowsWhenARequestHasBegun) {
  RequestParser parser(kNoLimit);
  EXPECT_FALSE(parser.is_midway());

  ASSERT_EQ(parser.Parse("*1\r\n$4\r\nPI"), ParseStatus::kIncomplete);
  EXPECT_TRUE(parser.is_midway());

  ASSERT_EQ(parser.Parse("*1\r\n$4\r\nPING\r\n"), ParseStatus::kCommand);
  parser.Next();
  EXPECT_FALSE(parser.is_midway());
}

// A request of random shape: arrays and inline ones, empty and binary arguments.
std::string RandomRequests(std::mt19937_64& random) {
  std::string bytes;
  const auto between = [&](int low, int high) {
    return std::uniform_int_distribution<int>(low, high)(random);
  };
  for (int request = between(1, 5); request > 0; --request) {
    if (between(0, 4) == 0) {
      bytes += "SET \"a\\x00\\n\" 'b c'   d\r\n";
      continue;
    }
    const int count = between(0, 6);
    bytes += "*" + std::to_string(count) + "\r\n";
    for (int i = 0; i < count; ++i) {
      std::string arg(static_cast<std::size_t>(between(0, 40)), '\0');
      for (char& c : arg) c = static_cast<char>(between(0, 255));
      bytes += "$" + std::to_string(arg.size()) + "\r\n" + arg + "\r\n";
    }
  }
  // Sometimes something breaks.
  if (between(0, 3) == 0) {
    bytes[static_cast<std::size_t>(between(0, static_cast<int>(bytes.size()) - 1))] =
        static_cast<char>(between(0, 255));
  }
  return bytes;
}

TEST(RequestParser, ByteAtATimeAndInRandomPiecesEqualsAtOnce) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int round = 0; round < 2000; ++round) {
    const std::string bytes = RandomRequests(random);
    std::vector<std::string> pieces;
    for (std::size_t at = 0; at < bytes.size();) {
      const std::size_t size = std::uniform_int_distribution<std::size_t>(1, 20)(random);
      pieces.push_back(bytes.substr(at, size));
      at += size;
    }
    RequestParser by_byte(kNoLimit);
    RequestParser by_piece(kNoLimit);

    const Parsed whole = FeedWhole(bytes);

    ASSERT_EQ(Feed(by_byte, SingleBytes(bytes)), whole) << "round " << round;
    ASSERT_EQ(Feed(by_piece, pieces), whole) << "round " << round;
  }
}

TEST(RequestParser, ReadsAnArgumentPastTheLimitWithoutKeepingIt) {
  RequestParser parser(100);
  const std::string huge(5000, 'x');
  const std::string bytes =
      "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5000\r\n" + huge + "\r\n*1\r\n$4\r\nPING\r\n";
  std::string buffer;
  std::size_t most = 0;
  std::vector<bool> is_too_long;
  for (const char c : bytes) {
    buffer += c;
    while (parser.Parse(buffer) == ParseStatus::kCommand) {
      is_too_long.push_back(parser.is_too_long());
      buffer.erase(0, parser.request_bytes());
      parser.Next();
    }
    buffer.erase(0, parser.TakeDiscardable());
    most = std::max(most, buffer.size());
  }

  EXPECT_EQ(is_too_long, (std::vector<bool>{true, false}));
  EXPECT_LT(most, 100u);
}

TEST(RequestParser, TooLongRequestsReadTheSameInAnyPieces) {
  const std::string bytes = "*4\r\n$4\r\nMSET\r\n$1\r\nk\r\n$101\r\n" + std::string(101, 'x') +
                            "\r\n$3\r\nend\r\nGET a\r\n";
  RequestParser whole(100);
  RequestParser by_byte(100);

  const Parsed at_once = Feed(whole, {bytes});

  EXPECT_EQ(at_once.too_long_count, 1u);
  EXPECT_EQ(at_once.requests, (std::vector<std::vector<std::string>>{{}, {"GET", "a"}}));
  EXPECT_EQ(Feed(by_byte, SingleBytes(bytes)), at_once);
}

TEST(RequestParser, AnArgumentAtTheLimitIsKept) {
  RequestParser parser(5);

  const Parsed parsed = Feed(parser, {"*1\r\n$5\r\nabcde\r\n"});

  EXPECT_EQ(parsed.too_long_count, 0u);
  EXPECT_EQ(parsed.requests, (std::vector<std::vector<std::string>>{{"abcde"}}));
}

TEST(RequestParser, ManySmallArgumentsGrowWithWhatArrives) {
  RequestParser parser(kNoLimit);
  // A million announced, none there: nothing is reserved for them.
  ASSERT_EQ(parser.Parse("*1048576\r\n"), ParseStatus::kIncomplete);

  std::string bytes = "*5000\r\n";
  std::vector<std::string> expected;
  for (int i = 0; i < 5000; ++i) {
    bytes += "$1\r\nx\r\n";
    expected.emplace_back("x");
  }
  EXPECT_EQ(FeedWhole(bytes).requests, (std::vector<std::vector<std::string>>{expected}));
}

}  // namespace
}  // namespace switchback
