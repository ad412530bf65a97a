// Keyspace commands: replies and errors, as Redis 7.0 gives them.
#include <gtest/gtest.h>

#include <random>
#include <set>

#include "tests/support/resp_harness.hpp"

namespace switchback {
namespace {

class Keyspace : public testing::Test {
 protected:
  struct Page {
    std::string cursor;
    std::vector<std::string> keys;
  };

  // Reads "*2 $cursor *n $key ...".
  static Page ParsePage(const std::string& reply) {
    Page page;
    std::vector<std::string> words;
    for (std::size_t at = 0; at < reply.size();) {
      const std::size_t end = reply.find("\r\n", at);
      words.push_back(reply.substr(at, end - at));
      at = end + 2;
    }
    page.cursor = words.at(2);
    for (std::size_t i = 5; i < words.size(); i += 2) page.keys.push_back(words[i]);
    return page;
  }
  Page ScanPage(const std::string& cursor, const std::string& options = "") {
    return ParsePage(client_.Line("SCAN " + cursor + " " + options));
  }
  std::set<std::string> ScanAll(const std::string& options = "") {
    std::set<std::string> keys;
    std::string cursor = "0";
    do {
      Page page = ScanPage(cursor, options);
      for (std::string& key : page.keys) {
        EXPECT_TRUE(keys.insert(key).second) << key << " came twice";
      }
      cursor = page.cursor;
    } while (cursor != "0");
    return keys;
  }
  void Fill(int count, const std::string& prefix) {
    for (int i = 0; i < count; ++i) client_.Run({"SET", prefix + std::to_string(i), "v"});
  }

  RespWorld world_;
  RespHarness client_{world_};
};

TEST_F(Keyspace, DeleteAndExists) {
  client_.Line("MSET a 1 b 2 c 3");

  EXPECT_EQ(client_.Line("EXISTS a a nope b"), ":3\r\n");
  EXPECT_EQ(client_.Line("TOUCH a nope"), ":1\r\n");
  EXPECT_EQ(client_.Line("DEL a nope a"), ":1\r\n");
  EXPECT_EQ(client_.Line("UNLINK b c"), ":2\r\n");
  EXPECT_EQ(client_.Line("EXISTS a b c"), ":0\r\n");
}

TEST_F(Keyspace, EverythingIsAString) {
  client_.Line("SET a 1");

  EXPECT_EQ(client_.Line("TYPE a"), "+string\r\n");
  EXPECT_EQ(client_.Line("TYPE b"), "+none\r\n");
}

TEST_F(Keyspace, Rename) {
  client_.Line("MSET a 1 b 2");

  EXPECT_EQ(client_.Line("RENAME nope x"), "-ERR no such key\r\n");
  EXPECT_EQ(client_.Line("RENAME a a"), "+OK\r\n");
  EXPECT_EQ(client_.Line("RENAMENX a a"), ":0\r\n");
  EXPECT_EQ(client_.Line("RENAMENX a b"), ":0\r\n");
  EXPECT_EQ(client_.Line("RENAME a b"), "+OK\r\n");
  EXPECT_EQ(client_.Line("MGET a b"), "*2\r\n$-1\r\n$1\r\n1\r\n");
  EXPECT_EQ(client_.Line("RENAMENX b c"), ":1\r\n");
  EXPECT_EQ(client_.Line("RENAMENX nope c"), "-ERR no such key\r\n");
  EXPECT_EQ(client_.Run({"RENAME", "c", ""}), "-ERR key must be 1 to 511 bytes\r\n");
  EXPECT_EQ(client_.Line("GET c"), "$1\r\n1\r\n");
}

TEST_F(Keyspace, Copy) {
  client_.Line("SET a 1");

  EXPECT_EQ(client_.Line("COPY a b"), ":1\r\n");
  EXPECT_EQ(client_.Line("COPY a b"), ":0\r\n");
  EXPECT_EQ(client_.Line("COPY nope c"), ":0\r\n");
  EXPECT_EQ(client_.Line("COPY a a"), "-ERR source and destination objects are the same\r\n");
  EXPECT_EQ(client_.Line("COPY a a DB 0"), "-ERR source and destination objects are the same\r\n");
  EXPECT_EQ(client_.Line("COPY a a DB 1"), ":1\r\n");
  EXPECT_EQ(client_.Line("COPY a a DB users"), ":1\r\n");
  EXPECT_EQ(client_.Line("COPY a b DB 99"), "-ERR DB index is out of range\r\n");
  EXPECT_EQ(client_.Line("COPY a b FOO"), "-ERR syntax error\r\n");
  EXPECT_EQ(client_.Line("COPY a b DB"), "-ERR syntax error\r\n");
  client_.Line("SET a 2");
  EXPECT_EQ(client_.Line("COPY a b REPLACE"), ":1\r\n");
  EXPECT_EQ(client_.Line("GET b"), "$1\r\n2\r\n");
  EXPECT_EQ(world_.service.RecordsOf("db1"), (FakeDbService::Records{{"a", "1"}}));
  EXPECT_EQ(world_.service.RecordsOf("users"), (FakeDbService::Records{{"a", "1"}}));
}

TEST_F(Keyspace, Flush) {
  client_.Line("SET a 1");
  client_.Line("SELECT 1");
  client_.Line("MSET a 1 b 2");

  EXPECT_EQ(client_.Line("DBSIZE"), ":2\r\n");
  EXPECT_EQ(client_.Line("FLUSHDB"), "+OK\r\n");
  EXPECT_EQ(client_.Line("DBSIZE"), ":0\r\n");
  EXPECT_EQ(world_.service.RecordsOf("default").size(), 1u);
  EXPECT_EQ(client_.Line("FLUSHALL ASYNC"), "+OK\r\n");
  EXPECT_EQ(world_.service.RecordsOf("default").size(), 0u);
  EXPECT_EQ(client_.Line("FLUSHDB sync"), "+OK\r\n");
  EXPECT_EQ(client_.Line("FLUSHALL"), "+OK\r\n");
  EXPECT_EQ(client_.Line("FLUSHDB x"), "-ERR syntax error\r\n");
  EXPECT_EQ(client_.Line("FLUSHALL SYNC ASYNC"), "-ERR syntax error\r\n");
}

TEST_F(Keyspace, Keys) {
  client_.Line("MSET one 1 two 2 three 3 t* 4");

  EXPECT_EQ(client_.Line("KEYS t*"), "*3\r\n$2\r\nt*\r\n$5\r\nthree\r\n$3\r\ntwo\r\n");
  EXPECT_EQ(client_.Line("KEYS t\\*"), "*1\r\n$2\r\nt*\r\n");
  EXPECT_EQ(client_.Line("KEYS *o*"), "*2\r\n$3\r\none\r\n$3\r\ntwo\r\n");
  EXPECT_EQ(client_.Line("KEYS nope"), "*0\r\n");
  EXPECT_EQ(client_.Run({"KEYS", ""}), "*0\r\n");
  EXPECT_EQ(client_.Run({"KEYS", std::string(5000, '*')}), "-ERR pattern is too long\r\n");
}

TEST_F(Keyspace, KeysFindsThemAllAcrossSlices) {
  const int count = static_cast<int>(2 * kKeysSliceCount + 5);
  Fill(count, "key:");

  EXPECT_EQ(client_.Line("KEYS *").substr(0, 7), "*" + std::to_string(count) + "\r\n");
  EXPECT_EQ(world_.service.open_turns(), 0) << "a snapshot was left open";
}

TEST_F(Keyspace, RandomKeyFindsEveryKeyInTime) {
  EXPECT_EQ(client_.Line("RANDOMKEY"), "$-1\r\n");
  std::set<std::string> wanted;
  for (const char* key : {"a", "ab", "abc", "abd", "user:1:name", "user:2:name", "\xff\xff", "z"}) {
    client_.Run({"SET", key, "1"});
    wanted.insert(Bulk(key));
  }

  // The rarest of them comes about once in a thousand draws: 5,000 would miss it in one run of 200.
  constexpr int kDrawsMax = 100'000;
  std::set<std::string> found;
  for (int i = 0; i < kDrawsMax && found != wanted; ++i) {
    const std::string key = client_.Line("RANDOMKEY");
    ASSERT_TRUE(wanted.contains(key)) << key;
    found.insert(key);
  }

  EXPECT_EQ(found, wanted);
}

TEST_F(Keyspace, RandomKeySpreadsOverKeysWithOneBeginning) {
  Fill(1000, "user:profile:");
  std::set<std::string> found;
  for (int i = 0; i < 300; ++i) found.insert(client_.Line("RANDOMKEY"));

  EXPECT_GT(found.size(), 100u);
}

TEST_F(Keyspace, ScanReturnsEveryKeyOnce) {
  Fill(1234, "key:");

  EXPECT_EQ(ScanAll().size(), 1234u);
  EXPECT_EQ(ScanAll("COUNT 1").size(), 1234u);
  EXPECT_EQ(ScanAll("COUNT 1000000").size(), 1234u);
  EXPECT_EQ(ScanAll("MATCH key:1*").size(), 345u);
  EXPECT_EQ(ScanAll("MATCH *99 COUNT 7").size(), 12u);
  EXPECT_EQ(ScanAll("TYPE string").size(), 1234u);
}

TEST_F(Keyspace, ScanOfAnEmptyCollectionEndsAtOnce) {
  EXPECT_EQ(client_.Line("SCAN 0"), "*2\r\n$1\r\n0\r\n*0\r\n");
}

TEST_F(Keyspace, ScanGoesOnThroughPagesWithoutAMatch) {
  Fill(100, "key:");

  const Page page = ScanPage("0", "MATCH *nothing* COUNT 10");

  EXPECT_TRUE(page.keys.empty());
  EXPECT_NE(page.cursor, "0");
  EXPECT_TRUE(ScanAll("MATCH *nothing* COUNT 10").empty());
}

TEST_F(Keyspace, ScanOfAnotherTypeFindsNothing) {
  Fill(100, "key:");

  EXPECT_EQ(client_.Line("SCAN 0 TYPE hash"), "*2\r\n$1\r\n0\r\n*0\r\n");
}

TEST_F(Keyspace, ScanReturnsWhatIsThereAllTheTimeWhateverChangesMeanwhile) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  Fill(500, "stays:");
  Fill(500, "goes:");
  std::set<std::string> found;
  std::string cursor = "0";
  do {
    const Page page = ScanPage(cursor, "COUNT 20");
    found.insert(page.keys.begin(), page.keys.end());
    cursor = page.cursor;
    for (int i = 0; i < 10; ++i) {
      client_.Line("DEL goes:" + std::to_string(random() % 500));
      client_.Line("SET new:" + std::to_string(random() % 500) + " v");
    }
  } while (cursor != "0");

  for (int i = 0; i < 500; ++i) {
    EXPECT_TRUE(found.contains("stays:" + std::to_string(i))) << i;
  }
}

TEST_F(Keyspace, ScanSurvivesTheDeletionOfTheKeyItStoppedAt) {
  client_.Line("MSET a 1 b 2 c 3 d 4");
  const Page page = ScanPage("0", "COUNT 2");
  ASSERT_EQ(page.keys, (std::vector<std::string>{"a", "b"}));

  client_.Line("DEL b");

  EXPECT_EQ(ScanPage(page.cursor, "COUNT 2").keys, (std::vector<std::string>{"c", "d"}));
}

TEST_F(Keyspace, AScanPageCanBeAskedForAgain) {
  Fill(50, "key:");
  const Page first = ScanPage("0");
  const Page second = ScanPage(first.cursor);

  EXPECT_EQ(ScanPage(first.cursor).keys, second.keys);
}

TEST_F(Keyspace, ScanHandlesKeysOfTheGreatestLength) {
  for (int i = 0; i < 5; ++i) {
    client_.Run({"SET", std::string(511, static_cast<char>('a' + i)), "v"});
  }

  EXPECT_EQ(ScanAll("COUNT 1").size(), 5u);
}

TEST_F(Keyspace, ScanRefusesNonsense) {
  EXPECT_EQ(client_.Line("SCAN x"), "-ERR invalid cursor\r\n");
  EXPECT_EQ(client_.Line("SCAN -1"), "-ERR invalid cursor\r\n");
  EXPECT_EQ(client_.Line("SCAN 18446744073709551616"), "-ERR invalid cursor\r\n");
  EXPECT_EQ(client_.Line("SCAN 12345"),
            "-ERR invalid cursor: it is not known any more, begin again with cursor 0\r\n");
  EXPECT_EQ(client_.Line("SCAN 0 COUNT 0"), "-ERR syntax error\r\n");
  EXPECT_EQ(client_.Line("SCAN 0 COUNT -1"), "-ERR syntax error\r\n");
  EXPECT_EQ(client_.Line("SCAN 0 COUNT x"), "-ERR value is not an integer or out of range\r\n");
  EXPECT_EQ(client_.Line("SCAN 0 MATCH"), "-ERR syntax error\r\n");
  EXPECT_EQ(client_.Line("SCAN 0 FOO 1"), "-ERR syntax error\r\n");
  EXPECT_EQ(client_.Run({"SCAN", "0", "MATCH", std::string(5000, 'x')}),
            "-ERR pattern is too long\r\n");
}

TEST_F(Keyspace, CollectionsAreApart) {
  client_.Line("SET a zero");

  EXPECT_EQ(client_.Line("SELECT 1"), "+OK\r\n");
  EXPECT_EQ(client_.Line("GET a"), "$-1\r\n");
  EXPECT_EQ(client_.Line("SELECT users"), "+OK\r\n");
  EXPECT_EQ(client_.Line("SET a named"), "+OK\r\n");
  EXPECT_EQ(client_.Line("SELECT 0"), "+OK\r\n");
  EXPECT_EQ(client_.Line("GET a"), "$4\r\nzero\r\n");
  EXPECT_EQ(world_.service.RecordsOf("users"), (FakeDbService::Records{{"a", "named"}}));
}

TEST_F(Keyspace, SelectRefusesWhatIsNoCollection) {
  EXPECT_EQ(client_.Line("SELECT 16"), "-ERR DB index is out of range\r\n");
  EXPECT_EQ(client_.Line("SELECT -1"), "-ERR DB index is out of range\r\n");
  EXPECT_EQ(client_.Line("SELECT 4294967296"), "-ERR DB index is out of range\r\n");
  EXPECT_EQ(client_.Run({"SELECT", "no/slash"}).substr(0, 5), "-ERR ");
  EXPECT_EQ(client_.Run({"SELECT", "__switchback"}).substr(0, 5), "-ERR ");
  EXPECT_EQ(client_.Run({"SELECT", ""}).substr(0, 5), "-ERR ");
  EXPECT_EQ(client_.Line("GET a"), "$-1\r\n");
}

TEST_F(Keyspace, ANumberThatIsAKnownNameSelectsIt) {
  ASSERT_TRUE(world_.service.catalog().Intern("2024"));

  EXPECT_EQ(client_.Line("SELECT 2024"), "+OK\r\n");
  client_.Line("SET a 1");
  EXPECT_EQ(world_.service.RecordsOf("2024").size(), 1u);
}

}  // namespace
}  // namespace switchback
