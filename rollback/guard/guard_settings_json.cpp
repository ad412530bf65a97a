#include "rollback/guard/guard_settings_json.hpp"

#include <functional>
#include <map>
#include <string>

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;
using Setter = std::function<Status(const Json& value)>;
using Setters = std::map<std::string, Setter, std::less<>>;

tl::unexpected<Error> Wrong(const std::string& what) {
  return Fail(ErrorCode::kInvalidArgument, "must be " + what);
}

Setter Flag(bool& target) {
  return [&target](const Json& value) -> Status {
    if (!value.is_boolean()) return Wrong("true or false");
    target = value.get<bool>();
    return {};
  };
}

Setter Number(double& target, double least, double most) {
  return [&target, least, most](const Json& value) -> Status {
    const double number = value.is_number() ? value.get<double>() : -1;
    if (!value.is_number() || number < least || number > most)
      return Wrong("a number from " + Json(least).dump() + " to " + Json(most).dump());
    target = number;
    return {};
  };
}

Setter Escalation(GuardEscalation& target) {
  return [&target](const Json& value) -> Status {
    for (const auto escalation :
         {GuardEscalation::kAutomatic, GuardEscalation::kAssisted, GuardEscalation::kManual}) {
      if (value != GuardEscalationName(escalation)) continue;
      target = escalation;
      return {};
    }
    return Wrong("\"automatic\", \"assisted\" or \"manual\"");
  };
}

template <class T>
Setter Whole(T least, T most, std::function<void(T)> set) {
  return [=](const Json& value) -> Status {
    if (!value.is_number_unsigned() || value.get<std::uint64_t>() < least ||
        value.get<std::uint64_t>() > most)
      return Wrong("a whole number from " + std::to_string(least) + " to " + std::to_string(most));
    set(static_cast<T>(value.get<std::uint64_t>()));
    return {};
  };
}

template <class Time>
Setter Span(Time& target, std::uint64_t most) {
  return Whole<std::uint64_t>(1, most, [&target](std::uint64_t count) {
    target = Time(static_cast<typename Time::rep>(count));
  });
}

Status Apply(const Json& json, const Setters& setters) {
  if (!json.is_object()) return Wrong("an object");
  for (const auto& [name, value] : json.items()) {
    const auto setter = setters.find(name);
    if (setter == setters.end())
      return Fail(ErrorCode::kInvalidArgument, "there is no \"" + name + "\"");
    if (auto set = setter->second(value); !set)
      return Fail(WithContext(set.error(), "\"" + name + "\""));
  }
  return {};
}

Status CheckRates(const CusumRates& rates) {
  if (rates.tolerated < rates.caught) return {};
  return Fail(ErrorCode::kInvalidArgument,
              "\"tolerated_rate\" must be smaller than \"caught_rate\"");
}

Setters StreamSetters(GuardStreamSettings& stream) {
  constexpr double kRateMin = 1e-9;
  constexpr double kRateMax = 0.99;
  return {{"tolerated_rate", Number(stream.rates.tolerated, kRateMin, kRateMax)},
          {"caught_rate", Number(stream.rates.caught, kRateMin, kRateMax)},
          {"tick_ms", Span(stream.tick, 60'000)},
          {"ticks_min", Whole<unsigned>(1, 1000, [&](unsigned n) { stream.ticks_min = n; })},
          {"dry_run", Flag(stream.is_dry_run)}};
}

Setter Stream(GuardStreamSettings& stream) {
  return [&stream](const Json& value) -> Status {
    SB_RETURN_IF_ERROR(Apply(value, StreamSetters(stream)));
    return CheckRates(stream.rates);
  };
}

Json StreamJson(const GuardStreamSettings& stream) {
  return {{"tolerated_rate", stream.rates.tolerated},
          {"caught_rate", stream.rates.caught},
          {"tick_ms", stream.tick.count()},
          {"ticks_min", stream.ticks_min},
          {"dry_run", stream.is_dry_run}};
}

}  // namespace

const char* GuardEscalationName(GuardEscalation escalation) {
  constexpr std::array<const char*, 3> kNames{"automatic", "assisted", "manual"};
  return kNames[static_cast<std::size_t>(escalation)];
}

Json GuardSettingsJson(const GuardSettings& settings) {
  Json json{{"enabled", settings.is_enabled},
            {"dry_run", settings.is_dry_run},
            {"escalation", GuardEscalationName(settings.escalation)},
            {"acknowledge_within_seconds", settings.acknowledge_within.count()},
            {"limit", settings.limit}};
  for (const GuardStream stream : kGuardStreams)
    json[GuardStreamName(stream)] = StreamJson(settings.Of(stream));
  json["slow_read_factor"] = settings.slow_read_factor;
  json["slow_read_floor_us"] = settings.slow_read_floor.count();
  json["slow_read_ceiling_us"] = settings.slow_read_ceiling.count();
  json["slow_apply_factor"] = settings.slow_apply_factor;
  json["slow_apply_floor_ms"] = settings.slow_apply_floor.count();
  json["slow_apply_ceiling_ms"] = settings.slow_apply_ceiling.count();
  json["read_deadline_ms"] = settings.read_deadline.count();
  json["memory_growth_bytes"] = settings.memory_growth_bytes;
  json["crash_count_max"] = settings.crash_count_max;
  json["crash_window_seconds"] = settings.crash_window.count();
  return json;
}

Status ApplyGuardSettings(const Json& json, GuardSettings& settings) {
  constexpr std::uint64_t kHourMs = 3'600'000;
  Setters setters{{"enabled", Flag(settings.is_enabled)},
                  {"dry_run", Flag(settings.is_dry_run)},
                  {"escalation", Escalation(settings.escalation)},
                  {"acknowledge_within_seconds", Span(settings.acknowledge_within, 7 * 86'400)},
                  {"limit", Number(settings.limit, 1, 1000)},
                  {"slow_read_factor", Number(settings.slow_read_factor, 1, 1000)},
                  {"slow_read_floor_us", Span(settings.slow_read_floor, 1000 * kHourMs)},
                  {"slow_read_ceiling_us", Span(settings.slow_read_ceiling, 1000 * kHourMs)},
                  {"slow_apply_factor", Number(settings.slow_apply_factor, 1, 1000)},
                  {"slow_apply_floor_ms", Span(settings.slow_apply_floor, kHourMs)},
                  {"slow_apply_ceiling_ms", Span(settings.slow_apply_ceiling, kHourMs)},
                  {"read_deadline_ms", Span(settings.read_deadline, kHourMs)},
                  {"memory_growth_bytes",
                   Whole<std::uint64_t>(
                       1, UINT64_MAX, [&](std::uint64_t n) { settings.memory_growth_bytes = n; })},
                  {"crash_count_max",
                   Whole<unsigned>(0, 1000, [&](unsigned n) { settings.crash_count_max = n; })},
                  {"crash_window_seconds", Span(settings.crash_window, 86'400)}};
  for (const GuardStream stream : kGuardStreams)
    setters.emplace(GuardStreamName(stream), Stream(settings.streams[Index(stream)]));
  return Apply(json, setters);
}

}  // namespace switchback
