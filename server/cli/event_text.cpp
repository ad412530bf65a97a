#include "server/cli/event_text.hpp"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "server/cli/output.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

std::string Text(const Json& data, const char* name) {
  const Json value = data.value(name, Json());
  return value.is_string() ? value.get<std::string>() : value.is_null() ? "" : value.dump();
}

double Number(const Json& data, const char* name) {
  const Json value = data.value(name, Json());
  return value.is_number() ? value.get<double>() : 0;
}

void Add(std::vector<std::string>& parts, std::string part) {
  if (!part.empty()) parts.push_back(std::move(part));
}

// State, progress and what is wrong: the members that most topics have.
std::vector<std::string> CommonParts(const Json& data) {
  std::vector<std::string> parts;
  for (const char* name : {"state", "stage", "phase"}) {
    if (parts.empty() || parts.back() != Text(data, name)) Add(parts, Text(data, name));
  }
  if (data.contains("percent")) Add(parts, FormatPercent(Number(data, "percent")) + " %");
  const Json eta = data.value("eta_seconds", Json());
  if (eta.is_number()) Add(parts, FormatSeconds(eta.get<double>()) + " left");
  for (const char* name : {"waiting", "error", "reason", "warning", "log_error"})
    Add(parts, Text(data, name));
  return parts;
}

std::string Subject(std::string_view topic, const Json& data) {
  if (topic == "backup" || topic == "restore")
    return fmt::format("{} {}: ", Text(data, "operation"), Text(data, "id"));
  if (topic == "follower") return Text(data, "role") + ": ";
  if (topic == "migration") return "to " + Text(data, "target") + ": ";
  return "";
}

std::string OperationText(const Json& data) {
  std::string text = fmt::format("{} {}: ", Text(data, "kind"), Text(data, "id"));
  const Json step = data.value("step", Json());
  if (step.is_object())
    return text + fmt::format("{}: {}", Text(step, "name"), Text(step, "status"));
  text += Text(data, "status");
  if (!Text(data, "actor").empty()) text += ", for " + Text(data, "actor");
  if (!Text(data, "reason").empty()) text += ": " + Text(data, "reason");
  return text;
}

std::string FlagsText(const Json& data) {
  std::string text =
      fmt::format("revision {}: {} % asked for, {} % in effect", Text(data, "flag_revision"),
                  FormatPercent(Number(data, "desired_percentage")),
                  FormatPercent(Number(data, "effective_percentage")));
  for (const char* name : {"reason", "warning"}) {
    if (!Text(data, name).empty()) text += ": " + Text(data, name);
  }
  return text;
}

std::string Body(std::string_view topic, const Json& data) {
  if (topic == "hello")
    return fmt::format("switchback {}{}", Text(data, "version"),
                       data.value("is_resumed", false) ? ", going on" : "");
  if (topic == "lost") return fmt::format("{} events were missed", Text(data, "missed"));
  if (topic == "operation") return OperationText(data);
  if (topic == "flags") return FlagsText(data);
  if (topic == "schema") {
    const std::string running = Text(data, "running");
    return fmt::format("version {}{}{}", Text(data, "version"), running.empty() ? "" : ", ",
                       running);
  }
  return Subject(topic, data) + fmt::format("{}", fmt::join(CommonParts(data), ", "));
}

}  // namespace

std::string DescribeEvent(std::string_view topic, const Json& data) {
  if (!data.is_object()) return fmt::format("{}: not an event of ours", topic);
  return fmt::format("{}  {:<10} {}", Text(data, "time"), topic, Body(topic, data));
}

}  // namespace switchback
