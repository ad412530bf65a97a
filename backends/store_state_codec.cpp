#include "backends/store_state_codec.hpp"

#include <xxhash.h>

#include <algorithm>

#include "common/bytes.hpp"
#include "common/check.hpp"

namespace switchback {

std::string JoinCollectionNames(const std::vector<std::string>& names) {
  std::string joined;
  for (const std::string& name : names) joined += (joined.empty() ? "" : ",") + name;
  return joined;
}

std::vector<std::string> SplitCollectionNames(std::string_view joined) {
  std::vector<std::string> names;
  while (!joined.empty()) {
    const std::size_t end = std::min(joined.find(','), joined.size());
    names.emplace_back(joined.substr(0, end));
    joined.remove_prefix(std::min(end + 1, joined.size()));
  }
  return names;
}

std::string EncodeStoreState(const StampedState& stamped) {
  SB_CHECK(stamped.state.fill_key.size() <= kKeyBytesMax, "a fill stops at a key");
  std::string bytes;
  AppendInteger(bytes, StateVersionOf(stamped.state));
  AppendInteger(bytes, stamped.commit_id);
  AppendInteger(bytes, stamped.state.epoch);
  AppendInteger(bytes, stamped.state.applied_sequence);
  AppendInteger(bytes, static_cast<std::uint8_t>(stamped.state.is_filling ? 1 : 0));
  AppendSized(bytes, stamped.state.log_id);
  AppendSized(bytes, stamped.state.fill_collection);
  AppendSized(bytes, stamped.state.fill_key);
  if (stamped.state.is_partial())
    AppendSized(bytes, JoinCollectionNames(stamped.state.collections));
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
  const auto version = reader.ReadInteger<std::uint32_t>();
  if (!IsKnownStateVersion(version)) {
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
  if (version == kPartialStateVersion)
    stamped.state.collections = SplitCollectionNames(reader.ReadSized());
  if (!reader.is_ok() || reader.remaining() != 0) {
    return Fail(ErrorCode::kCorruption, "the store's state is cut short");
  }
  return stamped;
}

}  // namespace switchback
