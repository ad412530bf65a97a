// Several writes as one.
#include "tests/unit/capi/capi_world.hpp"

namespace switchback::test {
namespace {

class CapiBatchTest : public CapiTest {
 protected:
  void SetUp() override {
    Open();
    ASSERT_TRUE(IsDone(switchback_batch_create(&batch_)));
  }
  void TearDown() override { switchback_batch_free(batch_); }

  void AddPut(const char* collection, const std::string& key, const std::string& value) {
    EXPECT_TRUE(IsDone(switchback_batch_put(batch_, collection, key.data(), key.size(),
                                            value.data(), value.size())));
  }
  bool Write() {
    int written = -1;
    EXPECT_TRUE(IsDone(switchback_batch_write(db_, batch_, &written)));
    return written == 1;
  }

  switchback_batch* batch_ = nullptr;
};

TEST_F(CapiBatchTest, WritesToSeveralCollectionsInOrder) {
  ASSERT_TRUE(IsDone(Put("gone", "v")));
  AddPut("c", "a", "1");
  AddPut("c", "a", "2");
  AddPut("d", "a", "3");
  EXPECT_TRUE(IsDone(switchback_batch_delete(batch_, "c", "gone", 4)));
  EXPECT_EQ(GetFrom("d", "a"), std::nullopt) << "not written yet";

  EXPECT_TRUE(Write());

  EXPECT_EQ(Get("a"), "2");
  EXPECT_EQ(GetFrom("d", "a"), "3");
  EXPECT_EQ(Get("gone"), std::nullopt);
}

TEST_F(CapiBatchTest, AConditionThatDoesNotHoldKeepsEverythingAsItIs) {
  ASSERT_TRUE(IsDone(Put("balance", "10")));
  AddPut("c", "balance", "5");
  AddPut("c", "other", "5");
  EXPECT_TRUE(IsDone(switchback_batch_expect(batch_, "c", "balance", 7, "10", 2)));
  EXPECT_TRUE(IsDone(switchback_batch_expect(batch_, "c", "other", 5, nullptr, 0)));

  EXPECT_TRUE(Write()) << "conditions are about what was there before";
  EXPECT_FALSE(Write()) << "the same batch again";

  EXPECT_EQ(Get("balance"), "5");
  EXPECT_EQ(Get("other"), "5");
}

TEST_F(CapiBatchTest, NothingIsWrittenWhenOneEntryIsTooLarge) {
  Close();
  options_.value_bytes_max = 10;
  Open();
  AddPut("c", "a", "fits");
  AddPut("c", "b", std::string(11, 'v'));
  int written = -1;

  EXPECT_TRUE(Says(switchback_batch_write(db_, batch_, &written), SWITCHBACK_TOO_LARGE));

  EXPECT_EQ(written, -1);
  EXPECT_EQ(Get("a"), std::nullopt);
}

TEST_F(CapiBatchTest, AnEmptyOneIsFine) {
  EXPECT_TRUE(Write());
  EXPECT_TRUE(IsDone(switchback_batch_write(db_, batch_, nullptr)));
}

TEST_F(CapiBatchTest, ABatchIsBounded) {
  const std::string value(32u << 20, 'v');
  for (int i = 0; i < 3; ++i) AddPut("c", std::to_string(i), value);

  EXPECT_TRUE(Says(switchback_batch_put(batch_, "c", "k", 1, value.data(), value.size()),
                   SWITCHBACK_TOO_LARGE, "134217728"));

  EXPECT_TRUE(IsDone(switchback_batch_put(batch_, "c", "k", 1, "v", 1))) << "it is as before";
}

TEST_F(CapiBatchTest, WrongArgumentsAreSaid) {
  const auto wrong = SWITCHBACK_INVALID_ARGUMENT;

  EXPECT_TRUE(Says(switchback_batch_create(nullptr), wrong, "batch"));
  EXPECT_TRUE(Says(switchback_batch_put(nullptr, "c", "k", 1, "v", 1), wrong, "batch"));
  EXPECT_TRUE(Says(switchback_batch_put(batch_, nullptr, "k", 1, "v", 1), wrong, "collection"));
  EXPECT_TRUE(Says(switchback_batch_put(batch_, "c", "", 0, "v", 1), wrong, "511"));
  EXPECT_TRUE(Says(switchback_batch_put(batch_, "c", "k", 1, nullptr, 1), wrong, "value"));
  EXPECT_TRUE(Says(switchback_batch_delete(batch_, "c", nullptr, 1), wrong, "key"));
  EXPECT_TRUE(Says(switchback_batch_expect(batch_, "c", "k", 1, nullptr, 1), wrong, "expected"));
  EXPECT_TRUE(Says(switchback_batch_write(nullptr, batch_, nullptr), wrong, "db"));
  EXPECT_TRUE(Says(switchback_batch_write(db_, nullptr, nullptr), wrong, "batch"));
  EXPECT_TRUE(IsDone(switchback_batch_expect(batch_, "c", "k", 1, "v", 1)));
  EXPECT_TRUE(Says(switchback_batch_write(db_, batch_, nullptr), wrong, "written"));
  switchback_batch_free(nullptr);
}

}  // namespace
}  // namespace switchback::test
