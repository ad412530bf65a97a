#include "migration/byte_arena.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "common/check.hpp"

namespace switchback {

std::string_view ByteArena::Copy(std::string_view bytes) {
  if (bytes.empty()) return {};
  if (blocks_.empty() || blocks_[current_].size - used_ < bytes.size()) FindRoom(bytes.size());
  char* copy = blocks_[current_].bytes.get() + used_;
  std::memcpy(copy, bytes.data(), bytes.size());
  used_ += bytes.size();
  SB_CHECK(used_ <= blocks_[current_].size, "a copy fits in its block");
  return {copy, bytes.size()};
}

void ByteArena::FindRoom(std::size_t size) {
  used_ = 0;
  while (!blocks_.empty() && ++current_ < blocks_.size()) {
    if (blocks_[current_].size >= size) return;
  }
  const std::size_t block_size = std::max(size, kBlockBytes);
  // Not value-initialised: zeroing 64 MiB for a value that is copied over it would cost more than
  // the copy.
  blocks_.push_back({std::unique_ptr<char[]>(new char[block_size]), block_size});
  reserved_bytes_ += block_size;
  current_ = blocks_.size() - 1;
}

void ByteArena::Reset() {
  while (!blocks_.empty() && reserved_bytes_ > kept_bytes_max_) {
    reserved_bytes_ -= blocks_.back().size;
    blocks_.pop_back();
  }
  current_ = 0;
  used_ = 0;
}

}  // namespace switchback
