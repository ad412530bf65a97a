// Inline commands: a line of words, as a person types them into a bare connection.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace switchback {

// A range of bytes, by position: stays right when the bytes move.
struct Slice {
  std::size_t offset = 0;
  std::size_t size = 0;
};

// Splits `line` (without its line end) into words by the rules of Redis's sdssplitargs: white space
// separates; "..." knows \n \r \t \b \a \xHH and \c for any other c; '...' knows \'; a closing
// quote ends its word. Appends the words' bytes to `bytes` and where they are to `words`. Returns
// false when quotes are not balanced; then the outputs hold rubbish.
bool SplitInlineRequest(std::string_view line, std::string& bytes, std::vector<Slice>& words);

}  // namespace switchback
