#include "backends/store_state_codec.hpp"

#include <gtest/gtest.h>

namespace switchback {
namespace {

StampedState Example() {
  StampedState stamped;
  stamped.commit_id = 77;
  stamped.state.log_id = "0123456789abcdef";
  stamped.state.epoch = 3;
  stamped.state.applied_sequence = ~std::uint64_t{0} >> 1;
  stamped.state.is_filling = true;
  stamped.state.fill_collection = "users";
  stamped.state.fill_key = std::string("\0\xff key", 6);
  return stamped;
}

TEST(StoreStateCodec, DecodesWhatItEncoded) {
  const StampedState stamped = Example();

  auto decoded = DecodeStoreState(EncodeStoreState(stamped));

  ASSERT_TRUE(decoded.has_value()) << decoded.error().message;
  EXPECT_EQ(decoded->state, stamped.state);
  EXPECT_EQ(decoded->commit_id, 77u);
}

TEST(StoreStateCodec, PartialStoreIsNotReadByAProgramThatKnowsWholeOnesOnly) {
  StampedState stamped = Example();
  stamped.state.collections = {"orders", "users"};

  const std::string bytes = EncodeStoreState(stamped);

  EXPECT_EQ(DecodeStoreState(bytes)->state, stamped.state);
  EXPECT_EQ(bytes[0], 2) << "its version";
  EXPECT_EQ(EncodeStoreState(Example())[0], 1);
}

TEST(StoreStateCodec, EveryFlippedBitIsNoticed) {
  const std::string bytes = EncodeStoreState(Example());
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);

    auto decoded = DecodeStoreState(damaged);

    ASSERT_FALSE(decoded.has_value()) << at;
    EXPECT_EQ(decoded.error().code, ErrorCode::kCorruption) << at;
  }
}

TEST(StoreStateCodec, EveryShorterPrefixIsNoticed) {
  const std::string bytes = EncodeStoreState(Example());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(DecodeStoreState(std::string_view(bytes).substr(0, size)).has_value()) << size;
  }
}

}  // namespace
}  // namespace switchback
