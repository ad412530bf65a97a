// Entity tags and the headers that make a request depend on them (RFC 9110, sections 8.8 and 13).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"

namespace switchback {

// The strong entity tag of a value: its XXH3-128 in quotes. Equal bytes have equal tags, whenever
// and in whichever store they were written.
std::string EntityTagOf(std::string_view value);

// The tags of one header, or "*".
class EntityTags {
 public:
  // `"a", W/"b"` or `*`. Error: kInvalidArgument.
  static Result<EntityTags> Parse(std::string_view text);

  // Whether the value has one of them; `*` stands for any value that is there. A weak tag counts
  // only if `may_be_weak`.
  [[nodiscard]] bool Match(std::optional<std::string_view> value, bool may_be_weak) const;

 private:
  bool is_any_ = false;
  std::vector<std::string> strong_, weak_;
};

// What If-Match and If-None-Match ask for. Pure.
class Preconditions {
 public:
  // "" = the header is not there. Error: kInvalidArgument, with the header's name.
  static Result<Preconditions> Parse(std::string_view if_match, std::string_view if_none_match);

  [[nodiscard]] bool is_empty() const { return !if_match_ && !if_none_match_; }
  // Whether a record with this value (nullopt: none) may be changed.
  [[nodiscard]] bool AllowWrite(std::optional<std::string_view> value) const;
  // Of a read: If-Match does not hold (412); If-None-Match does not hold (304).
  [[nodiscard]] bool IsFailedRead(std::optional<std::string_view> value) const;
  [[nodiscard]] bool IsNotModified(std::optional<std::string_view> value) const;

 private:
  std::optional<EntityTags> if_match_, if_none_match_;
};

}  // namespace switchback
