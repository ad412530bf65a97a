#include "rollback/rollback_json.hpp"

#include "rollback/guard/guard_json.hpp"

namespace switchback {

using Json = nlohmann::ordered_json;

Json RollbackCheckJson(const RollbackCheck& check) {
  Json json{
      {"can_roll_back", check.can_roll_back},   {"reason", check.reason},
      {"percentage", check.percentage},         {"writes_lost", 0},  // both stores get every write
      {"batches_behind", check.batches_behind}, {"lag_ms", check.lag.count()}};
  json["latched"] = check.latched ? LatchedJson(*check.latched) : Json();
  return json;
}

Json RollbackStatusJson(const RollbackStatus& status) {
  Json json{{"id", status.id},
            {"kind", status.kind},
            {"stage", status.stage},
            {"step", status.step},
            {"percent", status.percent},
            {"actor", status.actor},
            {"reason", status.reason},
            {"final_status", status.final_status},
            {"errors", status.errors},
            {"evidence", status.evidence},
            {"total_ms", status.total_ms}};
  if (!status.validation) return json;
  Json checks = Json::array();
  for (const ValidationCheck& check : status.validation->checks)
    checks.push_back({{"name", check.name}, {"passed", check.is_passed}, {"detail", check.detail}});
  json["validation"] = {{"passed", status.validation->is_passed()},
                        {"ms", status.validation->milliseconds},
                        {"checks", std::move(checks)}};
  return json;
}

}  // namespace switchback
