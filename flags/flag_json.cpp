#include "flags/flag_json.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "flags/share.hpp"

namespace switchback {
namespace {

// A rule built by a program may hold any bytes; `replace` keeps dump() from throwing on them.
std::string Dump(const nlohmann::json& value) {
  return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

std::string FlagRuleToJson(const FlagRule& rule) {
  return fmt::format(
      R"({{"enabled":{},"percentage":{},"salt":{},"allow":{},"deny":{},"bucketing":"{}"}})",
      rule.enabled(), FormatPercentage(rule.configured_share()), Dump(rule.salt()),
      Dump(rule.allow()), Dump(rule.deny()), kBucketingName);
}

}  // namespace switchback
