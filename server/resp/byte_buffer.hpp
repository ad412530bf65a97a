// A growing array of bytes without the zeroing of std::string::resize: what is read from a socket
// or written to one. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>

namespace switchback {

class ByteBuffer {
 public:
  ByteBuffer() = default;
  ByteBuffer(const ByteBuffer&) = delete;
  ByteBuffer& operator=(const ByteBuffer&) = delete;

  [[nodiscard]] std::string_view view() const { return {bytes_.get() + begin_, size()}; }
  [[nodiscard]] std::size_t size() const { return end_ - begin_; }
  [[nodiscard]] bool empty() const { return end_ == begin_; }
  [[nodiscard]] std::size_t capacity() const { return capacity_; }

  // Room for `size` more bytes behind the content; Commit says how many were written there. The
  // pointer is valid until the next call that is not const.
  char* Reserve(std::size_t size) {
    if (capacity_ - end_ < size) [[unlikely]]
      MakeRoom(size);
    return bytes_.get() + end_;
  }
  void Commit(std::size_t size) { end_ += size; }
  // Bytes that fit behind the content without growing.
  [[nodiscard]] std::size_t room() const { return capacity_ - end_; }

  void Append(std::string_view bytes) {
    if (bytes.empty()) return;
    std::memcpy(Reserve(bytes.size()), bytes.data(), bytes.size());
    end_ += bytes.size();
  }

  // Drops `size` bytes at the front; O(1).
  void Consume(std::size_t size) {
    begin_ += size;
    if (begin_ == end_) begin_ = end_ = 0;
  }
  // Drops everything behind the first `size` bytes.
  void Truncate(std::size_t size) { end_ = begin_ + size; }
  void Clear() { begin_ = end_ = 0; }

  // Gives the memory of an empty buffer back when it is more than `bytes_max`.
  void ReleaseAbove(std::size_t bytes_max) {
    if (empty() && capacity_ > bytes_max) {
      bytes_.reset();
      begin_ = end_ = capacity_ = 0;
    }
  }

 private:
  // Grows in proportion to what is there, so that the total copying is linear and the size follows
  // what really arrived.
  void MakeRoom(std::size_t size);

  std::unique_ptr<char[]> bytes_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace switchback
