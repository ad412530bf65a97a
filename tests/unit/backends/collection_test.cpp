#include "backends/collection.hpp"

#include <gtest/gtest.h>

#include <set>
#include <thread>

namespace switchback {
namespace {

TEST(Collection, NamesHaveACharsetALengthAndAReservedPrefix) {
  for (const char* good : {"a", "default", "A.b-c_9", "_", "__switch"}) {
    EXPECT_TRUE(IsValidCollectionName(good)) << good;
  }
  EXPECT_TRUE(IsValidCollectionName(std::string(64, 'x')));
  for (const char* bad : {"", "a b", "a/b", "a\"b", "ä", "a~2", "__switchback", "__switchback_x"}) {
    EXPECT_FALSE(IsValidCollectionName(bad)) << bad;
  }
  EXPECT_FALSE(IsValidCollectionName(std::string(65, 'x')));
  EXPECT_FALSE(IsValidCollectionName(std::string_view("a\0b", 3)));
}

TEST(CollectionCatalog, InternsANameOnce) {
  CollectionCatalog catalog;

  const Collection* first = *catalog.Intern("a");
  const Collection* second = *catalog.Intern("b");

  EXPECT_EQ(*catalog.Intern("a"), first);
  EXPECT_EQ(catalog.Find("b"), second);
  EXPECT_EQ(catalog.Find("c"), nullptr);
  EXPECT_EQ(first->index, 0u);
  EXPECT_EQ(second->index, 1u);
  EXPECT_EQ(catalog.All(), (std::vector<const Collection*>{first, second}));
}

TEST(CollectionCatalog, RefusesBadNamesAndTooMany) {
  CollectionCatalog catalog;
  EXPECT_EQ(catalog.Intern("a b").error().code, ErrorCode::kInvalidArgument);
  for (std::uint32_t i = 0; i < kCollectionCountMax; ++i) {
    ASSERT_TRUE(catalog.Intern("c" + std::to_string(i)).has_value());
  }

  EXPECT_EQ(catalog.Intern("more").error().code, ErrorCode::kTooLarge);
  EXPECT_TRUE(catalog.Intern("c0").has_value());
}

TEST(CollectionCatalog, StoreHoldsWhatItIsSaidToHoldNowAndLater) {
  CollectionCatalog catalog;
  const Collection* a = *catalog.Intern("a");
  const Collection* b = *catalog.Intern("b");
  EXPECT_TRUE(a->IsHeldBy(0) && a->IsHeldBy(1));

  catalog.SetHeld(1, {"a", "later"});

  EXPECT_TRUE(a->IsHeldBy(0) && a->IsHeldBy(1));
  EXPECT_TRUE(b->IsHeldBy(0));
  EXPECT_FALSE(b->IsHeldBy(1));
  EXPECT_TRUE((*catalog.Intern("later"))->IsHeldBy(1));
  EXPECT_FALSE((*catalog.Intern("other"))->IsHeldBy(1));
  catalog.SetHeld(1, {});
  EXPECT_TRUE(b->IsHeldBy(1) && (*catalog.Intern("other"))->IsHeldBy(1));
}

TEST(CollectionCatalog, ThreadsGetTheSameCollection) {
  CollectionCatalog catalog;
  std::vector<const Collection*> seen(4);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < seen.size(); ++i) {
    threads.emplace_back([&, i] { seen[i] = *catalog.Intern("shared"); });
  }
  for (std::thread& thread : threads) thread.join();

  EXPECT_EQ(std::set<const Collection*>(seen.begin(), seen.end()).size(), 1u);
}

}  // namespace
}  // namespace switchback
