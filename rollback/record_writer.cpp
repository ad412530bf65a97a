#include "rollback/record_writer.hpp"

namespace switchback {
namespace {

constexpr std::size_t kChunkBytesMax = 8u << 20;
constexpr std::size_t kChunkRecordCountMax = 65536;

}  // namespace

Status RecordWriter::Add(const Effect& effect) {
  const std::string& key = kept_.emplace_back(effect.key);
  const std::string& value = kept_.emplace_back(effect.value);
  effects_.push_back({effect.kind, effect.collection, key, value});
  bytes_ += key.size() + value.size();
  const bool is_full = bytes_ >= kChunkBytesMax || effects_.size() >= kChunkRecordCountMax;
  return is_full ? Write() : Status{};
}

Status RecordWriter::Write() {
  SB_RETURN_IF_ERROR(target_.Apply(effects_, state_));
  SB_RETURN_IF_ERROR(step_(bytes_));
  effects_.clear();
  kept_.clear();
  bytes_ = 0;
  return {};
}

}  // namespace switchback
