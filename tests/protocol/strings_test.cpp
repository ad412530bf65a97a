// String commands: replies and errors, as Redis 7.0 gives them.
#include <gtest/gtest.h>

#include "tests/support/resp_harness.hpp"

namespace switchback {
namespace {

class Strings : public testing::Test {
 protected:
  RespWorld world_;
  RespHarness client_{world_};
};

constexpr const char* kSyntax = "-ERR syntax error\r\n";
constexpr const char* kNoExpiry = "-ERR expiry is not supported\r\n";
constexpr const char* kTooLong =
    "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n";
constexpr const char* kBadKey = "-ERR key must be 1 to 511 bytes\r\n";
constexpr const char* kNotAnInteger = "-ERR value is not an integer or out of range\r\n";

TEST_F(Strings, SetAndGet) {
  EXPECT_EQ(client_.Line("GET a"), "$-1\r\n");
  EXPECT_EQ(client_.Line("SET a 1"), "+OK\r\n");
  EXPECT_EQ(client_.Line("GET a"), "$1\r\n1\r\n");
  EXPECT_EQ(client_.Line("set a 2"), "+OK\r\n");
  EXPECT_EQ(client_.Line("gEt a"), "$1\r\n2\r\n");
}

TEST_F(Strings, KeysAndValuesAreAnyBytes) {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);

  EXPECT_EQ(client_.Run({"SET", bytes, bytes}), "+OK\r\n");
  EXPECT_EQ(client_.Run({"GET", bytes}), Bulk(bytes));
  EXPECT_EQ(client_.Run({"SET", "empty", ""}), "+OK\r\n");
  EXPECT_EQ(client_.Run({"GET", "empty"}), "$0\r\n\r\n");
}

TEST_F(Strings, SetOnlyIfAbsentOrPresent) {
  EXPECT_EQ(client_.Line("SET a 1 XX"), "$-1\r\n");
  EXPECT_EQ(client_.Line("SET a 1 nx"), "+OK\r\n");
  EXPECT_EQ(client_.Line("SET a 2 NX"), "$-1\r\n");
  EXPECT_EQ(client_.Line("GET a"), "$1\r\n1\r\n");
  EXPECT_EQ(client_.Line("SET a 2 XX"), "+OK\r\n");
  EXPECT_EQ(client_.Line("SET a 3 XX NX"), kSyntax);
  EXPECT_EQ(client_.Line("SET a 3 NX XX"), kSyntax);
}

TEST_F(Strings, SetReturnsTheOldValueIfAsked) {
  EXPECT_EQ(client_.Line("SET a 1 GET"), "$-1\r\n");
  EXPECT_EQ(client_.Line("SET a 2 GET"), "$1\r\n1\r\n");
  EXPECT_EQ(client_.Line("SET a 3 NX GET"), "$1\r\n2\r\n");
  EXPECT_EQ(client_.Line("GET a"), "$1\r\n2\r\n");
  EXPECT_EQ(client_.Line("SET b 1 XX GET"), "$-1\r\n");
  EXPECT_EQ(client_.Line("EXISTS b"), ":0\r\n");
  EXPECT_EQ(client_.Line("SET b 1 GET NX"), "$-1\r\n");
  EXPECT_EQ(client_.Line("GET b"), "$1\r\n1\r\n");
}

TEST_F(Strings, SetRefusesExpiryAndNonsense) {
  for (const char* request : {"SET a 1 EX 10", "SET a 1 PX 10", "SET a 1 EXAT 10", "SET a 1 PXAT 9",
                              "SET a 1 KEEPTTL", "SET a 1 NX EX 10"}) {
    EXPECT_EQ(client_.Line(request), kNoExpiry) << request;
  }
  for (const char* request : {"SET a 1 EX", "SET a 1 EX 10 PX 10", "SET a 1 EX 10 KEEPTTL",
                              "SET a 1 FOO", "SET a 1 NX 5"}) {
    EXPECT_EQ(client_.Line(request), kSyntax) << request;
  }
  EXPECT_EQ(client_.Line("EXISTS a"), ":0\r\n");
}

TEST_F(Strings, EveryCommandAboutExpiryIsRefused) {
  client_.Line("SET a 1");
  for (const char* request :
       {"EXPIRE a 10", "PEXPIRE a 10", "EXPIREAT a 10", "PEXPIREAT a 10", "TTL a", "PTTL a",
        "EXPIRETIME a", "PEXPIRETIME a", "PERSIST a", "SETEX a 10 x", "PSETEX a 10 x", "GETEX a"}) {
    EXPECT_EQ(client_.Line(request), kNoExpiry) << request;
  }
  EXPECT_EQ(client_.Line("GET a"), "$1\r\n1\r\n");
  EXPECT_EQ(client_.Line("TTL"), "-ERR wrong number of arguments for 'ttl' command\r\n");
}

TEST_F(Strings, SetIfAbsent) {
  EXPECT_EQ(client_.Line("SETNX a 1"), ":1\r\n");
  EXPECT_EQ(client_.Line("SETNX a 2"), ":0\r\n");
  EXPECT_EQ(client_.Line("GET a"), "$1\r\n1\r\n");
}

TEST_F(Strings, GetAndSetOrDelete) {
  EXPECT_EQ(client_.Line("GETSET a 1"), "$-1\r\n");
  EXPECT_EQ(client_.Line("GETSET a 2"), "$1\r\n1\r\n");
  EXPECT_EQ(client_.Line("GETDEL a"), "$1\r\n2\r\n");
  EXPECT_EQ(client_.Line("GETDEL a"), "$-1\r\n");
}

TEST_F(Strings, ManyAtOnce) {
  EXPECT_EQ(client_.Line("MSET a 1 b 2 a 3"), "+OK\r\n");
  EXPECT_EQ(client_.Line("MGET a nope b a"), "*4\r\n$1\r\n3\r\n$-1\r\n$1\r\n2\r\n$1\r\n3\r\n");
  EXPECT_EQ(client_.Line("MSETNX c 1 a 9"), ":0\r\n");
  EXPECT_EQ(client_.Line("EXISTS c"), ":0\r\n");
  EXPECT_EQ(client_.Line("MSETNX c 1 d 2"), ":1\r\n");
  EXPECT_EQ(client_.Line("MSET a"), "-ERR wrong number of arguments for 'mset' command\r\n");
  EXPECT_EQ(client_.Line("MSET a 1 b"), "-ERR wrong number of arguments for 'mset' command\r\n");
  EXPECT_EQ(client_.Line("MSETNX a 1 b"),
            "-ERR wrong number of arguments for 'msetnx' command\r\n");
}

TEST_F(Strings, AFailingMsetChangesNothing) {
  world_.environment.value_bytes_max = 10;

  EXPECT_EQ(client_.Run({"MSET", "a", "1", "", "2"}), kBadKey);
  EXPECT_EQ(client_.Line("EXISTS a"), ":0\r\n");
}

TEST_F(Strings, LengthAndAppend) {
  EXPECT_EQ(client_.Line("STRLEN a"), ":0\r\n");
  EXPECT_EQ(client_.Line("APPEND a ab"), ":2\r\n");
  EXPECT_EQ(client_.Line("APPEND a cd"), ":4\r\n");
  EXPECT_EQ(client_.Run({"APPEND", "a", ""}), ":4\r\n");
  EXPECT_EQ(client_.Line("STRLEN a"), ":4\r\n");
  EXPECT_EQ(client_.Line("GET a"), "$4\r\nabcd\r\n");
}

TEST_F(Strings, Ranges) {
  client_.Line("SET a 0123456789");
  EXPECT_EQ(client_.Line("GETRANGE a 0 3"), "$4\r\n0123\r\n");
  EXPECT_EQ(client_.Line("GETRANGE a -3 -1"), "$3\r\n789\r\n");
  EXPECT_EQ(client_.Line("GETRANGE a 0 -1"), "$10\r\n0123456789\r\n");
  EXPECT_EQ(client_.Line("GETRANGE a 5 100"), "$5\r\n56789\r\n");
  EXPECT_EQ(client_.Line("GETRANGE a 10 11"), "$0\r\n\r\n");
  EXPECT_EQ(client_.Line("GETRANGE a 5 2"), "$0\r\n\r\n");
  EXPECT_EQ(client_.Line("GETRANGE a -1 -5"), "$0\r\n\r\n");
  EXPECT_EQ(client_.Line("GETRANGE a -100 1"), "$2\r\n01\r\n");
  EXPECT_EQ(client_.Line("GETRANGE a -9223372036854775808 9223372036854775807"),
            "$10\r\n0123456789\r\n");
  EXPECT_EQ(client_.Line("GETRANGE nope 0 -1"), "$0\r\n\r\n");
  EXPECT_EQ(client_.Line("SUBSTR a 1 2"), "$2\r\n12\r\n");
  EXPECT_EQ(client_.Line("GETRANGE a x 2"), kNotAnInteger);
  EXPECT_EQ(client_.Line("GETRANGE a 0 9223372036854775808"), kNotAnInteger);
}

TEST_F(Strings, SetRange) {
  EXPECT_EQ(client_.Run({"SETRANGE", "a", "5", ""}), ":0\r\n");
  EXPECT_EQ(client_.Line("EXISTS a"), ":0\r\n");
  EXPECT_EQ(client_.Line("SETRANGE a 2 xy"), ":4\r\n");
  EXPECT_EQ(client_.Line("GET a"), std::string("$4\r\n\0\0xy\r\n", 10));
  EXPECT_EQ(client_.Line("SETRANGE a 1 Z"), ":4\r\n");
  EXPECT_EQ(client_.Line("GET a"), std::string("$4\r\n\0Zxy\r\n", 10));
  EXPECT_EQ(client_.Run({"SETRANGE", "a", "9", ""}), ":4\r\n");
  EXPECT_EQ(client_.Line("SETRANGE a -1 x"), "-ERR offset is out of range\r\n");
  EXPECT_EQ(client_.Line("SETRANGE a x x"), kNotAnInteger);
}

TEST_F(Strings, NothingGrowsPastTheValueLimit) {
  world_.environment.value_bytes_max = 10;
  RespHarness client(world_);
  client.Line("SET a 12345");

  EXPECT_EQ(client.Line("APPEND a 123456"), kTooLong);
  EXPECT_EQ(client.Line("SETRANGE a 10 x"), kTooLong);
  EXPECT_EQ(client.Line("SETRANGE a 9223372036854775807 x"), kTooLong);
  EXPECT_EQ(client.Line("SETRANGE nope 536870912 x"), kTooLong);
  EXPECT_EQ(client.Line("GET a"), "$5\r\n12345\r\n");
  EXPECT_EQ(client.Line("APPEND a 12345"), ":10\r\n");
}

TEST_F(Strings, AnImpossibleKeyIsAbsentToReadsAndRefusedToWrites) {
  const std::string longest(511, 'k');
  const std::string too_long(512, 'k');
  for (const std::string& key : {std::string(), too_long}) {
    EXPECT_EQ(client_.Run({"SET", key, "1"}), kBadKey);
    EXPECT_EQ(client_.Run({"SET", key, "1", "NX"}), kBadKey);
    EXPECT_EQ(client_.Run({"SETNX", key, "1"}), kBadKey);
    EXPECT_EQ(client_.Run({"GETSET", key, "1"}), kBadKey);
    EXPECT_EQ(client_.Run({"APPEND", key, "1"}), kBadKey);
    EXPECT_EQ(client_.Run({"SETRANGE", key, "0", "1"}), kBadKey);
    EXPECT_EQ(client_.Run({"INCR", key}), kBadKey);
    EXPECT_EQ(client_.Run({"INCRBYFLOAT", key, "1"}), kBadKey);
    EXPECT_EQ(client_.Run({"MSETNX", key, "1"}), kBadKey);
    EXPECT_EQ(client_.Run({"GET", key}), "$-1\r\n");
    EXPECT_EQ(client_.Run({"GETDEL", key}), "$-1\r\n");
    EXPECT_EQ(client_.Run({"STRLEN", key}), ":0\r\n");
    EXPECT_EQ(client_.Run({"GETRANGE", key, "0", "1"}), "$0\r\n\r\n");
    EXPECT_EQ(client_.Run({"EXISTS", key}), ":0\r\n");
    EXPECT_EQ(client_.Run({"DEL", key}), ":0\r\n");
    EXPECT_EQ(client_.Run({"TYPE", key}), "+none\r\n");
  }
  EXPECT_EQ(client_.Run({"SET", longest, "1"}), "+OK\r\n");
  EXPECT_EQ(client_.Run({"MGET", longest, "", too_long, longest}),
            "*4\r\n$1\r\n1\r\n$-1\r\n$-1\r\n$1\r\n1\r\n");
  EXPECT_EQ(client_.Run({"EXISTS", "", longest, longest}), ":2\r\n");
}

TEST_F(Strings, Resp3SaysNullItsOwnWay) {
  client_.Line("HELLO 3");

  EXPECT_EQ(client_.Line("GET a"), "_\r\n");
  EXPECT_EQ(client_.Line("SET a 1 GET"), "_\r\n");
  EXPECT_EQ(client_.Line("SET a 1 NX"), "_\r\n");
  EXPECT_EQ(client_.Line("MGET a b"), "*2\r\n$1\r\n1\r\n_\r\n");
  EXPECT_EQ(client_.Line("GETDEL b"), "_\r\n");
}

TEST_F(Strings, AReadThatFailsSaysWhy) {
  world_.service.FailReads(Error{ErrorCode::kUnavailable, "no store can answer"});

  EXPECT_EQ(client_.Line("GET a"), "-UNAVAILABLE no store can answer\r\n");
  EXPECT_EQ(client_.Line("MGET a b"), "-UNAVAILABLE no store can answer\r\n");
  EXPECT_EQ(client_.Line("EXISTS a"), "-UNAVAILABLE no store can answer\r\n");
  EXPECT_EQ(client_.Line("STRLEN a"), "-UNAVAILABLE no store can answer\r\n");
  EXPECT_EQ(client_.Line("GETRANGE a 0 1"), "-UNAVAILABLE no store can answer\r\n");
  EXPECT_EQ(client_.Line("SCAN 0"), "-UNAVAILABLE no store can answer\r\n");
  EXPECT_EQ(client_.Line("KEYS *"), "-UNAVAILABLE no store can answer\r\n");
  EXPECT_EQ(client_.Line("DBSIZE"), "-UNAVAILABLE no store can answer\r\n");
  EXPECT_EQ(client_.Line("RANDOMKEY"), "-UNAVAILABLE no store can answer\r\n");
}

class Counters : public Strings {};

TEST_F(Counters, CountUpAndDown) {
  EXPECT_EQ(client_.Line("INCR a"), ":1\r\n");
  EXPECT_EQ(client_.Line("INCRBY a 10"), ":11\r\n");
  EXPECT_EQ(client_.Line("DECR a"), ":10\r\n");
  EXPECT_EQ(client_.Line("DECRBY a 20"), ":-10\r\n");
  EXPECT_EQ(client_.Line("INCRBY a -5"), ":-15\r\n");
  EXPECT_EQ(client_.Line("GET a"), "$3\r\n-15\r\n");
}

TEST_F(Counters, DoNotOverflow) {
  client_.Line("MSET max 9223372036854775807 min -9223372036854775808");

  EXPECT_EQ(client_.Line("INCR max"), "-ERR increment or decrement would overflow\r\n");
  EXPECT_EQ(client_.Line("DECR min"), "-ERR increment or decrement would overflow\r\n");
  EXPECT_EQ(client_.Line("DECRBY max -9223372036854775808"), "-ERR decrement would overflow\r\n");
  EXPECT_EQ(client_.Line("GET max"), "$19\r\n9223372036854775807\r\n");
  EXPECT_EQ(client_.Line("DECRBY max 9223372036854775807"), ":0\r\n");
}

TEST_F(Counters, TakeIntegersInOneFormOnly) {
  for (const char* value : {" 1", "1 ", "+1", "01", "-0", "1.0", "abc", "", "0x10",
                            "9223372036854775808", "-9223372036854775809"}) {
    client_.Run({"SET", "a", value});
    EXPECT_EQ(client_.Line("INCR a"), kNotAnInteger) << value;
    EXPECT_EQ(client_.Run({"INCRBY", "b", value}), kNotAnInteger) << value;
    EXPECT_EQ(client_.Run({"DECRBY", "b", value}), kNotAnInteger) << value;
  }
}

// Expected values: Redis 7.0.15.
TEST_F(Counters, CountInFractions) {
  client_.Line("SET f 3.0e3");
  EXPECT_EQ(client_.Line("INCRBYFLOAT f 200"), Bulk("3200"));
  EXPECT_EQ(client_.Line("INCRBYFLOAT f 5.0e3"), Bulk("8200"));
  EXPECT_EQ(client_.Line("INCRBYFLOAT f 0.1"), Bulk("8200.09999999999999964"));
  EXPECT_EQ(client_.Line("INCRBYFLOAT g 0.0000001"), Bulk("0.0000001"));
  EXPECT_EQ(client_.Line("INCRBYFLOAT h -0"), Bulk("0"));
  EXPECT_EQ(client_.Line("INCRBYFLOAT h 1e20"), Bulk("100000000000000000000"));
  EXPECT_EQ(client_.Line("INCRBYFLOAT i 0x10"), Bulk("16"));
  EXPECT_EQ(client_.Line("INCRBYFLOAT i -16.5"), Bulk("-0.5"));
  EXPECT_EQ(client_.Line("GET i"), Bulk("-0.5"));
}

TEST_F(Counters, RefuseWhatIsNoFraction) {
  client_.Line("SET s abc");
  for (const char* amount : {"abc", "", " 1", "1 ", "nan", "1e5000"}) {
    EXPECT_EQ(client_.Run({"INCRBYFLOAT", "a", amount}), "-ERR value is not a valid float\r\n")
        << amount;
  }
  EXPECT_EQ(client_.Line("INCRBYFLOAT s 1"), "-ERR value is not a valid float\r\n");
  EXPECT_EQ(client_.Line("INCRBYFLOAT a inf"), "-ERR increment would produce NaN or Infinity\r\n");
  EXPECT_EQ(client_.Line("EXISTS a"), ":0\r\n");
}

}  // namespace
}  // namespace switchback
