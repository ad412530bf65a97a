#include "migration/migration_settings.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <variant>

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

using Member = std::variant<std::uint64_t MigrationSettings::*, double MigrationSettings::*,
                            bool MigrationSettings::*>;
struct Setting {
  const char* name;
  Member member;
  double least;
  double most;
  const char* text;
};

constexpr double kAny = 1e15;
constexpr double kDay = 86400;

const std::vector<Setting>& Settings() {
  using S = MigrationSettings;
  static const std::vector<Setting> kSettings{
      {"bytes_per_second", &S::bytes_per_second, 0, kAny, "rate of the copy; 0 = no limit"},
      {"records_per_second", &S::records_per_second, 0, kAny, "rate of the copy; 0 = no limit"},
      {"p99_ratio_max", &S::p99_ratio_max, 0, 1000,
       "foreground p99 over its value before the copy; 0 = not looked at"},
      {"lag_ms_max", &S::lag_ms_max, 0, kAny,
       "age of the oldest write that the source has not applied; 0 = not looked at"},
      {"load_max", &S::load_max, 0, 1000, "load average per core; 0 = not looked at"},
      {"disk_free_bytes_min", &S::disk_free_bytes_min, 0, kAny,
       "the copy stops while the target's disk has less free, or less than 5 % of its size"},
      {"throttle_memory_share_max", &S::throttle_memory_share_max, 0, 1,
       "the copy stops while more of the memory is in use; 0 = not looked at"},
      {"invalid_share_max", &S::invalid_share_max, 0, 1,
       "share of invalid records past which the migration is rolled back"},
      {"unreachable_ms_max", &S::unreachable_ms_max, 0, kDay * 30 * 1000,
       "how long a store may be out of reach before it is rolled back; 0 = for ever"},
      {"memory_share_max", &S::memory_share_max, 0, 1,
       "share of the memory in use past which it is rolled back; 0 = not looked at"},
      {"seconds_max", &S::seconds_max, 0, kDay * 365,
       "how long it may take before it is rolled back; 0 = 300 for each 10,000 records"},
      {"is_verified_after", &S::is_verified_after, 0, 1,
       "whether a full verify is part of the migration"},
      {"is_backed_up_before", &S::is_backed_up_before, 0, 1,
       "whether a backup comes before the copy, and before legacy is let go"},
  };
  return kSettings;
}

Status Wrong(const Setting& setting, const std::string& expected) {
  return Fail(ErrorCode::kInvalidArgument,
              std::string("\"") + setting.name + "\" must be " + expected);
}

Status Set(const Setting& setting, const Json& value, MigrationSettings& settings) {
  if (const auto* flag = std::get_if<bool MigrationSettings::*>(&setting.member)) {
    if (!value.is_boolean()) return Wrong(setting, "true or false");
    settings.** flag = value.get<bool>();
    return {};
  }
  const bool is_whole = std::holds_alternative<std::uint64_t MigrationSettings::*>(setting.member);
  if (!value.is_number() || (is_whole && !value.is_number_unsigned()))
    return Wrong(setting, is_whole ? "a whole number" : "a number");
  const auto number = value.get<double>();
  if (!(number >= setting.least && number <= setting.most)) {
    return Wrong(setting,
                 "from " + Json(setting.least).dump() + " to " + Json(setting.most).dump());
  }
  if (is_whole) {
    settings.*std::get<std::uint64_t MigrationSettings::*>(setting.member) =
        value.get<std::uint64_t>();
  } else {
    settings.*std::get<double MigrationSettings::*>(setting.member) = number;
  }
  return {};
}

}  // namespace

std::uint64_t MigrationSettings::SecondsMax(std::uint64_t records) const {
  constexpr std::uint64_t kSeconds = 300;
  constexpr std::uint64_t kRecords = 10'000;
  if (seconds_max > 0) return seconds_max;
  return std::max<std::uint64_t>(kSeconds, kSeconds * (records / kRecords));
}

std::string MigrationSettingsToJson(const MigrationSettings& settings) {
  Json json = Json::object();
  for (const Setting& setting : Settings()) {
    std::visit([&](const auto& member) { json[setting.name] = settings.*member; }, setting.member);
  }
  return json.dump();
}

Status ChangeMigrationSettings(std::string_view json, MigrationSettings& settings) {
  const Json document = Json::parse(json, nullptr, false);
  if (!document.is_object())
    return Fail(ErrorCode::kInvalidArgument, "settings must be a JSON object");
  MigrationSettings changed = settings;
  for (const auto& member : document.items()) {
    const std::string& name = member.key();
    const auto& all = Settings();
    const auto setting =
        std::find_if(all.begin(), all.end(), [&](const Setting& one) { return one.name == name; });
    if (setting == all.end())
      return Fail(
          ErrorCode::kInvalidArgument,
          "there is no setting \"" + name + "\": `switchback migrate set --help` lists them");
    SB_RETURN_IF_ERROR(Set(*setting, member.value(), changed));
  }
  settings = changed;
  return {};
}

std::vector<MigrationSettingHelp> MigrationSettingsHelp() {
  const Json defaults = Json::parse(MigrationSettingsToJson({}));
  std::vector<MigrationSettingHelp> help;
  for (const Setting& setting : Settings()) {
    help.push_back(
        {setting.name, std::string(setting.text) + " [" + defaults[setting.name].dump() + "]"});
  }
  return help;
}

}  // namespace switchback
