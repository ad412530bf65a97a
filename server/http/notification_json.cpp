#include "server/http/notification_json.hpp"

#include <nlohmann/json.hpp>

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

Json SinkJson(const SinkStatus& sink) {
  Json json{{"name", sink.name}, {"kind", sink.kind}, {"target", sink.target}};
  json["events"] = sink.events.empty() ? Json("all") : Json(sink.events);
  json["waiting"] = sink.waiting;
  json["delivered"] = sink.delivered;
  json["failed"] = sink.failed;
  json["refused"] = sink.refused;
  json["expired"] = sink.expired;
  json["dropped"] = sink.dropped;
  json["next_attempt_seconds"] =
      sink.next_attempt_seconds ? Json(*sink.next_attempt_seconds) : Json(nullptr);
  json["last"] = nullptr;
  if (!sink.last_time.empty()) {
    json["last"] = {{"time", sink.last_time},
                    {"outcome", sink.last_outcome},
                    {"text", sink.last_text},
                    {"id", sink.last_id}};
  }
  return json;
}

}  // namespace

Json NotificationsJson(const std::vector<SinkStatus>& sinks) {
  Json list = Json::array();
  for (const SinkStatus& sink : sinks) list.push_back(SinkJson(sink));
  return {{"sinks", std::move(list)}};
}

Json TestOutcomesJson(const std::vector<TestOutcome>& outcomes) {
  Json list = Json::array();
  for (const TestOutcome& test : outcomes) {
    list.push_back({{"sink", test.sink},
                    {"outcome", SinkOutcomeName(test.outcome.kind)},
                    {"text", test.outcome.text}});
  }
  return {{"results", std::move(list)}};
}

}  // namespace switchback
