#include "server/http/records/preconditions.hpp"

#include <algorithm>

#include "service/value_digest.hpp"

namespace switchback {
namespace {

tl::unexpected<Error> FailTags() {
  return Fail(ErrorCode::kInvalidArgument, "must be * or a list of entity tags in quotes");
}

void SkipSpaces(std::string_view& text) {
  text.remove_prefix(std::min(text.size(), text.find_first_not_of(" \t")));
}

}  // namespace

std::string EntityTagOf(std::string_view value) {
  return '"' + DigestOf(value).HashHex() + '"';
}

Result<EntityTags> EntityTags::Parse(std::string_view text) {
  EntityTags tags;
  SkipSpaces(text);
  if (text == "*") {
    tags.is_any_ = true;
    return tags;
  }
  while (true) {
    const bool is_weak = text.starts_with("W/");
    if (is_weak) text.remove_prefix(2);
    const std::size_t end = text.starts_with('"') ? text.find('"', 1) : std::string_view::npos;
    if (end == std::string_view::npos) return FailTags();
    (is_weak ? tags.weak_ : tags.strong_).emplace_back(text.substr(0, end + 1));
    text.remove_prefix(end + 1);
    SkipSpaces(text);
    if (text.empty()) return tags;
    if (!text.starts_with(',')) return FailTags();
    text.remove_prefix(1);
    SkipSpaces(text);
  }
}

bool EntityTags::Match(std::optional<std::string_view> value, bool may_be_weak) const {
  if (!value) return false;
  if (is_any_) return true;
  const std::string tag = EntityTagOf(*value);
  const auto has = [&](const std::vector<std::string>& tags) {
    return std::find(tags.begin(), tags.end(), tag) != tags.end();
  };
  return has(strong_) || (may_be_weak && has(weak_));
}

Result<Preconditions> Preconditions::Parse(std::string_view if_match,
                                           std::string_view if_none_match) {
  Preconditions conditions;
  if (!if_match.empty()) {
    auto tags = EntityTags::Parse(if_match);
    if (!tags) return Fail(WithContext(tags.error(), "If-Match"));
    conditions.if_match_ = *std::move(tags);
  }
  if (!if_none_match.empty()) {
    auto tags = EntityTags::Parse(if_none_match);
    if (!tags) return Fail(WithContext(tags.error(), "If-None-Match"));
    conditions.if_none_match_ = *std::move(tags);
  }
  return conditions;
}

bool Preconditions::AllowWrite(std::optional<std::string_view> value) const {
  return !IsFailedRead(value) && !IsNotModified(value);
}

bool Preconditions::IsFailedRead(std::optional<std::string_view> value) const {
  return if_match_ && !if_match_->Match(value, /*may_be_weak=*/false);
}

bool Preconditions::IsNotModified(std::optional<std::string_view> value) const {
  return if_none_match_ && if_none_match_->Match(value, /*may_be_weak=*/true);
}

}  // namespace switchback
