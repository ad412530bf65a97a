#include "rollback/metrics_json.hpp"

#include <fmt/format.h>

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

Json OperationsJson(const std::array<RoleFigures, kOperationCount>& legacy,
                    const std::array<RoleFigures, kOperationCount>& unified) {
  Json json = Json::object();
  for (std::size_t i = 0; i < kOperationCount; ++i) {
    if (legacy[i].operations + unified[i].operations == 0) continue;
    const Degradation worse = DegradationOf(legacy[i], unified[i]);
    json[OperationName(static_cast<Operation>(i))] = {{"legacy", RoleFiguresJson(legacy[i])},
                                                      {"unified", RoleFiguresJson(unified[i])},
                                                      {"degradation",
                                                       {{"p99_percent", worse.p99_percent},
                                                        {"p99_us", worse.p99_us},
                                                        {"error_points", worse.error_points}}}};
  }
  return json;
}

RoleFigures ParseFigures(const nlohmann::json& json) {
  RoleFigures figures;
  const auto number = [&](const char* name) {
    const auto found = json.find(name);
    return found != json.end() && found->is_number() ? found->get<double>() : 0.0;
  };
  figures.operations = static_cast<std::uint64_t>(number("operations"));
  figures.errors = static_cast<std::uint64_t>(number("errors"));
  figures.per_second = number("per_second");
  figures.error_percent = number("error_percent");
  figures.p50_us = number("p50_us");
  figures.p95_us = number("p95_us");
  figures.p99_us = number("p99_us");
  figures.p999_us = number("p999_us");
  return figures;
}

Json CollectionsJson(DbService& service, double seconds) {
  Json json = Json::object();
  for (const CollectionMetrics& metrics : service.GetCollectionMetrics()) {
    std::array<std::array<RoleFigures, kOperationCount>, kRoleCount> figures;
    for (const Role role : kRoles) {
      for (std::size_t i = 0; i < kOperationCount; ++i)
        figures[Index(role)][i] = FiguresOf(metrics.operations[Index(role)][i], seconds);
    }
    json[metrics.name.empty() ? "(others)" : metrics.name] =
        OperationsJson(figures[Index(Role::kLegacy)], figures[Index(Role::kUnified)]);
  }
  return json;
}

}  // namespace

Json RoleFiguresJson(const RoleFigures& figures) {
  return {{"operations", figures.operations}, {"errors", figures.errors},
          {"per_second", figures.per_second}, {"error_percent", figures.error_percent},
          {"p50_us", figures.p50_us},         {"p95_us", figures.p95_us},
          {"p99_us", figures.p99_us},         {"p999_us", figures.p999_us}};
}

Json PortionJson(const MetricsPortion& portion) {
  return {{"until", FormatUtc(portion.at)},
          {"seconds", portion.seconds},
          {"effective_percentage", portion.effective_percentage},
          {"operations", OperationsJson(portion.figures[Index(Role::kLegacy)],
                                        portion.figures[Index(Role::kUnified)])}};
}

Json BaselineJson(const Baseline& baseline) {
  Json json{{"since", baseline.since}, {"seconds", baseline.seconds}, {"legacy", Json::object()}};
  for (std::size_t i = 0; i < kOperationCount; ++i)
    json["legacy"][OperationName(static_cast<Operation>(i))] = RoleFiguresJson(baseline.legacy[i]);
  return json;
}

std::optional<Baseline> ParseBaseline(std::string_view text) {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object() || !json.contains("legacy") || !json["legacy"].is_object() ||
      !json.value("since", nlohmann::json()).is_string())
    return std::nullopt;
  Baseline baseline;
  baseline.since = json["since"].get<std::string>();
  if (json.value("seconds", nlohmann::json()).is_number())
    baseline.seconds = json["seconds"].get<double>();
  for (std::size_t i = 0; i < kOperationCount; ++i) {
    const auto found = json["legacy"].find(OperationName(static_cast<Operation>(i)));
    if (found != json["legacy"].end() && found->is_object())
      baseline.legacy[i] = ParseFigures(*found);
  }
  return baseline;
}

Json RecentErrorsJson(const RecentErrors& errors) {
  Json json = Json::array();
  for (const StoreError& error : errors.List())
    json.push_back({{"number", error.number},
                    {"time", FormatUtc(error.time)},
                    {"role", RoleName(error.role)},
                    {"operation", error.operation},
                    {"collection", error.collection},
                    {"key_hash", fmt::format("{:016x}", error.key_hash)},
                    {"code", ErrorCodeName(error.code)},
                    {"message", error.message}});
  return json;
}

Json ComparisonJson(DbService& service, const MetricsHistory& history) {
  const MetricsPortion start = history.SinceStart();
  Json json{{"of_late", PortionJson(history.OfLate())}, {"since_start", PortionJson(start)}};
  json["collections"] = CollectionsJson(service, start.seconds);
  const auto baseline = history.baseline();
  json["baseline"] = baseline ? BaselineJson(*baseline) : Json();
  json["recent_errors"] = RecentErrorsJson(service.recent_errors());
  return json;
}

}  // namespace switchback
