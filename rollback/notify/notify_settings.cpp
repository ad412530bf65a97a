#include "rollback/notify/notify_settings.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "flags/strict_json.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;
using Setter = std::function<Status(const Json&, SinkSettings&)>;

constexpr std::size_t kNameBytesMax = 64;
constexpr std::int64_t kTimeoutSecondsMax = 300;

tl::unexpected<Error> Wrong(const std::string& expected) {
  return Fail(ErrorCode::kInvalidArgument, "must be " + expected);
}

Setter WebhookText(std::string WebhookOptions::*member) {
  return [member](const Json& value, SinkSettings& sink) -> Status {
    if (!value.is_string() || value.get_ref<const std::string&>().empty()) return Wrong("a text");
    sink.webhook.*member = value.get<std::string>();
    return {};
  };
}

Status SetName(const Json& value, SinkSettings& sink) {
  const std::string name = value.is_string() ? value.get<std::string>() : "";
  const bool is_plain = std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
  });
  if (name.empty() || name.size() > kNameBytesMax || !is_plain)
    return Wrong("up to 64 letters, digits, '-' and '_'");
  sink.name = name;
  return {};
}

Status SetEvents(const Json& value, SinkSettings& sink) {
  sink.events.clear();
  if (value == "all") return {};
  if (!value.is_array() || value.empty()) return Wrong("\"all\" or a list of kinds");
  for (const Json& event : value) {
    if (!event.is_string()) return Wrong("\"all\" or a list of kinds");
    const auto& name = event.get_ref<const std::string&>();
    if (!NotificationFilter::IsValid(name))
      return Fail(ErrorCode::kInvalidArgument,
                  "there is no kind \"" + Printable(name) + "\"; docs/operations.md lists them");
    sink.events.push_back(name);
  }
  return {};
}

Status SetFormat(const Json& value, SinkSettings& sink) {
  if (value != "json" && value != "slack") return Wrong("\"json\" or \"slack\"");
  sink.webhook.is_slack = value == "slack";
  return {};
}

Status SetArgv(const Json& value, SinkSettings& sink) {
  constexpr const char* kExpected =
      "a list of texts that begins with the absolute path of a program";
  if (!value.is_array() || value.empty()) return Wrong(kExpected);
  for (const Json& word : value) {
    if (!word.is_string() || word.get_ref<const std::string&>().find('\0') != std::string::npos)
      return Wrong(kExpected);
    sink.command.argv.push_back(word.get<std::string>());
  }
  if (!sink.command.argv.front().starts_with('/')) return Wrong(kExpected);
  return {};
}

Status SetTimeout(const Json& value, SinkSettings& sink) {
  if (!value.is_number_unsigned() || value.get<std::uint64_t>() < 1 ||
      value.get<std::uint64_t>() > kTimeoutSecondsMax)
    return Wrong("a whole number from 1 to 300");
  sink.command.time_max = std::chrono::seconds(value.get<std::int64_t>());
  return {};
}

Status SkipKind(const Json&, SinkSettings&) {
  return {};
}

const std::map<std::string, Setter>& Setters(const std::string& kind) {
  static const std::map<std::string, Setter> kWebhook{
      {"kind", SkipKind},
      {"name", SetName},
      {"events", SetEvents},
      {"format", SetFormat},
      {"url", WebhookText(&WebhookOptions::url)},
      {"url_file", WebhookText(&WebhookOptions::url_file)},
      {"secret_file", WebhookText(&WebhookOptions::secret_file)},
      {"secret_env", WebhookText(&WebhookOptions::secret_env)},
      {"ca_file", WebhookText(&WebhookOptions::ca_file)},
  };
  static const std::map<std::string, Setter> kCommand{
      {"kind", SkipKind},
      {"name", SetName},
      {"events", SetEvents},
      {"argv", SetArgv},
      {"timeout_seconds", SetTimeout},
  };
  return kind == "webhook" ? kWebhook : kCommand;
}

Status CheckSink(const SinkSettings& sink) {
  if (sink.kind == "command") {
    if (sink.command.argv.empty()) return Fail(ErrorCode::kInvalidArgument, "\"argv\" is missing");
    return {};
  }
  const WebhookOptions& webhook = sink.webhook;
  if (webhook.url.empty() == webhook.url_file.empty())
    return Fail(ErrorCode::kInvalidArgument, "needs either \"url\" or \"url_file\"");
  if (!webhook.secret_file.empty() && !webhook.secret_env.empty())
    return Fail(ErrorCode::kInvalidArgument, "has both \"secret_file\" and \"secret_env\"");
  if (webhook.url.empty()) return {};
  if (const auto origin = OriginOf(webhook.url); !origin)
    return Fail(WithContext(origin.error(), "\"url\""));
  return {};
}

Result<SinkSettings> ParseSink(const Json& document, std::size_t place) {
  SinkSettings sink;
  const auto kind = document.is_object() ? document.find("kind") : document.end();
  if (kind == document.end() || (*kind != "webhook" && *kind != "command"))
    return Fail(ErrorCode::kInvalidArgument,
                "must be an object whose \"kind\" is \"webhook\" or \"command\"");
  sink.kind = kind->get<std::string>();
  sink.name = sink.kind + "-" + std::to_string(place);
  for (const auto& [name, value] : document.items()) {
    const auto setter = Setters(sink.kind).find(name);
    if (setter == Setters(sink.kind).end())
      return Fail(ErrorCode::kInvalidArgument,
                  "a " + sink.kind + " has no member \"" + Printable(name) + "\"");
    if (auto set = setter->second(value, sink); !set)
      return Fail(WithContext(set.error(), "\"" + name + "\""));
  }
  SB_RETURN_IF_ERROR(CheckSink(sink));
  return sink;
}

}  // namespace

Result<std::vector<SinkSettings>> ParseSinks(const Json& list) {
  if (!list.is_array() || list.size() > kSinkCountMax)
    return Wrong("a list of at most " + std::to_string(kSinkCountMax) + " sinks");
  std::vector<SinkSettings> sinks;
  std::set<std::string> names;
  for (const Json& document : list) {
    const std::size_t place = sinks.size() + 1;
    auto sink = ParseSink(document, place);
    if (!sink) return Fail(WithContext(sink.error(), "sink " + std::to_string(place)));
    if (!names.insert(sink->name).second)
      return Fail(ErrorCode::kInvalidArgument, "there are two sinks named " + sink->name);
    sinks.push_back(*std::move(sink));
  }
  return sinks;
}

Status ChangeRetryPolicy(const Json& document, RetryPolicy& policy) {
  if (!document.is_object()) return Wrong("an object of ms_min, ms_max and seconds_max");
  for (const auto& [name, value] : document.items()) {
    constexpr std::uint64_t kMax = 30ull * 24 * 3600 * 1000;
    const bool is_number = value.is_number_unsigned() && value.get<std::uint64_t>() >= 1 &&
                           value.get<std::uint64_t>() <= kMax;
    if (!is_number) return Fail(ErrorCode::kInvalidArgument, name + " must be a whole number > 0");
    const auto number = value.get<std::int64_t>();
    if (name == "ms_min") {
      policy.delay_min = std::chrono::milliseconds(number);
    } else if (name == "ms_max") {
      policy.delay_max = std::chrono::milliseconds(number);
    } else if (name == "seconds_max") {
      policy.age_max = std::chrono::seconds(number);
    } else {
      return Wrong("without the member \"" + Printable(name) + "\"");
    }
  }
  if (policy.delay_min > policy.delay_max) return Wrong("ms_min up to ms_max");
  return {};
}

std::unique_ptr<NotificationSink> MakeSink(const SinkSettings& settings) {
  if (settings.kind == "command") return std::make_unique<CommandSink>(settings.command);
  return std::make_unique<WebhookSink>(settings.webhook, SystemClock());
}

}  // namespace switchback
