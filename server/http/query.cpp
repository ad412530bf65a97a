#include "server/http/query.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

namespace switchback {
namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// In a query a '+' is a space, unlike in a path.
std::optional<std::string> DecodeParameter(std::string_view text) {
  std::string spaced(text);
  std::replace(spaced.begin(), spaced.end(), '+', ' ');
  return PercentDecode(spaced);
}

bool IsPlain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

}  // namespace

std::optional<std::string> PercentDecode(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded.push_back(text[i]);
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    const int high = HexDigit(text[i + 1]);
    const int low = HexDigit(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    decoded.push_back(static_cast<char>(high * 16 + low));
    i += 2;
  }
  return decoded;
}

Result<std::map<std::string, std::string>> ParseQuery(std::string_view query) {
  std::map<std::string, std::string> parameters;
  while (!query.empty()) {
    const std::string_view part = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), part.size() + 1));
    if (part.empty()) continue;
    const std::size_t equals = std::min(part.find('='), part.size());
    auto name = DecodeParameter(part.substr(0, equals));
    auto value = DecodeParameter(part.substr(std::min(part.size(), equals + 1)));
    if (!name || !value) return Fail(ErrorCode::kInvalidArgument, "query: a stray '%'");
    if (!parameters.emplace(*name, *std::move(value)).second)
      return Fail(ErrorCode::kInvalidArgument, "query: a name is there twice");
  }
  return parameters;
}

std::string PercentEncode(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) {
    if (IsPlain(c)) {
      text.push_back(c);
    } else {
      text += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return text;
}

Result<Page> ParsePage(std::string_view query) {
  const auto parameters = ParseQuery(query);
  if (!parameters) return Fail(parameters.error());
  Page page;
  for (const auto& [name, value] : *parameters) {
    if (name == "after_collection") page.after_collection = value;
    if (name == "after_key") page.after_key = value;
    if (name != "limit") continue;
    const auto parsed = std::from_chars(value.data(), value.data() + value.size(), page.limit);
    if (parsed.ec != std::errc() || parsed.ptr != value.data() + value.size() || page.limit == 0 ||
        page.limit > Page::kLimitMax)
      return Fail(ErrorCode::kInvalidArgument,
                  "query: \"limit\" must be 1 to " + std::to_string(Page::kLimitMax));
  }
  return page;
}

std::string NextPage(const std::string& path, const Page& page) {
  return path + "?after_collection=" + PercentEncode(page.after_collection) +
         "&after_key=" + PercentEncode(page.after_key) + "&limit=" + std::to_string(page.limit);
}

}  // namespace switchback
