#include "server/commands/key_range.hpp"

#include <gtest/gtest.h>

#include "tests/support/fake_db_service.hpp"

namespace switchback {
namespace {

class KeyPages : public testing::Test {
 protected:
  KeyPages() : collection_(**service_.catalog().Intern("c")), session_(service_.NewSession()) {
    for (const char* key : {"a", "b", "ba", "bb", "c", "d"}) {
      EXPECT_TRUE(service_.Write(
          [&](Transaction& transaction) { return transaction.Put(collection_, key, "12345"); }));
    }
  }
  KeyPage Read(std::string_view after, std::string_view pattern, std::size_t count_max,
               std::size_t bytes_max = 1000) {
    auto page = ReadKeyPage(*session_, collection_, {after, pattern, count_max, bytes_max});
    EXPECT_TRUE(page);
    return *page;
  }

  FakeDbService service_;
  const Collection& collection_;
  std::unique_ptr<Session> session_;
};

using KeyList = std::vector<std::string>;

TEST_F(KeyPages, GoOnBehindTheLastKey) {
  const KeyPage first = Read("", "", 4);
  EXPECT_EQ(first.keys, (KeyList{"a", "b", "ba", "bb"}));
  EXPECT_EQ(first.last, "bb");
  EXPECT_FALSE(first.is_end);

  const KeyPage second = Read(first.last, "", 4);
  EXPECT_EQ(second.keys, (KeyList{"c", "d"}));
  EXPECT_TRUE(second.is_end);
}

TEST_F(KeyPages, EndExactlyWithTheLastRecord) {
  EXPECT_TRUE(Read("", "", 6).is_end);
  EXPECT_TRUE(Read("d", "", 6).is_end);
  EXPECT_TRUE(Read("d", "", 6).keys.empty());
}

TEST_F(KeyPages, LookOnlyWhereThePatternCanMatch) {
  const KeyPage page = Read("", "b*", 3);

  EXPECT_EQ(page.keys, (KeyList{"b", "ba", "bb"}));
  EXPECT_TRUE(page.is_end);
  EXPECT_TRUE(Read("bb", "b*", 3).keys.empty());
}

TEST_F(KeyPages, CountWhatIsLookedAtNotWhatMatches) {
  const KeyPage page = Read("", "*d", 2);

  EXPECT_TRUE(page.keys.empty());
  EXPECT_EQ(page.last, "b");
  EXPECT_FALSE(page.is_end);
}

TEST_F(KeyPages, StopAfterManyBytesButNotBeforeOneRecord) {
  EXPECT_EQ(Read("", "", 100, 1).keys, (KeyList{"a"}));
  EXPECT_EQ(Read("", "", 100, 8).keys, (KeyList{"a", "b"}));
}

TEST(PrefixSuccessor, IsAboveEverythingWithThePrefix) {
  EXPECT_EQ(PrefixSuccessor("ab"), "ac");
  EXPECT_EQ(PrefixSuccessor("a\xff"), "b");
  EXPECT_EQ(PrefixSuccessor("\xff\xff"), "");
  EXPECT_EQ(PrefixSuccessor(""), "");
}

}  // namespace
}  // namespace switchback
