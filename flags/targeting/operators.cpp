#include "flags/targeting/operators.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>

#include "flags/bucket.hpp"
#include "flags/targeting/sem_ver.hpp"

namespace switchback {
namespace {

using Arguments = std::vector<LogicValue>;

constexpr std::int64_t kWeightTotalMax = 2147483647;  // source: flagd, "fractional"

const LogicValue& At(const Arguments& arguments, std::size_t index) {
  static const LogicValue null;
  return index < arguments.size() ? arguments[index] : null;
}

// --- What is read from the data ---

LogicValue Variable(const Arguments& arguments, const LogicValue& data) {
  const LogicValue* found = FindVariable(data, At(arguments, 0));
  return found == nullptr || found->is_null() ? At(arguments, 1) : *found;
}

LogicValue MissingOf(const LogicValue& names, const LogicValue& data) {
  LogicValue missing = LogicValue::array();
  for (const LogicValue& name : names) {
    const LogicValue* found = FindVariable(data, name);
    const bool is_there = found != nullptr && !found->is_null() && *found != "";
    if (!is_there) missing.push_back(name);
  }
  return missing;
}

LogicValue Missing(const Arguments& arguments, const LogicValue& data) {
  return MissingOf(At(arguments, 0).is_array() ? arguments[0] : LogicValue(arguments), data);
}

LogicValue MissingSome(const Arguments& arguments, const LogicValue& data) {
  const LogicValue& names = At(arguments, 1);
  if (!names.is_array()) return LogicValue::array();
  LogicValue missing = MissingOf(names, data);
  const double there = static_cast<double>(names.size() - missing.size());
  return there >= ToNumber(At(arguments, 0)) ? LogicValue::array() : missing;
}

// --- Comparison ---

LogicValue LooselyEqual(const Arguments& arguments, const LogicValue&) {
  return IsLooselyEqual(At(arguments, 0), At(arguments, 1));
}
LogicValue StrictlyEqual(const Arguments& arguments, const LogicValue&) {
  return IsStrictlyEqual(At(arguments, 0), At(arguments, 1));
}
LogicValue LooselyUnequal(const Arguments& arguments, const LogicValue&) {
  return !IsLooselyEqual(At(arguments, 0), At(arguments, 1));
}
LogicValue StrictlyUnequal(const Arguments& arguments, const LogicValue&) {
  return !IsStrictlyEqual(At(arguments, 0), At(arguments, 1));
}
LogicValue Less(const Arguments& arguments, const LogicValue&) {
  if (!IsLess(At(arguments, 0), At(arguments, 1))) return false;
  return arguments.size() < 3 || IsLess(arguments[1], arguments[2]);
}
LogicValue LessOrEqual(const Arguments& arguments, const LogicValue&) {
  if (!IsLessOrEqual(At(arguments, 0), At(arguments, 1))) return false;
  return arguments.size() < 3 || IsLessOrEqual(arguments[1], arguments[2]);
}
LogicValue Greater(const Arguments& arguments, const LogicValue&) {
  return IsLess(At(arguments, 1), At(arguments, 0));
}
LogicValue GreaterOrEqual(const Arguments& arguments, const LogicValue&) {
  return IsLessOrEqual(At(arguments, 1), At(arguments, 0));
}
LogicValue Not(const Arguments& arguments, const LogicValue&) {
  return !IsTruthy(At(arguments, 0));
}
LogicValue NotNot(const Arguments& arguments, const LogicValue&) {
  return IsTruthy(At(arguments, 0));
}

// --- Arithmetic ---

LogicValue Add(const Arguments& arguments, const LogicValue&) {
  double sum = 0;
  for (const LogicValue& each : arguments) sum += ToNumberPrefix(each);
  return sum;
}
LogicValue Multiply(const Arguments& arguments, const LogicValue&) {
  double product = 1;
  for (const LogicValue& each : arguments) product *= ToNumberPrefix(each);
  return product;
}
LogicValue Subtract(const Arguments& arguments, const LogicValue&) {
  if (arguments.size() < 2) return -ToNumber(At(arguments, 0));
  return ToNumber(arguments[0]) - ToNumber(arguments[1]);
}
LogicValue Divide(const Arguments& arguments, const LogicValue&) {
  return ToNumber(At(arguments, 0)) / ToNumber(At(arguments, 1));
}
LogicValue Modulo(const Arguments& arguments, const LogicValue&) {
  return std::fmod(ToNumber(At(arguments, 0)), ToNumber(At(arguments, 1)));
}

template <typename Choose>
LogicValue Extreme(const Arguments& arguments, double begin, Choose choose) {
  double found = begin;
  for (const LogicValue& each : arguments) {
    const double number = ToNumber(each);
    if (std::isnan(number)) return number;
    found = choose(found, number);
  }
  return found;
}
LogicValue Max(const Arguments& arguments, const LogicValue&) {
  return Extreme(arguments, -std::numeric_limits<double>::infinity(),
                 [](double a, double b) { return std::max(a, b); });
}
LogicValue Min(const Arguments& arguments, const LogicValue&) {
  return Extreme(arguments, std::numeric_limits<double>::infinity(),
                 [](double a, double b) { return std::min(a, b); });
}

// --- Text and arrays ---

LogicValue In(const Arguments& arguments, const LogicValue&) {
  const LogicValue& wanted = At(arguments, 0);
  const LogicValue& place = At(arguments, 1);
  if (place.is_string())
    return place.get_ref<const std::string&>().find(ToText(wanted)) != std::string::npos;
  if (!place.is_array()) return false;
  return std::any_of(place.begin(), place.end(),
                     [&](const LogicValue& each) { return IsStrictlyEqual(each, wanted); });
}

LogicValue Concatenate(const Arguments& arguments, const LogicValue&) {
  std::string text;
  for (const LogicValue& each : arguments) {
    if (!each.is_null()) text += ToText(each);
  }
  return text;
}

// `number` counted from the end when negative, and within the text.
std::size_t Position(double number, std::size_t size) {
  if (std::isnan(number)) return 0;
  const double length = static_cast<double>(size);
  if (number < 0) number = std::max(0.0, length + std::trunc(number));
  return static_cast<std::size_t>(std::min(std::trunc(number), length));
}

LogicValue Substring(const Arguments& arguments, const LogicValue&) {
  const std::string text = ToText(At(arguments, 0));
  const std::string rest = text.substr(Position(ToNumber(At(arguments, 1)), text.size()));
  if (arguments.size() < 3 || arguments[2].is_null()) return rest;
  // A negative length stops so far before the end.
  return rest.substr(0, Position(ToNumber(arguments[2]), rest.size()));
}

LogicValue Merge(const Arguments& arguments, const LogicValue&) {
  LogicValue merged = LogicValue::array();
  for (const LogicValue& each : arguments) {
    if (!each.is_array()) {
      merged.push_back(each);
    } else {
      merged.insert(merged.end(), each.begin(), each.end());
    }
  }
  return merged;
}

LogicValue Log(const Arguments& arguments, const LogicValue&) {
  return At(arguments, 0);
}

// --- flagd's own ---

bool AreTwoTexts(const Arguments& arguments) {
  return arguments.size() == 2 && arguments[0].is_string() && arguments[1].is_string();
}
LogicValue StartsWith(const Arguments& arguments, const LogicValue&) {
  if (!AreTwoTexts(arguments)) return nullptr;
  return arguments[0].get_ref<const std::string&>().starts_with(
      arguments[1].get_ref<const std::string&>());
}
LogicValue EndsWith(const Arguments& arguments, const LogicValue&) {
  if (!AreTwoTexts(arguments)) return nullptr;
  return arguments[0].get_ref<const std::string&>().ends_with(
      arguments[1].get_ref<const std::string&>());
}

LogicValue CompareVersions(const Arguments& arguments, const LogicValue&) {
  if (arguments.size() != 3) return nullptr;
  const auto left = ParseSemVer(ToText(arguments[0]));
  const auto right = ParseSemVer(ToText(arguments[2]));
  if (!left || !right) return nullptr;
  const auto order = CompareSemVer(*left, *right);
  const std::string sign = ToText(arguments[1]);
  if (sign == "=") return order == 0;
  if (sign == "!=") return order != 0;
  if (sign == "<") return order < 0;
  if (sign == "<=") return order <= 0;
  if (sign == ">") return order > 0;
  if (sign == ">=") return order >= 0;
  if (sign == "^") return left->major == right->major;
  if (sign == "~") return left->major == right->major && left->minor == right->minor;
  return nullptr;
}

struct Portion {
  const LogicValue* variant;
  std::int64_t weight;
};

// False: not a variant with a weight.
bool ReadPortion(const LogicValue& entry, Portion& portion) {
  if (!entry.is_array() || entry.empty() || entry.size() > 2 || entry[0].is_structured())
    return false;
  portion = {&entry[0], 1};
  if (entry.size() == 1) return true;
  if (!entry[1].is_number()) return false;
  const double weight = entry[1].get<double>();
  if (weight != std::trunc(weight)) return false;
  const double bounded = std::clamp(weight, 0.0, static_cast<double>(kWeightTotalMax) + 1);
  portion.weight = static_cast<std::int64_t>(bounded);
  return true;
}

// What is hashed when the rule does not say: the flag's name and the key. nullopt: no key.
std::optional<std::string> DefaultBucketInput(const LogicValue& data) {
  const LogicValue* flag = FindVariable(data, "$flagd.flagKey");
  const LogicValue* key = FindVariable(data, "targetingKey");
  if (flag == nullptr || key == nullptr || !key->is_string() || *key == "") return std::nullopt;
  return ToText(*flag) + key->get_ref<const std::string&>();
}

LogicValue Fractional(const Arguments& arguments, const LogicValue& data) {
  if (arguments.empty()) return nullptr;
  const bool has_input = arguments[0].is_string();
  const auto input = has_input ? arguments[0].get<std::string>() : DefaultBucketInput(data);
  if (!input) return nullptr;
  std::vector<Portion> portions;
  std::int64_t total = 0;
  for (std::size_t i = has_input ? 1 : 0; i < arguments.size(); ++i) {
    Portion portion{};
    if (!ReadPortion(arguments[i], portion)) return nullptr;
    portions.push_back(portion);
    total += portion.weight;
    if (total > kWeightTotalMax) return nullptr;
  }
  const std::int64_t bucket =
      BucketOf(Murmur3Prefix("").Finish(*input), static_cast<std::uint32_t>(total));
  std::int64_t sum = 0;
  for (const Portion& portion : portions) {
    sum += portion.weight;
    if (bucket < sum) return *portion.variant;
  }
  return nullptr;
}

}  // namespace

const LogicValue* FindVariable(const LogicValue& data, const LogicValue& path) {
  if (path.is_null() || path == "") return &data;
  const std::string text = ToText(path);
  const LogicValue* place = &data;
  std::string_view rest = text;
  while (true) {
    const auto dot = rest.find('.');
    const std::string_view name = rest.substr(0, dot);
    if (place->is_object()) {
      const auto found = place->find(std::string(name));
      if (found == place->end()) return nullptr;
      place = &*found;
    } else {
      std::size_t index = 0;
      const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), index);
      const bool is_index = error == std::errc() && end == name.data() + name.size();
      if (!place->is_array() || !is_index || index >= place->size()) return nullptr;
      place = &(*place)[index];
    }
    if (dot == std::string_view::npos) return place;
    rest.remove_prefix(dot + 1);
  }
}

LogicOperator FindLogicOperator(std::string_view name) {
  static const std::map<std::string_view, LogicOperator> operators = {{"var", Variable},
                                                                      {"missing", Missing},
                                                                      {"missing_some", MissingSome},
                                                                      {"==", LooselyEqual},
                                                                      {"===", StrictlyEqual},
                                                                      {"!=", LooselyUnequal},
                                                                      {"!==", StrictlyUnequal},
                                                                      {"<", Less},
                                                                      {"<=", LessOrEqual},
                                                                      {">", Greater},
                                                                      {">=", GreaterOrEqual},
                                                                      {"!", Not},
                                                                      {"!!", NotNot},
                                                                      {"+", Add},
                                                                      {"*", Multiply},
                                                                      {"-", Subtract},
                                                                      {"/", Divide},
                                                                      {"%", Modulo},
                                                                      {"max", Max},
                                                                      {"min", Min},
                                                                      {"in", In},
                                                                      {"cat", Concatenate},
                                                                      {"substr", Substring},
                                                                      {"merge", Merge},
                                                                      {"log", Log},
                                                                      {"starts_with", StartsWith},
                                                                      {"ends_with", EndsWith},
                                                                      {"sem_ver", CompareVersions},
                                                                      {"fractional", Fractional}};
  const auto found = operators.find(name);
  return found == operators.end() ? nullptr : found->second;
}

}  // namespace switchback
