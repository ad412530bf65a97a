#include "backends/store_state_codec.hpp"

#include <xxhash.h>

#include "common/bytes.hpp"
#include "common/check.hpp"

namespace switchback {
namespace {

constexpr std::uint32_t kStateVersion = 1;

}  // namespace

std::string EncodeStoreState(const StampedState& stamped) {
  SB_CHECK(stamped.state.fill_key.size() <= kKeyBytesMax, "a fill stops at a key");
  std::string bytes;
  AppendInteger(bytes, kStateVersion);
  AppendInteger(bytes, stamped.commit_id);
  AppendInteger(bytes, stamped.state.epoch);
  AppendInteger(bytes, stamped.state.applied_sequence);
  AppendInteger(bytes, static_cast<std::uint8_t>(stamped.state.is_filling ? 1 : 0));
  AppendSized(bytes, stamped.state.log_id);
  AppendSized(bytes, stamped.state.fill_collection);
  AppendSized(bytes, stamped.state.fill_key);
  AppendInteger(bytes, static_cast<std::uint64_t>(XXH3_64bits(bytes.data(), bytes.size())));
  return bytes;
}

Result<StampedState> DecodeStoreState(std::string_view bytes) {
  constexpr std::size_t kChecksumBytes = sizeof(std::uint64_t);
  if (bytes.size() < sizeof(std::uint32_t) + kChecksumBytes) {
    return Fail(ErrorCode::kCorruption, "the store's state is cut short");
  }
  const std::string_view body = bytes.substr(0, bytes.size() - kChecksumBytes);
  ByteReader checksum(bytes.substr(body.size()));
  if (checksum.ReadInteger<std::uint64_t>() != XXH3_64bits(body.data(), body.size())) {
    return Fail(ErrorCode::kCorruption, "the store's state does not match its checksum");
  }
  ByteReader reader(body);
  if (const auto version = reader.ReadInteger<std::uint32_t>(); version != kStateVersion) {
    return Fail(ErrorCode::kUnsupported, "the store's state has version " +
                                             std::to_string(version) +
                                             ", written by a newer switchback");
  }
  StampedState stamped;
  stamped.commit_id = reader.ReadInteger<std::uint64_t>();
  stamped.state.epoch = reader.ReadInteger<std::uint64_t>();
  stamped.state.applied_sequence = reader.ReadInteger<std::uint64_t>();
  stamped.state.is_filling = reader.ReadInteger<std::uint8_t>() != 0;
  stamped.state.log_id = reader.ReadSized();
  stamped.state.fill_collection = reader.ReadSized();
  stamped.state.fill_key = reader.ReadSized();
  if (!reader.is_ok() || reader.remaining() != 0) {
    return Fail(ErrorCode::kCorruption, "the store's state is cut short");
  }
  return stamped;
}

}  // namespace switchback
