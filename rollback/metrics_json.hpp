// How the comparison of both roles is written as JSON: over HTTP, in evidence, in the journal.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

#include "rollback/metrics_history.hpp"

namespace switchback {

nlohmann::ordered_json RoleFiguresJson(const RoleFigures& figures);
// Legacy, unified and how much worse unified is, by operation.
nlohmann::ordered_json PortionJson(const MetricsPortion& portion);
nlohmann::ordered_json BaselineJson(const Baseline& baseline);
// nullopt: it is none.
std::optional<Baseline> ParseBaseline(std::string_view text);
// All there is to say: of late, since the start, by collection, the baseline, recent errors.
nlohmann::ordered_json ComparisonJson(DbService& service, const MetricsHistory& history);
nlohmann::ordered_json RecentErrorsJson(const RecentErrors& errors);

}  // namespace switchback
