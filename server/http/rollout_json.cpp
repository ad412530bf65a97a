#include "server/http/rollout_json.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

double Seconds(std::chrono::milliseconds time) {
  return std::chrono::duration<double>(time).count();
}

double Percent(std::uint32_t share) {
  return static_cast<double>(share) / 1000;
}

const char* StepState(const RolloutRecord& record, std::size_t index) {
  if (index < record.step || record.state == RolloutState::kDone) return "done";
  if (index > record.step) return "waiting";
  return record.IsActive() && record.state != RolloutState::kAborting ? "running" : "ended";
}

Json StepsJson(const RolloutRecord& record) {
  Json steps = Json::array();
  for (std::size_t index = 0; index < record.steps.size(); ++index)
    steps.push_back(
        {{"percentage", Percent(record.steps[index].share)}, {"state", StepState(record, index)}});
  return steps;
}

// What is left at least, when nothing holds it up.
std::chrono::milliseconds TimeLeft(const RolloutRecord& record) {
  const auto steps_left = static_cast<std::int64_t>(record.steps.size() - record.step);
  return record.interval * steps_left - record.elapsed;
}

// Of 100, by the time that steps take.
double PercentDone(const RolloutRecord& record) {
  if (record.state == RolloutState::kDone) return 100;
  const auto all = record.interval * static_cast<std::int64_t>(record.steps.size());
  return 100 * (1 - Seconds(TimeLeft(record)) / std::max(Seconds(all), 0.001));
}

}  // namespace

Json RolloutJson(const RolloutStatus& status, const RoutingStatus& routing) {
  const RolloutRecord& record = status.record;
  Json json{{"state", RolloutStateName(record.state)}};
  if (record.state != RolloutState::kNone) {
    const bool is_going_on =
        record.state == RolloutState::kRunning || record.state == RolloutState::kPaused;
    json.update({{"operation", record.operation},
                 {"actor", record.actor},
                 {"reason", record.reason},
                 {"started_at", record.started_at},
                 {"ended_at", record.ended_at},
                 {"note", record.note},
                 {"hold", status.hold},
                 {"step", record.step + 1},
                 {"step_count", record.steps.size()},
                 {"percentage", Percent(record.steps[record.step].share)},
                 {"is_written", !record.writing.has_value()},
                 {"interval_seconds", Seconds(record.interval)},
                 {"elapsed_seconds", Seconds(record.elapsed)},
                 {"operations", record.operations},
                 {"operations_min", record.operations_min},
                 {"percent", PercentDone(record)}});
    json["eta_seconds"] = is_going_on ? Json(Seconds(TimeLeft(record))) : Json();
    json["before_percentage"] = record.before.is_enabled ? Percent(record.before.share) : 0;
    json["steps"] = StepsJson(record);
  }
  json["desired_percentage"] = routing.desired_percentage;
  json["effective_percentage"] = routing.effective_percentage;
  return json;
}

Json RolloutPlanJson(const RolloutPlan& plan, WallTime now) {
  Json steps = Json::array();
  for (const FlagPoint& step : plan.steps) {
    steps.push_back({{"percentage", Percent(step.share)},
                     {"begins_at", FormatUtc(now)},
                     {"ends_at", FormatUtc(now + plan.interval)}});
    now += plan.interval;
  }
  return {{"state", "planned"},
          {"before_percentage", plan.before.is_enabled ? Percent(plan.before.share) : 0},
          {"interval_seconds", Seconds(plan.interval)},
          {"operations_min", plan.operations_min},
          {"steps", std::move(steps)},
          {"refusals", plan.refusals},
          {"warnings", plan.warnings}};
}

}  // namespace switchback
