// Lines of a file or a pipe, of bounded length, whatever the file's size.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/result.hpp"

namespace switchback {

struct TransferLine {
  std::uint64_t number = 0;  // the first is 1
  std::string_view text;     // without its line feed; valid until the next call of Next
  bool is_too_long = false;  // then `text` is empty
};

// One thread. Memory: twice the longest line allowed, at most.
class LineReader {
 public:
  // `descriptor` outlives this.
  LineReader(int descriptor, std::size_t line_bytes_max)
      : descriptor_(descriptor), line_bytes_max_(line_bytes_max) {}

  // The next line; nullopt at the end. A byte order mark at the beginning is left out. Of a line
  // that is too long no more is read than the limit, until the next call passes over the rest.
  // Blocks for the descriptor. Error: kIo.
  Result<std::optional<TransferLine>> Next();

  [[nodiscard]] std::uint64_t bytes_read() const { return bytes_read_; }

 private:
  // False at the end of the file.
  Result<bool> Fill();
  Status PassOver();

  const int descriptor_;
  const std::size_t line_bytes_max_;
  std::string buffer_;
  std::size_t begin_ = 0;  // of what was not given yet
  std::uint64_t number_ = 0;
  std::uint64_t bytes_read_ = 0;
  bool is_passing_over_ = false;
};

}  // namespace switchback
