#include "flags/flagd_parser.hpp"

#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "flags/strict_json.hpp"
#include "flags/targeting/logic.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

// A rule may refer to one that refers to others: it must not grow without end.
constexpr std::size_t kRulePartsMax = 10'000;
// So many keys are asked to tell roughly how many are on.
constexpr std::uint32_t kSampleKeys = 500;

tl::unexpected<Error> Invalid(std::string message) {
  return Fail(ErrorCode::kInvalidArgument, std::move(message));
}

// Puts what `$ref` names in its place.
class ReferenceExpander {
 public:
  explicit ReferenceExpander(const Json& evaluators) : evaluators_(evaluators) {}

  Status Expand(Json& rule, std::size_t depth = 0) {
    if (++parts_ > kRulePartsMax) return Invalid("its rule has too many parts");
    if (depth > kJsonDepthMax) return Invalid("its rule is nested too deep, or refers to itself");
    if (rule.is_object() && rule.size() == 1 && rule.begin().key() == "$ref") {
      const Json name = *rule.begin();
      const bool is_known = name.is_string() && evaluators_.is_object() &&
                            evaluators_.contains(name.get_ref<const std::string&>());
      if (!is_known)
        return Invalid("its rule refers to " + Printable(name.dump()) +
                       ", which is not among the $evaluators");
      rule = evaluators_[name.get_ref<const std::string&>()];
      return Expand(rule, depth + 1);
    }
    if (!rule.is_structured()) return {};
    for (Json& part : rule) SB_RETURN_IF_ERROR(Expand(part, depth + 1));
    return {};
  }

 private:
  const Json& evaluators_;
  std::size_t parts_ = 0;
};

Status ReadState(const Json& value, FlagdDefinition& definition) {
  const Json state = value.value("state", Json());
  if (state != "ENABLED" && state != "DISABLED")
    return Invalid("\"state\" must be \"ENABLED\" or \"DISABLED\"");
  definition.is_enabled = state == "ENABLED";
  return {};
}

Status ReadVariants(const Json& value, FlagdDefinition& definition) {
  definition.variants = value.value("variants", Json());
  if (!definition.variants.is_object()) return Invalid("\"variants\" must be an object");
  const Json name = value.value("defaultVariant", Json());
  if (name.is_null() || name == "") return {};
  if (!name.is_string()) return Invalid("\"defaultVariant\" must be a variant's name");
  if (!definition.variants.contains(name.get_ref<const std::string&>()))
    return Invalid(fmt::format("its default variant \"{}\" is not among its variants",
                               Printable(name.get_ref<const std::string&>())));
  definition.default_variant = name.get<std::string>();
  return {};
}

Status ReadTargeting(const Json& value, const Json& document, FlagdDefinition& definition) {
  Json targeting = value.value("targeting", Json());
  if (targeting.is_null() || (targeting.is_object() && targeting.empty())) return {};
  SB_RETURN_IF_ERROR(ReferenceExpander(document.value("$evaluators", Json())).Expand(targeting));
  SB_RETURN_IF_ERROR(CheckLogic(targeting));
  definition.targeting = std::move(targeting);
  return {};
}

Status ReadMetadata(const Json& value, const Json& document, FlagdDefinition& definition) {
  for (const Json* place : {&document, &value}) {  // the flag's own count more
    const Json metadata = place->value("metadata", Json::object());
    if (!metadata.is_object()) return Invalid("\"metadata\" must be an object");
    definition.metadata.update(metadata);
  }
  return {};
}

Status ReadDefinition(const Json& value, const Json& document, FlagdDefinition& definition) {
  SB_RETURN_IF_ERROR(ReadState(value, definition));
  SB_RETURN_IF_ERROR(ReadVariants(value, definition));
  SB_RETURN_IF_ERROR(ReadTargeting(value, document, definition));
  return ReadMetadata(value, document, definition);
}

// --- A rule that comes down to a share ---

// What is hashed before the entity, if `input` is nothing but such a text and the entity.
std::optional<std::string> SaltOf(const Json& input, const std::string& flag) {
  const Json key = {{"var", "targetingKey"}};
  if (input == key) return "";
  if (!input.is_object() || !input.contains("cat") || !input["cat"].is_array() ||
      input["cat"].size() != 2 || input["cat"][1] != key)
    return std::nullopt;
  const Json& first = input["cat"][0];
  if (first == Json{{"var", "$flagd.flagKey"}}) return flag;
  if (first.is_string()) return first.get<std::string>();
  return std::nullopt;
}

// "variant" or ["variant", 25] as a whole weight.
std::optional<std::uint64_t> WeightOf(const Json& portion) {
  if (!portion.is_array() || portion.empty() || portion.size() > 2 || !portion[0].is_string())
    return std::nullopt;
  if (portion.size() == 1) return 1;
  if (!portion[1].is_number_unsigned()) return std::nullopt;
  return portion[1].get<std::uint64_t>();
}

struct Split {
  std::string salt;
  std::uint32_t share = 0;
};

// [["on", a], ["off", b]], where a of a + b is a whole number of thousandths of a percent.
std::optional<Split> SplitOf(const FlagdDefinition& definition) {
  const Json& rule = definition.targeting;
  if (!rule.is_object() || rule.begin().key() != "fractional" || !rule.begin()->is_array())
    return std::nullopt;
  Json portions = *rule.begin();
  Split split{definition.name, 0};
  if (!portions.empty() && !portions[0].is_array()) {
    const auto salt = SaltOf(portions[0], definition.name);
    if (!salt) return std::nullopt;
    split.salt = *salt;
    portions.erase(0);
  }
  if (portions.size() != 2) return std::nullopt;
  const auto on = WeightOf(portions[0]);
  const auto off = WeightOf(portions[1]);
  constexpr std::uint64_t kTotalMax = 2147483647;  // past it the rule has no answer
  if (!on || !off || *on > kTotalMax || *off > kTotalMax || *on + *off > kTotalMax)
    return std::nullopt;
  const std::uint64_t total = *on + *off;
  if (total == 0 || *on * kShareTotal % total != 0) return std::nullopt;
  const auto is = [&](const Json& portion, bool wanted) {
    const auto found = definition.variants.find(portion[0].get_ref<const std::string&>());
    return found != definition.variants.end() && *found == wanted;
  };
  if (!is(portions[0], true) || !is(portions[1], false)) return std::nullopt;
  split.share = static_cast<std::uint32_t>(*on * kShareTotal / total);
  return split;
}

// Roughly how many of all keys are on, in thousandths of a percent.
Result<std::uint32_t> SampleShare(const FlagdFlag& flag) {
  std::uint32_t on = 0;
  for (std::uint32_t i = 0; i < kSampleKeys; ++i) {
    const auto is_on = flag.TryDecide(std::to_string(i), std::to_string(i));
    if (!is_on) return Fail(is_on.error());
    if (*is_on) ++on;
  }
  return on * (kShareTotal / kSampleKeys);
}

bool IsDefaultTrue(const FlagdDefinition& definition) {
  return definition.default_variant && definition.variants[*definition.default_variant] == true;
}

}  // namespace

bool IsFlagdFlag(const Json& value) {
  return value.is_object() && value.contains("variants");
}

FlagdDefinition ReadFlagdFlag(const std::string& name, const Json& value, const Json& document) {
  FlagdDefinition definition;
  definition.name = name;
  if (auto read = ReadDefinition(value, document, definition); !read)
    definition.error = read.error().message;
  return definition;
}

Result<FlagRule> CheckedFlagdRule(FlagdDefinition definition) {
  FlagRule rule = FlagdRule(std::move(definition));
  if (!rule.is_targeted()) return rule;
  const auto share = SampleShare(*rule.flagd());
  if (!share) return Fail(share.error());
  return rule;
}

FlagRule FlagdRule(FlagdDefinition definition) {
  FlagSettings settings;
  settings.salt = definition.name;
  settings.enabled = definition.is_enabled && definition.error.empty();
  const auto flag = std::make_shared<const FlagdFlag>(std::move(definition));
  settings.flagd = flag;
  if (!flag->is_boolean()) {
    settings.enabled = false;  // for no key is it true
  } else if (flag->definition().targeting.is_null()) {
    settings.share = IsDefaultTrue(flag->definition()) ? kShareTotal : 0;
  } else if (const auto split = SplitOf(flag->definition())) {
    settings.salt = split->salt;
    settings.share = split->share;
  } else {
    settings.is_targeted = true;
    settings.share = settings.enabled ? SampleShare(*flag).value_or(0) : 0;
  }
  return FlagRule(std::move(settings));
}

}  // namespace switchback
