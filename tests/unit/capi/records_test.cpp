// Records one by one, compare-and-set, many threads.
#include <array>
#include <atomic>
#include <cstring>
#include <thread>

#include "tests/unit/capi/capi_world.hpp"

namespace switchback::test {
namespace {

class CapiRecordsTest : public CapiTest {
 protected:
  void SetUp() override { Open(); }
  switchback_code CompareAndSet(const std::string& key, const char* expected, const char* value,
                                int& swapped) {
    const auto size = [](const char* text) { return text == nullptr ? 0 : std::strlen(text); };
    return switchback_compare_and_set(db_, "c", key.data(), key.size(), expected, size(expected),
                                      value, size(value), &swapped);
  }
};

TEST_F(CapiRecordsTest, KeysAndValuesAreBytes) {
  const std::string key("a\0b", 3);
  const std::string value("\0v\0", 3);

  ASSERT_TRUE(IsDone(Put(key, value)));

  EXPECT_EQ(Get(key), value);
  EXPECT_EQ(Get("a"), std::nullopt);
  EXPECT_EQ(Get(std::string("a\0c", 3)), std::nullopt);
}

TEST_F(CapiRecordsTest, AnEmptyValueIsNotAnAbsentOne) {
  ASSERT_TRUE(IsDone(switchback_put(db_, "c", "k", 1, nullptr, 0)));

  EXPECT_EQ(Get("k"), "");
  EXPECT_EQ(Get("other"), std::nullopt);
}

TEST_F(CapiRecordsTest, DeleteAndExistsTellWhetherThereWasOne) {
  ASSERT_TRUE(IsDone(Put("k", "v")));
  int answer = -1;

  EXPECT_TRUE(IsDone(switchback_exists(db_, "c", "k", 1, &answer)));
  EXPECT_EQ(answer, 1);
  EXPECT_TRUE(IsDone(switchback_delete(db_, "c", "k", 1, &answer)));
  EXPECT_EQ(answer, 1);
  EXPECT_TRUE(IsDone(switchback_delete(db_, "c", "k", 1, &answer)));
  EXPECT_EQ(answer, 0);
  EXPECT_TRUE(IsDone(switchback_exists(db_, "c", "k", 1, &answer)));
  EXPECT_EQ(answer, 0);
  EXPECT_TRUE(IsDone(switchback_delete(db_, "c", "k", 1, nullptr)));
}

TEST_F(CapiRecordsTest, KeysHaveOneTo511Bytes) {
  EXPECT_TRUE(IsDone(Put(std::string(511, 'k'), "v")));
  EXPECT_EQ(Get(std::string(511, 'k')), "v");
  for (const std::string& key : {std::string(), std::string(512, 'k')}) {
    void* value = nullptr;
    std::size_t size = 0;
    int answer = 0;
    EXPECT_TRUE(Says(Put(key, "v"), SWITCHBACK_INVALID_ARGUMENT, "511"));
    EXPECT_TRUE(Says(switchback_get(db_, "c", key.data(), key.size(), &value, &size),
                     SWITCHBACK_INVALID_ARGUMENT, "511"));
    EXPECT_TRUE(Says(switchback_exists(db_, "c", key.data(), key.size(), &answer),
                     SWITCHBACK_INVALID_ARGUMENT, "511"));
    EXPECT_TRUE(Says(switchback_delete(db_, "c", key.data(), key.size(), &answer),
                     SWITCHBACK_INVALID_ARGUMENT, "511"));
    EXPECT_TRUE(Says(CompareAndSet(key, nullptr, "v", answer), SWITCHBACK_INVALID_ARGUMENT, "511"));
  }
}

TEST_F(CapiRecordsTest, AValuePastTheLimitIsRefusedAndNothingIsStored) {
  Close();
  options_.value_bytes_max = 10;
  Open();

  EXPECT_TRUE(IsDone(Put("fits", std::string(10, 'v'))));
  EXPECT_TRUE(Says(Put("k", std::string(11, 'v')), SWITCHBACK_TOO_LARGE));

  EXPECT_EQ(Get("k"), std::nullopt);
}

TEST_F(CapiRecordsTest, WrongCollectionsAreSaidAndReadsMakeNone) {
  for (const char* name : {"", "a b", "__switchback", "ä"}) {
    EXPECT_TRUE(
        Says(switchback_put(db_, name, "k", 1, "v", 1), SWITCHBACK_INVALID_ARGUMENT, "collection"));
  }
  const std::string longest(64, 'n');
  EXPECT_TRUE(IsDone(switchback_put(db_, longest.c_str(), "k", 1, "v", 1)));
  EXPECT_EQ(GetFrom(longest.c_str(), "k"), "v");
  // Many more names than there may be collections.
  for (int i = 0; i < 3000; ++i)
    ASSERT_EQ(GetFrom(("invented" + std::to_string(i)).c_str(), "k"), std::nullopt);
  EXPECT_TRUE(IsDone(switchback_put(db_, "one-more", "k", 1, "v", 1)));
}

TEST_F(CapiRecordsTest, NullIsSaid) {
  void* value = this;
  std::size_t size = 0;
  int answer = 0;
  const auto wrong = SWITCHBACK_INVALID_ARGUMENT;

  EXPECT_TRUE(Says(switchback_put(nullptr, "c", "k", 1, "v", 1), wrong, "db"));
  EXPECT_TRUE(Says(switchback_put(db_, nullptr, "k", 1, "v", 1), wrong, "collection"));
  EXPECT_TRUE(Says(switchback_put(db_, "c", nullptr, 1, "v", 1), wrong, "key"));
  EXPECT_TRUE(Says(switchback_put(db_, "c", "k", 1, nullptr, 1), wrong, "value"));
  EXPECT_TRUE(Says(switchback_get(nullptr, "c", "k", 1, &value, &size), wrong, "db"));
  EXPECT_EQ(value, nullptr) << "whoever frees it without looking does no harm";
  EXPECT_TRUE(Says(switchback_get(db_, "c", "k", 1, nullptr, &size), wrong, "value"));
  EXPECT_TRUE(Says(switchback_get(db_, "c", "k", 1, &value, nullptr), wrong, "value_size"));
  EXPECT_TRUE(Says(switchback_exists(db_, "c", "k", 1, nullptr), wrong, "exists"));
  EXPECT_TRUE(Says(switchback_exists(nullptr, "c", "k", 1, &answer), wrong, "db"));
  EXPECT_TRUE(Says(switchback_delete(nullptr, "c", "k", 1, &answer), wrong, "db"));
  EXPECT_TRUE(Says(switchback_delete(db_, "c", nullptr, 4, &answer), wrong, "key"));
  EXPECT_TRUE(Says(switchback_count(db_, "c", nullptr), wrong, "count"));
  EXPECT_TRUE(Says(switchback_compare_and_set(db_, "c", "k", 1, nullptr, 0, "v", 1, nullptr), wrong,
                   "swapped"));
  EXPECT_TRUE(Says(switchback_compare_and_set(db_, "c", "k", 1, nullptr, 3, "v", 1, &answer), wrong,
                   "expected"));
}

TEST_F(CapiRecordsTest, GivesManyValuesInTheOrderAsked) {
  ASSERT_TRUE(IsDone(Put("a", "1")));
  ASSERT_TRUE(IsDone(Put("b", "")));
  const std::array<const void*, 4> keys{"b", "none", "a", "a"};
  const std::array<std::size_t, 4> key_sizes{1, 4, 1, 1};
  std::array<void*, 4> values{};
  std::array<std::size_t, 4> sizes{9, 9, 9, 9};

  ASSERT_TRUE(IsDone(switchback_get_many(db_, "c", 4, keys.data(), key_sizes.data(), values.data(),
                                         sizes.data())));

  EXPECT_EQ(sizes, (std::array<std::size_t, 4>{0, 0, 1, 1}));
  EXPECT_STREQ(static_cast<char*>(values[0]), "");
  EXPECT_EQ(values[1], nullptr);
  EXPECT_STREQ(static_cast<char*>(values[2]), "1");
  EXPECT_STREQ(static_cast<char*>(values[3]), "1");
  for (void* value : values) switchback_free(value);
  EXPECT_TRUE(IsDone(switchback_get_many(db_, "invented", 4, keys.data(), key_sizes.data(),
                                         values.data(), sizes.data())));
  EXPECT_EQ(values, (std::array<void*, 4>{}));
}

TEST_F(CapiRecordsTest, GetManySaysWhichKeyIsWrong) {
  const std::array<const void*, 2> keys{"a", nullptr};
  const std::array<std::size_t, 2> key_sizes{1, 1};
  std::array<void*, 2> values{this, this};
  std::array<std::size_t, 2> sizes{};
  const auto get = [&](std::size_t count, const void* const* from, void** to) {
    return switchback_get_many(db_, "c", count, from, key_sizes.data(), to, sizes.data());
  };
  const auto wrong = SWITCHBACK_INVALID_ARGUMENT;

  EXPECT_TRUE(Says(get(2, keys.data(), values.data()), wrong, "keys[1]"));
  EXPECT_EQ(values, (std::array<void*, 2>{}));
  EXPECT_TRUE(Says(get(2, nullptr, values.data()), wrong, "keys"));
  EXPECT_TRUE(Says(get(2, keys.data(), nullptr), wrong, "values"));
  EXPECT_TRUE(Says(get(65537, keys.data(), values.data()), SWITCHBACK_TOO_LARGE, "65536"));
  EXPECT_TRUE(IsDone(get(0, nullptr, nullptr)));
}

TEST_F(CapiRecordsTest, CountsRecords) {
  std::uint64_t count = 99;
  EXPECT_TRUE(IsDone(switchback_count(db_, "c", &count)));
  EXPECT_EQ(count, 0u);
  for (const char* key : {"a", "b", "c"}) ASSERT_TRUE(IsDone(Put(key, "")));

  EXPECT_TRUE(IsDone(switchback_count(db_, "c", &count)));

  EXPECT_EQ(count, 3u);
}

TEST_F(CapiRecordsTest, CompareAndSetWritesOnlyOverWhatIsExpected) {
  int swapped = -1;

  EXPECT_TRUE(IsDone(CompareAndSet("k", "old", "new", swapped)));
  EXPECT_EQ(swapped, 0) << "there is no record";
  EXPECT_TRUE(IsDone(CompareAndSet("k", nullptr, "1", swapped)));
  EXPECT_EQ(swapped, 1);
  EXPECT_TRUE(IsDone(CompareAndSet("k", nullptr, "2", swapped)));
  EXPECT_EQ(swapped, 0) << "there is one";
  EXPECT_TRUE(IsDone(CompareAndSet("k", "1", "", swapped)));
  EXPECT_EQ(swapped, 1);
  EXPECT_EQ(Get("k"), "");
  EXPECT_TRUE(IsDone(CompareAndSet("k", "", nullptr, swapped)));
  EXPECT_EQ(swapped, 1);
  EXPECT_EQ(Get("k"), std::nullopt);
}

TEST_F(CapiRecordsTest, ManyThreadsCountTogether) {
  constexpr int kThreads = 16;
  constexpr int kEach = 25;
  ASSERT_TRUE(IsDone(Put("n", "0")));
  std::atomic<int> failures{0};
  std::vector<std::thread> threads;

  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int done = 0; done < kEach;) {
        const std::string before = *Get("n");
        const std::string after = std::to_string(std::stoi(before) + 1);
        int swapped = 0;
        if (CompareAndSet("n", before.c_str(), after.c_str(), swapped) != SWITCHBACK_OK) ++failures;
        done += swapped;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();

  EXPECT_EQ(failures, 0);
  EXPECT_EQ(Get("n"), std::to_string(kThreads * kEach));
}

}  // namespace
}  // namespace switchback::test
