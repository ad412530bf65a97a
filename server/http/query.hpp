// The query of a request's path: names and values, percent-decoded.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "common/result.hpp"

namespace switchback {

// "a=1&b=%00" as a map. Values may hold any bytes; a name without '=' has the value "". Error
// (kInvalidArgument): a stray '%', a name twice.
Result<std::map<std::string, std::string>> ParseQuery(std::string_view query);

// The bytes that `text` stands for, %XX decoded and all else as it is; nullopt for a stray '%'.
std::optional<std::string> PercentDecode(std::string_view text);
// The text as part of a query: everything but letters, digits and "-._~" as %XX.
std::string PercentEncode(std::string_view bytes);

// A part of a list that is ordered by collection and key.
struct Page {
  static constexpr std::size_t kLimitDefault = 100;
  static constexpr std::size_t kLimitMax = 1000;
  std::string after_collection;
  std::string after_key;
  std::size_t limit = kLimitDefault;
};
// Of after_collection, after_key and limit in a query. Error: kInvalidArgument.
Result<Page> ParsePage(std::string_view query);
// The path of the page.
std::string NextPage(const std::string& path, const Page& page);

}  // namespace switchback
