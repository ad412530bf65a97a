#include "flags/flag_json.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "flags/flagd_flag.hpp"
#include "flags/share.hpp"

namespace switchback {
namespace {

// A rule built by a program may hold any bytes; `replace` keeps dump() from throwing on them.
template <class Json>
std::string Dump(const Json& value) {
  return nlohmann::ordered_json(value).dump(-1, ' ', false,
                                            nlohmann::json::error_handler_t::replace);
}

}  // namespace

std::string FlagRuleToJson(const FlagRule& rule) {
  const std::string targeting =
      rule.is_targeted() ? ",\"targeting\":" + Dump(rule.flagd()->definition().targeting) : "";
  return fmt::format(
      R"({{"enabled":{},"percentage":{},"salt":{},"allow":{},"deny":{},"bucketing":"{}"{}}})",
      rule.enabled(), FormatPercentage(rule.configured_share()), Dump(rule.salt()),
      Dump(rule.allow()), Dump(rule.deny()), kBucketingName, targeting);
}

}  // namespace switchback
