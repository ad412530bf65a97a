// Memory for the copied bytes of one transaction: copies stay where they are until Reset, and the
// blocks are used again, so that copying a record costs no allocation.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

namespace switchback {

// One thread at a time.
class ByteArena {
 public:
  static constexpr std::size_t kBlockBytes = 1u << 20;

  // Blocks past `kept_bytes_max` are given back by Reset: one huge value must not be paid for
  // ever.
  explicit ByteArena(std::size_t kept_bytes_max) : kept_bytes_max_(kept_bytes_max) {}

  // The copy is valid until Reset.
  std::string_view Copy(std::string_view bytes);
  // Ends the life of every copy.
  void Reset();

  // Bytes of all blocks, used or not.
  [[nodiscard]] std::size_t reserved_bytes() const { return reserved_bytes_; }

 private:
  struct Block {
    std::unique_ptr<char[]> bytes;
    std::size_t size;
  };
  // Makes blocks_[current_] one with at least `size` free bytes.
  void FindRoom(std::size_t size);

  const std::size_t kept_bytes_max_;
  std::vector<Block> blocks_;  // in use: 0..current_; free: those after it
  std::size_t current_ = 0;
  std::size_t used_ = 0;  // bytes of blocks_[current_]
  std::size_t reserved_bytes_ = 0;
};

}  // namespace switchback
