#include "server/resp/byte_buffer.hpp"

#include <algorithm>

namespace switchback {

void ByteBuffer::MakeRoom(std::size_t size) {
  const std::size_t used = end_ - begin_;
  // Moving to the front is enough when that frees at least half: each byte moves O(1) times.
  if (capacity_ >= used + size && begin_ >= capacity_ / 2) {
    std::memmove(bytes_.get(), bytes_.get() + begin_, used);
  } else {
    const std::size_t capacity = std::max<std::size_t>(used + std::max(used, size), 256);
    std::unique_ptr<char[]> bytes(new char[capacity]);  // not make_unique: that would zero it
    if (used != 0) std::memcpy(bytes.get(), bytes_.get() + begin_, used);
    bytes_ = std::move(bytes);
    capacity_ = capacity;
  }
  begin_ = 0;
  end_ = used;
}

}  // namespace switchback
