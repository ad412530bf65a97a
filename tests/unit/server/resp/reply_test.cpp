#include "server/resp/reply.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <string>

namespace switchback {
namespace {

std::string Write(RespVersion version, const std::function<void(ReplyWriter&)>& write) {
  ByteBuffer output;
  ReplyWriter reply(output, version);
  write(reply);
  return std::string(output.view());
}

struct Expected {
  const char* resp2;
  const char* resp3;
};

void ExpectReply(const Expected& expected, const std::function<void(ReplyWriter&)>& write) {
  EXPECT_EQ(Write(RespVersion::k2, write), expected.resp2);
  EXPECT_EQ(Write(RespVersion::k3, write), expected.resp3);
}

TEST(ReplyWriter, WritesWhatBothProtocolsShare) {
  ExpectReply({"+OK\r\n", "+OK\r\n"}, [](ReplyWriter& reply) { reply.Ok(); });
  ExpectReply({"+PONG\r\n", "+PONG\r\n"}, [](ReplyWriter& reply) { reply.SimpleString("PONG"); });
  ExpectReply({":-9223372036854775808\r\n", ":-9223372036854775808\r\n"},
              [](ReplyWriter& reply) { reply.Integer(std::numeric_limits<long long>::min()); });
  ExpectReply({":10\r\n", ":10\r\n"}, [](ReplyWriter& reply) { reply.Integer(10); });
  ExpectReply({"$0\r\n\r\n", "$0\r\n\r\n"}, [](ReplyWriter& reply) { reply.Bulk(""); });
  ExpectReply({"$12\r\nabc\r\ndefghij\r\n", "$12\r\nabc\r\ndefghij\r\n"},
              [](ReplyWriter& reply) { reply.Bulk("abc\r\ndefghij"); });
  ExpectReply({"*2\r\n", "*2\r\n"}, [](ReplyWriter& reply) { reply.Array(2); });
}

TEST(ReplyWriter, WritesWhatTheProtocolsSayDifferently) {
  ExpectReply({"$-1\r\n", "_\r\n"}, [](ReplyWriter& reply) { reply.Null(); });
  ExpectReply({"*-1\r\n", "_\r\n"}, [](ReplyWriter& reply) { reply.NullArray(); });
  ExpectReply({"*6\r\n", "%3\r\n"}, [](ReplyWriter& reply) { reply.Map(3); });
  ExpectReply({"*3\r\n", "~3\r\n"}, [](ReplyWriter& reply) { reply.Set(3); });
  ExpectReply({"$2\r\nhi\r\n", "=6\r\ntxt:hi\r\n"},
              [](ReplyWriter& reply) { reply.Verbatim("hi"); });
}

TEST(ReplyWriter, AnErrorIsOneLine) {
  ExpectReply({"-ERR a  b c\r\n", "-ERR a  b c\r\n"},
              [](ReplyWriter& reply) { reply.Error("ERR a\r\nb\nc"); });
}

TEST(ReplyWriter, AnErrorCodeBecomesItsPrefix) {
  ExpectReply({"-BUSY try later\r\n", "-BUSY try later\r\n"}, [](ReplyWriter& reply) {
    reply.Error(Error{ErrorCode::kBusy, "try later"});
  });
}

}  // namespace
}  // namespace switchback
