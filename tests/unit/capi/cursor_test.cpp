// Scans.
#include <algorithm>

#include "tests/unit/capi/capi_world.hpp"

namespace switchback::test {
namespace {

class CapiCursorTest : public CapiTest {
 protected:
  void SetUp() override { Open(); }
  // All at once: a durable write each would take seconds.
  void Fill(int count) {
    switchback_batch* batch = nullptr;
    ASSERT_TRUE(IsDone(switchback_batch_create(&batch)));
    for (int i = 0; i < count; ++i) {
      const std::string key = KeyOf(i);
      ASSERT_TRUE(IsDone(switchback_batch_put(batch, "c", key.data(), key.size(), "v", 1)));
    }
    ASSERT_TRUE(IsDone(switchback_batch_write(db_, batch, nullptr)));
    switchback_batch_free(batch);
  }
  static std::string KeyOf(int i) {
    std::string digits = std::to_string(i);
    return "k" + std::string(5 - digits.size(), '0') + digits;
  }
};

TEST_F(CapiCursorTest, GivesEveryRecordInOrderOverManyPages) {
  Fill(1000);

  const Records records = Scan("");

  ASSERT_EQ(records.size(), 1000u);
  EXPECT_TRUE(std::is_sorted(records.begin(), records.end()));
  EXPECT_EQ(records.front().first, KeyOf(0));
  EXPECT_EQ(records.back().first, KeyOf(999));
}

TEST_F(CapiCursorTest, KeepsToPrefixBeginningAndLimit) {
  Fill(1000);
  ASSERT_TRUE(IsDone(Put("a", "before")));
  ASSERT_TRUE(IsDone(Put("z", "behind")));

  EXPECT_EQ(Scan("k").size(), 1000u);
  EXPECT_EQ(Scan("k0012").size(), 10u);
  EXPECT_EQ(Scan("none").size(), 0u);
  EXPECT_EQ(Scan("k", KeyOf(990)).size(), 10u);
  EXPECT_EQ(Scan("k", "a").size(), 1000u);
  EXPECT_EQ(Scan("k", "z").size(), 0u);
  EXPECT_EQ(Scan("").size(), 1002u);
  for (const std::uint64_t limit : {1u, 255u, 256u, 257u, 512u, 600u})
    EXPECT_EQ(Scan("k", "", limit).size(), limit);
  EXPECT_EQ(Scan("k", "", 5000).size(), 1000u);
}

TEST_F(CapiCursorTest, GoesOnBehindTheLongestKeysAndLargeValues) {
  const std::string value(400'000, 'v');
  for (const char last : {'a', 'b', 'c', 'd', 'e', 'f'})
    ASSERT_TRUE(IsDone(Put(std::string(510, 'k') + last, value)));

  const Records records = Scan("k");

  ASSERT_EQ(records.size(), 6u) << "two pages, by their bytes";
  for (const auto& record : records) EXPECT_EQ(record.second, value);
}

TEST_F(CapiCursorTest, EmptyValuesAndBytesComeThrough) {
  ASSERT_TRUE(IsDone(Put(std::string("p\0a", 3), "")));
  ASSERT_TRUE(IsDone(Put(std::string("p\0b", 3), std::string("\0", 1))));

  const Records records = Scan(std::string("p\0", 2));

  EXPECT_EQ(records, (Records{{std::string("p\0a", 3), ""},
                              {std::string("p\0b", 3), std::string("\0", 1)}}));
}

TEST_F(CapiCursorTest, RecordsMayBeRemovedWhileItGoesOn) {
  Fill(600);
  switchback_cursor* cursor = nullptr;
  ASSERT_TRUE(IsDone(switchback_scan(db_, "c", "k", 1, nullptr, 0, 0, &cursor)));
  const void* key = nullptr;
  std::size_t size = 0;
  int seen = 0;

  while (switchback_cursor_next(cursor, &key, &size, nullptr, nullptr) == SWITCHBACK_OK &&
         key != nullptr) {
    EXPECT_EQ(std::string(static_cast<const char*>(key), size), KeyOf(seen++));
    // The last of a page: the next one begins behind a key that is gone.
    if (seen == 256) {
      ASSERT_TRUE(IsDone(switchback_delete(db_, "c", key, size, nullptr)));
    }
  }

  EXPECT_EQ(seen, 600);
  EXPECT_TRUE(IsDone(switchback_cursor_next(cursor, &key, &size, nullptr, nullptr)));
  EXPECT_EQ(key, nullptr) << "the end stays the end";
  switchback_cursor_free(cursor);
}

TEST_F(CapiCursorTest, AfterCloseItIsCancelledAndMayBeFreed) {
  Fill(10);
  switchback_cursor* cursor = nullptr;
  ASSERT_TRUE(IsDone(switchback_scan(db_, "c", nullptr, 0, nullptr, 0, 0, &cursor)));

  Close();

  const void* key = nullptr;
  std::size_t size = 0;
  EXPECT_TRUE(Says(switchback_cursor_next(cursor, &key, &size, nullptr, nullptr),
                   SWITCHBACK_CANCELLED, "open it"));
  switchback_cursor_free(cursor);
  Open();
  EXPECT_EQ(Scan("k").size(), 10u) << "a cursor does not keep the directory";
}

TEST_F(CapiCursorTest, ACursorThatStaysDoesNotKeepTheDirectory) {
  switchback_cursor* cursor = nullptr;
  ASSERT_TRUE(IsDone(switchback_scan(db_, "c", nullptr, 0, nullptr, 0, 0, &cursor)));
  Close();

  Open();

  switchback_cursor_free(cursor);
}

TEST_F(CapiCursorTest, WrongArgumentsAreSaid) {
  const auto wrong = SWITCHBACK_INVALID_ARGUMENT;
  const std::string longer(512, 'p');
  switchback_cursor* cursor = nullptr;
  std::size_t size = 0;

  EXPECT_TRUE(Says(switchback_scan(db_, "c", "", 0, "", 0, 0, nullptr), wrong, "cursor"));
  EXPECT_TRUE(Says(switchback_scan(nullptr, "c", "", 0, "", 0, 0, &cursor), wrong, "db"));
  EXPECT_TRUE(Says(switchback_scan(db_, "a b", "", 0, "", 0, 0, &cursor), wrong, "collection"));
  EXPECT_TRUE(Says(switchback_scan(db_, "c", longer.data(), 512, "", 0, 0, &cursor), wrong, "511"));
  EXPECT_TRUE(Says(switchback_scan(db_, "c", "", 0, longer.data(), 512, 0, &cursor), wrong, "511"));
  EXPECT_TRUE(Says(switchback_scan(db_, "c", nullptr, 1, "", 0, 0, &cursor), wrong, "prefix"));
  EXPECT_EQ(cursor, nullptr);
  const void* key = this;
  EXPECT_TRUE(
      Says(switchback_cursor_next(nullptr, &key, &size, nullptr, nullptr), wrong, "cursor"));
  EXPECT_EQ(key, nullptr);
  ASSERT_TRUE(IsDone(switchback_scan(db_, "c", nullptr, 0, nullptr, 0, 0, &cursor)));
  EXPECT_TRUE(Says(switchback_cursor_next(cursor, nullptr, &size, nullptr, nullptr), wrong, "key"));
  switchback_cursor_free(cursor);
  switchback_cursor_free(nullptr);
}

}  // namespace
}  // namespace switchback::test
