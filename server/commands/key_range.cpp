#include "server/commands/key_range.hpp"

#include <algorithm>

#include "server/resp/glob.hpp"

namespace switchback {

Result<KeyPage> ReadKeyPage(RecordReader& reader, const Collection& collection,
                            const KeyPageRequest& request) {
  const std::string prefix = GlobLiteralPrefix(request.pattern);
  const std::string from(std::max(request.after, std::string_view(prefix)));
  const bool matches_all = request.pattern.empty() || request.pattern == "*";
  KeyPage page;
  page.is_end = true;  // unless the visitor stops for another reason
  std::size_t count = 0;
  std::size_t bytes = 0;
  const auto visit = [&](std::string_view key, std::string_view value) {
    if (!key.starts_with(prefix)) return false;
    // `after` itself was in the page before. It is skipped here because its successor in key order
    // may be longer than a key can be.
    if (key == request.after) return true;
    if (count == request.count_max || (count > 0 && bytes >= request.bytes_max)) {
      page.is_end = false;
      return false;
    }
    ++count;
    bytes += key.size() + value.size();
    page.last.assign(key);
    if (matches_all || GlobMatches(request.pattern, key)) page.keys.emplace_back(key);
    return true;
  };
  SB_RETURN_IF_ERROR(reader.Scan(collection, from, visit));
  return page;
}

std::string PrefixSuccessor(std::string_view prefix) {
  std::string successor(prefix);
  while (!successor.empty() && successor.back() == '\xff') successor.pop_back();
  if (!successor.empty()) {
    successor.back() = static_cast<char>(static_cast<unsigned char>(successor.back()) + 1);
  }
  return successor;
}

}  // namespace switchback
