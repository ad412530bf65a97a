#include "flags/entity_list.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

namespace switchback {
namespace {

TEST(EntityList, AnEmptyListHoldsNobody) {
  const EntityList list;

  EXPECT_TRUE(list.is_empty());
  EXPECT_FALSE(list.has_everything());
  EXPECT_FALSE(list.Contains(""));
  EXPECT_FALSE(list.Contains("a"));
}

TEST(EntityList, AnEntityMatchesOnlyItself) {
  const EntityList list({"tenant-b", "tenant-a"});

  EXPECT_TRUE(list.Contains("tenant-a"));
  EXPECT_TRUE(list.Contains("tenant-b"));
  EXPECT_FALSE(list.Contains("tenant-"));
  EXPECT_FALSE(list.Contains("tenant-aa"));
}

TEST(EntityList, APrefixMatchesItselfAndWhatBeginsWithIt) {
  const EntityList list({"test-*"});

  EXPECT_TRUE(list.Contains("test-"));
  EXPECT_TRUE(list.Contains("test-7"));
  EXPECT_FALSE(list.Contains("test"));
  EXPECT_FALSE(list.Contains("a-test-7"));
}

TEST(EntityList, OnlyTheLastStarIsASign) {
  const EntityList list({"a*b", "c**"});

  EXPECT_TRUE(list.Contains("a*b"));
  EXPECT_FALSE(list.Contains("axb"));
  EXPECT_TRUE(list.Contains("c*d"));
  EXPECT_FALSE(list.Contains("cd"));
}

TEST(EntityList, AStarAloneIsEverybody) {
  const EntityList list({"tenant-*", "*"});

  EXPECT_TRUE(list.has_everything());
  EXPECT_TRUE(list.Contains(""));
  EXPECT_TRUE(list.Contains("anything"));
}

TEST(EntityList, IsTheSameHoweverItWasWritten) {
  const EntityList list({"b", "a*", "b", "a"});

  EXPECT_EQ(list, EntityList({"a", "b", "a*"}));
  EXPECT_EQ(list.entries(), (std::vector<std::string>{"a", "a*", "b"}));
}

bool ContainsByScan(const std::vector<std::string>& entries, const std::string& entity) {
  return std::any_of(entries.begin(), entries.end(), [&](const std::string& entry) {
    return entry.back() == '*' ? entity.starts_with(entry.substr(0, entry.size() - 1))
                               : entity == entry;
  });
}

std::string RandomWord(std::mt19937& random) {
  std::string word;
  for (auto length = random() % 5; length > 0; --length) word.push_back("ab*\xFF"[random() % 4]);
  return word;
}

TEST(EntityList, AnswersAsAPlainScanDoes) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);

  for (int round = 0; round < 2000; ++round) {
    std::vector<std::string> entries;
    for (auto count = random() % 6; count > 0; --count) {
      entries.push_back(RandomWord(random) + (random() % 2 == 0 ? "*" : "a"));
    }
    const EntityList list(entries);
    for (int lookup = 0; lookup < 20; ++lookup) {
      const std::string entity = RandomWord(random);
      ASSERT_EQ(list.Contains(entity), ContainsByScan(entries, entity)) << entity;
    }
  }
}

}  // namespace
}  // namespace switchback
