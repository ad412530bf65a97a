#include "flags/targeting/logic.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/check.hpp"
#include "flags/strict_json.hpp"
#include "flags/targeting/operators.hpp"

namespace switchback {
namespace {

class Evaluation;
// An operator that decides itself which of its arguments are evaluated, how often and for what.
using LazyOperator = LogicValue (Evaluation::*)(const LogicValue& arguments,
                                                const LogicValue& data);

LazyOperator FindLazyOperator(std::string_view name);

const LogicValue& At(const LogicValue& arguments, std::size_t index) {
  static const LogicValue null;
  return index < arguments.size() ? arguments[index] : null;
}

bool IsRule(const LogicValue& value) {
  return value.is_object() && value.size() == 1;
}

// {"op": x} is short for {"op": [x]}.
LogicValue AsList(const LogicValue& arguments) {
  return arguments.is_array() ? arguments : LogicValue::array({arguments});
}

// What a value costs to make: a rule that doubles its accumulator must not fill the memory.
std::size_t Weight(const LogicValue& value) {
  constexpr std::size_t kBytesPerStep = 16;
  if (value.is_string()) return value.get_ref<const std::string&>().size() / kBytesPerStep;
  std::size_t weight = 0;
  if (value.is_structured()) {
    for (const LogicValue& each : value) weight += 1 + Weight(each);
  }
  return weight;
}

class Evaluation {
 public:
  LogicValue Apply(const LogicValue& rule, const LogicValue& data);
  [[nodiscard]] bool is_over() const { return steps_ > kLogicStepsMax; }

  LogicValue If(const LogicValue& arguments, const LogicValue& data);
  LogicValue And(const LogicValue& arguments, const LogicValue& data);
  LogicValue Or(const LogicValue& arguments, const LogicValue& data);
  LogicValue Filter(const LogicValue& arguments, const LogicValue& data);
  LogicValue Map(const LogicValue& arguments, const LogicValue& data);
  LogicValue Reduce(const LogicValue& arguments, const LogicValue& data);
  LogicValue All(const LogicValue& arguments, const LogicValue& data);
  LogicValue None(const LogicValue& arguments, const LogicValue& data);
  LogicValue Some(const LogicValue& arguments, const LogicValue& data);

 private:
  LogicValue ApplyEach(const LogicValue& rules, const LogicValue& data);

  std::size_t steps_ = 0;
};

LogicValue Evaluation::ApplyEach(const LogicValue& rules, const LogicValue& data) {
  LogicValue values = LogicValue::array();
  for (const LogicValue& rule : rules) {
    if (is_over()) break;
    values.push_back(Apply(rule, data));
  }
  return values;
}

LogicValue Evaluation::Apply(const LogicValue& rule, const LogicValue& data) {
  if (++steps_ > kLogicStepsMax) return nullptr;
  if (rule.is_array()) return ApplyEach(rule, data);
  if (!IsRule(rule)) return rule;
  const std::string& name = rule.begin().key();
  const LogicValue arguments = AsList(*rule.begin());
  if (const LazyOperator lazy = FindLazyOperator(name); lazy != nullptr)
    return (this->*lazy)(arguments, data);
  const LogicOperator eager = FindLogicOperator(name);
  if (eager == nullptr) return nullptr;
  LogicValue value = eager(ApplyEach(arguments, data).get_ref<const LogicValue::array_t&>(), data);
  steps_ += Weight(value);
  return value;
}

LogicValue Evaluation::If(const LogicValue& arguments, const LogicValue& data) {
  std::size_t i = 0;
  for (; i + 1 < arguments.size(); i += 2) {
    if (IsTruthy(Apply(arguments[i], data))) return Apply(arguments[i + 1], data);
  }
  return i < arguments.size() ? Apply(arguments[i], data) : LogicValue();
}

LogicValue Evaluation::And(const LogicValue& arguments, const LogicValue& data) {
  LogicValue last;
  for (const LogicValue& each : arguments) {
    last = Apply(each, data);
    if (!IsTruthy(last)) break;
  }
  return last;
}

LogicValue Evaluation::Or(const LogicValue& arguments, const LogicValue& data) {
  LogicValue last;
  for (const LogicValue& each : arguments) {
    last = Apply(each, data);
    if (IsTruthy(last)) break;
  }
  return last;
}

LogicValue Evaluation::Filter(const LogicValue& arguments, const LogicValue& data) {
  const LogicValue list = Apply(At(arguments, 0), data);
  LogicValue chosen = LogicValue::array();
  if (!list.is_array()) return chosen;
  for (const LogicValue& each : list) {
    if (is_over()) break;
    if (IsTruthy(Apply(At(arguments, 1), each))) chosen.push_back(each);
  }
  return chosen;
}

LogicValue Evaluation::Map(const LogicValue& arguments, const LogicValue& data) {
  const LogicValue list = Apply(At(arguments, 0), data);
  LogicValue mapped = LogicValue::array();
  if (!list.is_array()) return mapped;
  for (const LogicValue& each : list) {
    if (is_over()) break;
    mapped.push_back(Apply(At(arguments, 1), each));
  }
  return mapped;
}

LogicValue Evaluation::Reduce(const LogicValue& arguments, const LogicValue& data) {
  const LogicValue list = Apply(At(arguments, 0), data);
  LogicValue accumulator = arguments.size() > 2 ? Apply(arguments[2], data) : LogicValue();
  if (!list.is_array()) return accumulator;
  for (const LogicValue& each : list) {
    if (is_over()) break;
    const LogicValue scope{{"current", each}, {"accumulator", accumulator}};
    accumulator = Apply(At(arguments, 1), scope);
  }
  return accumulator;
}

LogicValue Evaluation::All(const LogicValue& arguments, const LogicValue& data) {
  const LogicValue list = Apply(At(arguments, 0), data);
  if (!list.is_array() || list.empty()) return false;
  return std::all_of(list.begin(), list.end(), [&](const LogicValue& each) {
    return !is_over() && IsTruthy(Apply(At(arguments, 1), each));
  });
}

LogicValue Evaluation::None(const LogicValue& arguments, const LogicValue& data) {
  return Filter(arguments, data).empty();
}

LogicValue Evaluation::Some(const LogicValue& arguments, const LogicValue& data) {
  return !Filter(arguments, data).empty();
}

LazyOperator FindLazyOperator(std::string_view name) {
  static const std::map<std::string_view, LazyOperator> operators = {
      {"if", &Evaluation::If},         {"?:", &Evaluation::If},   {"and", &Evaluation::And},
      {"or", &Evaluation::Or},         {"map", &Evaluation::Map}, {"filter", &Evaluation::Filter},
      {"reduce", &Evaluation::Reduce}, {"all", &Evaluation::All}, {"none", &Evaluation::None},
      {"some", &Evaluation::Some}};
  const auto found = operators.find(name);
  return found == operators.end() ? nullptr : found->second;
}

}  // namespace

Status CheckLogic(const LogicValue& rule) {
  if (rule.is_array()) {
    for (const LogicValue& each : rule) SB_RETURN_IF_ERROR(CheckLogic(each));
    return {};
  }
  if (!rule.is_object() || rule.empty()) return {};
  const std::string& name = rule.begin().key();
  if (rule.size() > 1)
    return Fail(ErrorCode::kInvalidArgument, "a rule has one operator, and this one has more: \"" +
                                                 Printable(name) + "\" and others");
  if (FindLazyOperator(name) == nullptr && FindLogicOperator(name) == nullptr)
    return Fail(ErrorCode::kInvalidArgument, "there is no operator \"" + Printable(name) + '"');
  return CheckLogic(*rule.begin());
}

Result<LogicValue> ApplyLogic(const LogicValue& rule, const LogicValue& data) {
  Evaluation evaluation;
  LogicValue value = evaluation.Apply(rule, data);
  if (evaluation.is_over())
    return Fail(ErrorCode::kTooLarge,
                "the rule takes more than " + std::to_string(kLogicStepsMax) + " steps");
  return value;
}

}  // namespace switchback
