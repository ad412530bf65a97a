#include "flags/targeting/coercion.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <limits>
#include <string_view>
#include <system_error>

namespace switchback {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kIntegerTextMax = 1e21;  // from here on JavaScript writes an exponent

std::string_view Trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\n\v\f\r";
  const auto begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

struct Parsed {
  double number = kNaN;
  std::size_t length = 0;  // of what was read; 0 = it does not begin with a number
};

// Decimal digits, sign, point and exponent, or Infinity.
Parsed ParseDecimal(std::string_view text) {
  const bool has_sign = !text.empty() && (text[0] == '-' || text[0] == '+');
  const double sign = has_sign && text[0] == '-' ? -1 : 1;
  const std::string_view digits = text.substr(has_sign ? 1 : 0);
  constexpr std::string_view kInfinity = "Infinity";
  if (digits.starts_with(kInfinity))
    return {sign * std::numeric_limits<double>::infinity(), kInfinity.size() + has_sign};
  // from_chars knows "inf", "nan" and a second sign besides.
  if (digits.empty() || (digits[0] != '.' && (digits[0] < '0' || digits[0] > '9'))) return {};
  double number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error == std::errc::result_out_of_range) {
    number = std::numeric_limits<double>::infinity();
  } else if (error != std::errc()) {
    return {};
  }
  return {sign * number, static_cast<std::size_t>(end - text.data())};
}

double NumberOfText(std::string_view text) {
  text = Trim(text);
  if (text.empty()) return 0;
  if (text.size() > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
    std::uint64_t number = 0;
    const auto [end, error] =
        std::from_chars(text.data() + 2, text.data() + text.size(), number, 16);
    return error == std::errc() && end == text.data() + text.size() ? static_cast<double>(number)
                                                                    : kNaN;
  }
  const Parsed parsed = ParseDecimal(text);
  return parsed.length == text.size() ? parsed.number : kNaN;
}

std::string TextOfNumber(const LogicValue& value) {
  if (value.is_number_integer()) return value.dump();
  const double number = value.get<double>();
  if (std::isnan(number)) return "NaN";
  if (std::isinf(number)) return number > 0 ? "Infinity" : "-Infinity";
  if (number == std::trunc(number) && std::abs(number) < kIntegerTextMax)
    return fmt::format("{:.0f}", number == 0 ? 0.0 : number);
  return fmt::format("{}", number);
}

bool IsText(const LogicValue& value) {
  return value.is_string();
}

// What a comparison makes of an array or an object.
LogicValue Primitive(const LogicValue& value) {
  return value.is_structured() ? LogicValue(ToText(value)) : value;
}

}  // namespace

bool IsTruthy(const LogicValue& value) {
  switch (value.type()) {
    case LogicValue::value_t::null:
    case LogicValue::value_t::discarded: return false;
    case LogicValue::value_t::boolean: return value.get<bool>();
    case LogicValue::value_t::string: return !value.get_ref<const std::string&>().empty();
    case LogicValue::value_t::array: return !value.empty();
    case LogicValue::value_t::object:
    case LogicValue::value_t::binary: return true;
    default: break;
  }
  const double number = value.get<double>();
  return number != 0 && !std::isnan(number);
}

double ToNumber(const LogicValue& value) {
  if (value.is_number()) return value.get<double>();
  if (value.is_boolean()) return value.get<bool>() ? 1 : 0;
  if (value.is_null()) return 0;
  return NumberOfText(ToText(value));
}

double ToNumberPrefix(const LogicValue& value) {
  if (value.is_number()) return value.get<double>();
  const std::string text = ToText(value);
  const std::string_view trimmed = Trim(text);
  const Parsed parsed = ParseDecimal(trimmed);
  return parsed.length == 0 ? kNaN : parsed.number;
}

std::string ToText(const LogicValue& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_boolean()) return value.get<bool>() ? "true" : "false";
  if (value.is_null()) return "null";
  if (value.is_number()) return TextOfNumber(value);
  if (!value.is_array()) return "[object Object]";
  std::string text;
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (i > 0) text += ',';
    if (!value[i].is_null()) text += ToText(value[i]);
  }
  return text;
}

bool IsStrictlyEqual(const LogicValue& left, const LogicValue& right) {
  if (left.is_number() && right.is_number()) return left.get<double>() == right.get<double>();
  return left.type() == right.type() && left == right;
}

bool IsLooselyEqual(const LogicValue& left, const LogicValue& right) {
  if (left.is_null() || right.is_null()) return left.is_null() && right.is_null();
  if (left.is_structured() && right.is_structured()) return IsStrictlyEqual(left, right);
  const LogicValue a = Primitive(left);
  const LogicValue b = Primitive(right);
  if (IsText(a) && IsText(b)) return a == b;
  return ToNumber(a) == ToNumber(b);
}

bool IsLess(const LogicValue& left, const LogicValue& right) {
  const LogicValue a = Primitive(left);
  const LogicValue b = Primitive(right);
  if (IsText(a) && IsText(b))
    return a.get_ref<const std::string&>() < b.get_ref<const std::string&>();
  return ToNumber(a) < ToNumber(b);
}

bool IsLessOrEqual(const LogicValue& left, const LogicValue& right) {
  const LogicValue a = Primitive(left);
  const LogicValue b = Primitive(right);
  if (IsText(a) && IsText(b))
    return a.get_ref<const std::string&>() <= b.get_ref<const std::string&>();
  return ToNumber(a) <= ToNumber(b);
}

}  // namespace switchback
