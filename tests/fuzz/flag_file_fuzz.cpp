// Any bytes as a flags file: never a crash, and what is accepted obeys the rule of the flag.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/check.hpp"
#include "flags/flag_json.hpp"
#include "flags/flag_parser.hpp"

namespace switchback {
namespace {

constexpr std::string_view kKeys[] = {"", "a", "user:1", "{tenant-a}:1", "}{", "\xFF{\x80}"};

// A rule that was accepted has a share in range and, but for one that is more than a share, answers
// the same each time and comes back equal from its canonical JSON.
void CheckRule(const FlagRule& rule) {
  SB_CHECK(rule.share() <= kShareTotal, "a share is at most everybody");
  SB_CHECK(rule.enabled() || (rule.is_constant() && !rule.Constant()), "not enabled is off");
  if (rule.is_targeted()) {
    for (const std::string_view key : kKeys)
      (void)rule.Decide(key);  // by the whole key, and the time
    return;
  }
  const auto again = ParseFlags("{\"x\":" + FlagRuleToJson(rule) + "}");
  SB_CHECK(again && again->at("x") == rule, "canonical JSON is the same rule");
  for (const std::string_view key : kKeys) {
    const bool is_on = rule.Decide(key);
    SB_CHECK(!rule.is_constant() || is_on == rule.Constant(), "constant means constant");
    SB_CHECK(is_on == rule.Decide(EntityOf(key)) || EntityOf(EntityOf(key)) != EntityOf(key),
             "only the entity counts");
  }
}

}  // namespace
}  // namespace switchback

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto flags = switchback::ParseFlags(text)) {
    for (const auto& [name, rule] : *flags) switchback::CheckRule(rule);
  }
  return 0;
}
