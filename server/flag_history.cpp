#include "server/flag_history.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "common/log.hpp"
#include "flags/share.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kDocument = "flags-seen";
constexpr std::size_t kTextMax = 2000;

// "USE_UNIFIED_DB_SERVICE 25 %, READ_ONLY off".
std::string Describe(const FlagSnapshot& flags) {
  std::string text;
  for (const auto& [name, rule] : flags.flags) {
    const bool is_by_rule = rule.is_targeted() && rule.MayBeOn();
    const std::string share = rule.share() == 0 ? "off" : FormatPercentage(rule.share()) + " %";
    text +=
        fmt::format("{}{} {}", text.empty() ? "" : ", ", name, is_by_rule ? "by a rule" : share);
    if (!rule.allow().empty() || !rule.deny().empty()) text += " with lists";
  }
  if (text.size() > kTextMax) text = text.substr(0, kTextMax) + "...";
  return text.empty() ? "no flags" : text;
}

}  // namespace

void FlagHistory::OnLoad(const FlagSnapshot& flags) {
  if (!flags.is_from_file || flags.content_hash.empty() || flags.content_hash == noted_) return;
  const auto note = [&]() -> Status {
    const auto stored = journal_.Load(kDocument);
    if (!stored) return Fail(stored.error());
    const Json before = *stored ? Json::parse(**stored, nullptr, false) : Json();
    const bool is_known = before.is_object();
    noted_ = flags.content_hash;
    if (is_known && before.value("hash", "") == flags.content_hash) return {};
    const std::string now = Describe(flags);
    SB_RETURN_IF_ERROR(
        journal_.Store(kDocument, Json{{"hash", flags.content_hash}, {"flags", now}}.dump()));
    return journal_.Audit(
        "flags file", "flags",
        fmt::format("revision {}: {}{}", flags.revision, now,
                    is_known ? " (before: " + before.value("flags", "") + ")" : ""));
  };
  if (auto noted = note(); !noted)
    LogWarning("the flags' change is not in the history: {}", noted.error().message);
}

}  // namespace switchback
