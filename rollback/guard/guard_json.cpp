#include "rollback/guard/guard_json.hpp"

#include "migration/utc.hpp"

namespace switchback {

using Json = nlohmann::ordered_json;

Json GuardStreamJson(const GuardStreamStatus& stream) {
  Json json{{"stream", GuardStreamName(stream.stream)},
            {"sum", stream.sum},
            {"limit", stream.limit},
            {"tolerated_rate", stream.rates.tolerated},
            {"caught_rate", stream.rates.caught},
            {"count", stream.count},
            {"bad", stream.bad},
            {"count_all", stream.count_all},
            {"bad_all", stream.bad_all},
            {"dry_run", stream.is_dry_run},
            {"dry_trips", stream.dry_trips}};
  if (stream.threshold_us) json["threshold_us"] = *stream.threshold_us;
  return json;
}

Json LatchedJson(const Latched& latched) {
  return {{"id", latched.id},
          {"cause", latched.cause},
          {"time", latched.time},
          {"reason", latched.reason},
          {"detail", Json::parse(latched.detail, nullptr, false)}};
}

Json GuardStatusJson(const GuardStatus& status) {
  Json json{{"state", status.state},
            {"dry_run", status.is_dry_run},
            {"trips", status.trips},
            {"dry_trips", status.dry_trips},
            {"holds_rollout", status.holds_ramp},
            {"rollout_sum", status.ramp_sum}};
  json["escalation"] = GuardEscalationName(status.escalation);
  json["proposal"] = Json();
  if (status.proposal) {
    json["proposal"] = {
        {"id", status.proposal->id},
        {"time", FormatUtc(status.proposal->time)},
        {"severity", GuardSeverityName(status.proposal->trip.severity)},
        {"reason", status.proposal->trip.reason},
        {"acts_in_seconds", status.acts_in ? Json(status.acts_in->count()) : Json()},
        {"choices",
         "`switchback rollback confirm` goes back to legacy; "
         "`switchback rollback dismiss` changes nothing"}};
  }
  json["latched"] = status.latched ? LatchedJson(*status.latched) : Json();
  json["streams"] = Json::array();
  for (const GuardStreamStatus& stream : status.streams)
    json["streams"].push_back(GuardStreamJson(stream));
  json["alerts"] = Json::array();
  for (const GuardAlert& alert : status.alerts)
    json["alerts"].push_back({{"severity", GuardSeverityName(alert.severity)},
                              {"name", alert.name},
                              {"text", alert.text}});
  return json;
}

}  // namespace switchback
