#include "server/config.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "common/file.hpp"
#include "flags/strict_json.hpp"
#include "rollback/guard/guard_settings_json.hpp"
#include "server/unix_socket.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;
using Setter = std::function<Status(const Json&, ServerConfig&)>;

tl::unexpected<Error> Wrong(const std::string& expected) {
  return Fail(ErrorCode::kInvalidArgument, "must be " + expected);
}

// A whole number within the member's type and at least `least`.
template <class Number>
Status SetNumber(const Json& value, std::uint64_t least, Number& member) {
  const auto most = static_cast<std::uint64_t>(std::numeric_limits<Number>::max());
  const std::string expected =
      "a whole number from " + std::to_string(least) + " to " + std::to_string(most);
  if (!value.is_number_unsigned()) return Wrong(expected);
  const auto number = value.get<std::uint64_t>();
  if (number < least || number > most) return Wrong(expected);
  member = static_cast<Number>(number);
  return {};
}

Status SetText(const Json& value, std::string& member) {
  if (!value.is_string()) return Wrong("a string");
  member = value.get<std::string>();
  return {};
}

Status SetAck(const Json& value, ServerConfig& config) {
  if (!value.is_string()) return Wrong("\"log\" or \"stores\"");
  auto mode = ParseAckMode(value.get_ref<const std::string&>());
  if (!mode) return Fail(mode.error());
  config.service.ack = *mode;
  return {};
}

Status SetLevel(const Json& value, ServerConfig& config) {
  static const std::map<std::string, LogLevel> kLevels{{"debug", LogLevel::kDebug},
                                                       {"info", LogLevel::kInfo},
                                                       {"warning", LogLevel::kWarning},
                                                       {"error", LogLevel::kError}};
  const auto level = value.is_string() ? kLevels.find(value.get<std::string>()) : kLevels.end();
  if (level == kLevels.end()) return Wrong("\"debug\", \"info\", \"warning\" or \"error\"");
  config.log_level = level->second;
  return {};
}

Status SetLogFormatKey(const Json& value, ServerConfig& config) {
  auto format = ParseLogFormat(value.is_string() ? value.get<std::string>() : "");
  if (!format) return Fail(format.error());
  config.log_format = *format;
  return {};
}

Status SetHosts(const Json& value, ServerConfig& config) {
  if (!value.is_array()) return Wrong("a list of host names");
  config.allowed_hosts.clear();
  for (const Json& host : value) {
    if (!host.is_string() || host.get_ref<const std::string&>().empty())
      return Wrong("a list of host names");
    config.allowed_hosts.push_back(host.get<std::string>());
  }
  return {};
}

Status SetTls(const Json& value, ServerConfig& config) {
  const std::string expected = "an object of certificate, key and, if there is one, client_ca";
  if (!value.is_object()) return Wrong(expected);
  TlsOptions tls;
  for (const auto& [name, path] : value.items()) {
    std::string* member = name == "certificate" ? &tls.certificate
                          : name == "key"       ? &tls.key
                          : name == "client_ca" ? &tls.client_ca
                                                : nullptr;
    if (member == nullptr || !path.is_string()) return Wrong(expected);
    *member = path.get<std::string>();
  }
  if (tls.certificate.empty() || tls.key.empty()) return Wrong(expected);
  config.tls = std::move(tls);
  return {};
}

Status SetSocketMode(const Json& value, ServerConfig& config) {
  if (!value.is_string()) return Wrong("\"0600\" or \"0660\"");
  const auto mode = ParseSocketMode(value.get_ref<const std::string&>());
  if (!mode) return Fail(mode.error());
  config.unix_socket_mode = *mode;
  return {};
}

// The number of a SELECT, strictly: "7", not "07" and not "+7".
std::optional<unsigned> ParseCollectionNumber(const std::string& text) {
  if (text.empty() || text.size() > 4) return std::nullopt;
  if (!std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; }))
    return std::nullopt;
  if (text.size() > 1 && text.front() == '0') return std::nullopt;
  const auto number = static_cast<unsigned>(std::stoul(text));
  if (number >= kNumberedCollectionCountMax) return std::nullopt;
  return number;
}

Status SetCollections(const Json& value, ServerConfig& config) {
  const std::string expected = "an object of numbers (0.." +
                               std::to_string(kNumberedCollectionCountMax - 1) +
                               ") and collection names, as {\"1\": \"users\"}";
  if (!value.is_object()) return Wrong(expected);
  for (const auto& [key, name] : value.items()) {
    const auto number = ParseCollectionNumber(key);
    if (!number || !name.is_string() || !IsValidCollectionName(name.get_ref<const std::string&>()))
      return Wrong(expected);
    config.numbered_collections[*number] = name.get<std::string>();
  }
  return {};
}

Status SetMigration(const Json& value, ServerConfig& config) {
  return ChangeMigrationSettings(value.dump(), config.migration);
}

Status SetValidation(const Json& value, ServerConfig& config) {
  auto rules = ValidationRules::Parse(value.dump());
  if (!rules) return Fail(rules.error());
  config.validation = *std::move(rules);
  return {};
}

Status SetGuard(const Json& value, ServerConfig& config) {
  return ApplyGuardSettings(value, config.guard);
}

Status SetAllowUnverified(const Json& value, ServerConfig& config) {
  if (!value.is_boolean()) return Wrong("true or false");
  config.is_unverified_allowed = value.get<bool>();
  return {};
}

Status SetBackupDirectory(const Json& value, ServerConfig& config) {
  return SetText(value, config.backups.directory);
}

// false, true, or a level of zstd.
Status SetBackupCompression(const Json& value, ServerConfig& config) {
  constexpr int kLevelMax = 19;
  if (value.is_boolean()) {
    config.backups.is_compressed = value.get<bool>();
    return {};
  }
  if (!value.is_number_unsigned() || value.get<std::uint64_t>() > kLevelMax)
    return Wrong("true, false or a level from 0 (none) to 19");
  const int level = value.get<int>();
  config.backups.is_compressed = level > 0;
  if (level > 0) config.backups.compression_level = level;
  return {};
}

Status SetLogArchiveDirectory(const Json& value, ServerConfig& config) {
  return SetText(value, config.log_archive.directory);
}

Status SetLogArchiveWindow(const Json& value, ServerConfig& config) {
  std::uint32_t seconds = 0;
  SB_RETURN_IF_ERROR(SetNumber(value, 0, seconds));
  config.log_archive.window = std::chrono::seconds(seconds);
  return {};
}

Status SetLogArchiveBytes(const Json& value, ServerConfig& config) {
  return SetNumber(value, 1, config.log_archive.bytes_max);
}

Status SetBackupInterval(const Json& value, ServerConfig& config) {
  std::uint32_t seconds = 0;
  SB_RETURN_IF_ERROR(SetNumber(value, 0, seconds));
  config.backups.interval = std::chrono::seconds(seconds);
  return {};
}

Status SetBackupRetention(const Json& value, ServerConfig& config) {
  RetentionPolicy& policy = config.backups.retention;
  std::uint32_t days = static_cast<std::uint32_t>(policy.age_max.count() / 24);
  const std::map<std::string, std::uint32_t*> members{
      {"days", &days},          {"count", &policy.count_max}, {"keep_min", &policy.keep_min},
      {"daily", &policy.daily}, {"weekly", &policy.weekly},   {"monthly", &policy.monthly}};
  if (!value.is_object())
    return Wrong("an object of days, count, keep_min, daily, weekly and monthly");
  for (const auto& [name, number] : value.items()) {
    const auto member = members.find(name);
    if (member == members.end()) return Wrong("without the member \"" + Printable(name) + "\"");
    if (auto set = SetNumber(number, name == "keep_min" ? 1 : 0, *member->second); !set)
      return Fail(WithContext(set.error(), name));
  }
  if (days > 36500) return Wrong("at most 36,500 days");
  policy.age_max = std::chrono::hours(24) * days;
  return {};
}

Status SetBackupUpload(const Json& value, ServerConfig& config) {
  if (!value.is_boolean()) return Wrong("true or false");
  config.backups.is_uploading = value.get<bool>();
  return {};
}

Status SetTargetPathStyle(const Json& value, ServerConfig& config) {
  if (!value.is_boolean()) return Wrong("true or false");
  config.backup_target.path_style = value.get<bool>() ? 1 : 0;
  return {};
}

Status SetTargetPlainHttp(const Json& value, ServerConfig& config) {
  if (!value.is_boolean()) return Wrong("true or false");
  config.backup_target.is_plain_http_allowed = value.get<bool>();
  return {};
}

Status SetTargetPartBytes(const Json& value, ServerConfig& config) {
  return SetNumber(value, kS3PartBytesMin, config.backup_target.part_bytes);
}

Status SetNotifications(const Json& value, ServerConfig& config) {
  auto sinks = ParseSinks(value);
  if (!sinks) return Fail(sinks.error());
  config.notifications = *std::move(sinks);
  return {};
}

Status SetNotificationRetry(const Json& value, ServerConfig& config) {
  return ChangeRetryPolicy(value, config.notification_retry);
}

Setter Milliseconds(std::chrono::milliseconds ServerConfig::*member, std::uint64_t least = 0) {
  return [member, least](const Json& value, ServerConfig& config) -> Status {
    std::uint32_t milliseconds = 0;
    SB_RETURN_IF_ERROR(SetNumber(value, least, milliseconds));
    config.*member = std::chrono::milliseconds(milliseconds);
    return {};
  };
}

template <class Member>
Setter Number(Member ServerConfig::*member, std::uint64_t least = 0) {
  return [member, least](const Json& value, ServerConfig& config) {
    return SetNumber(value, least, config.*member);
  };
}
template <class Member>
Setter BackupNumber(Member BackupManagerOptions::*member) {
  return [member](const Json& value, ServerConfig& config) {
    return SetNumber(value, 0, config.backups.*member);
  };
}
template <class Member>
Setter ServiceNumber(Member DbServiceOptions::*member, std::uint64_t least) {
  return [member, least](const Json& value, ServerConfig& config) {
    return SetNumber(value, least, config.service.*member);
  };
}
Setter Text(std::string ServerConfig::*member) {
  return
      [member](const Json& value, ServerConfig& config) { return SetText(value, config.*member); };
}
Setter TargetText(std::string BackupTargetOptions::*member) {
  return [member](const Json& value, ServerConfig& config) {
    return SetText(value, config.backup_target.*member);
  };
}
Setter ServiceText(std::string DbServiceOptions::*member) {
  return [member](const Json& value, ServerConfig& config) {
    return SetText(value, config.service.*member);
  };
}

// Every key there is. The lower bounds keep a typing error (bytes for mebibytes) from making a
// service that stalls on each write.
const std::map<std::string, Setter>& Setters() {
  static const std::map<std::string, Setter> kSetters{
      {"data_dir", ServiceText(&DbServiceOptions::data_dir)},
      {"legacy", ServiceText(&DbServiceOptions::legacy_path)},
      {"unified", ServiceText(&DbServiceOptions::unified_path)},
      {"ack", SetAck},
      {"value_bytes_max", ServiceNumber(&DbServiceOptions::value_bytes_max, 1)},
      {"memtable_bytes_max", ServiceNumber(&DbServiceOptions::memtable_bytes_max, 1u << 20)},
      {"memtable_record_count_max",
       ServiceNumber(&DbServiceOptions::memtable_record_count_max, 1024)},
      {"log_file_bytes", ServiceNumber(&DbServiceOptions::log_file_bytes, 1u << 20)},
      {"log_bytes_max", ServiceNumber(&DbServiceOptions::log_bytes_max, 16u << 20)},
      {"flags", Text(&ServerConfig::flags_path)},
      {"bind", Text(&ServerConfig::bind_address)},
      {"port", Number(&ServerConfig::port)},
      {"http_port", Number(&ServerConfig::http_port)},
      {"threads", Number(&ServerConfig::threads)},
      {"clients_max", Number(&ServerConfig::clients_max, 1)},
      {"output_bytes_max", Number(&ServerConfig::output_bytes_max, 1u << 16)},
      {"password_file", Text(&ServerConfig::password_file)},
      {"token_file", Text(&ServerConfig::token_file)},
      {"tokens_file", Text(&ServerConfig::tokens_file)},
      {"allowed_hosts", SetHosts},
      {"tls", SetTls},
      {"unix_socket", Text(&ServerConfig::unix_socket)},
      {"http_unix_socket", Text(&ServerConfig::http_unix_socket)},
      {"unix_socket_mode", SetSocketMode},
      {"collections", SetCollections},
      {"drain_ms_max", Milliseconds(&ServerConfig::drain_max)},
      {"schema_dir", Text(&ServerConfig::schema_dir)},
      {"schema_copies_max", Number(&ServerConfig::schema_copies_max, 1)},
      {"schema_ms_max", Milliseconds(&ServerConfig::schema_time_max, 100)},
      {"backup_dir", SetBackupDirectory},
      {"backup_compression", SetBackupCompression},
      {"backup_bytes_per_second", BackupNumber(&BackupManagerOptions::bytes_per_second)},
      {"backup_free_bytes_min", BackupNumber(&BackupManagerOptions::space_margin_bytes)},
      {"backup_interval_seconds", SetBackupInterval},
      {"backup_retention", SetBackupRetention},
      {"backup_target", TargetText(&BackupTargetOptions::location)},
      {"backup_target_endpoint", TargetText(&BackupTargetOptions::endpoint)},
      {"backup_target_region", TargetText(&BackupTargetOptions::region)},
      {"backup_target_path_style", SetTargetPathStyle},
      {"backup_target_plain_http", SetTargetPlainHttp},
      {"backup_target_credentials_file", TargetText(&BackupTargetOptions::credentials_file)},
      {"backup_target_ca_file", TargetText(&BackupTargetOptions::ca_file)},
      {"backup_target_part_bytes", SetTargetPartBytes},
      {"backup_upload", SetBackupUpload},
      {"log_archive_dir", SetLogArchiveDirectory},
      {"log_archive_seconds", SetLogArchiveWindow},
      {"log_archive_bytes_max", SetLogArchiveBytes},
      {"notifications", SetNotifications},
      {"notification_retry", SetNotificationRetry},
      {"log_level", SetLevel},
      {"log_format", SetLogFormatKey},
      {"migration", SetMigration},
      {"validation", SetValidation},
      {"guard", SetGuard},
      {"allow_unverified", SetAllowUnverified},
  };
  return kSetters;
}

// A value that must stay on one line of a header or a command.
Status CheckSecret(const std::string& secret, const std::string& origin) {
  if (secret.empty()) return Fail(ErrorCode::kInvalidArgument, origin + " is empty");
  if (secret.size() > kSecretBytesMax) return Fail(ErrorCode::kTooLarge, origin + " is too long");
  const bool is_printable = std::all_of(secret.begin(), secret.end(), [](char c) {
    return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f;
  });
  if (!is_printable)
    return Fail(ErrorCode::kInvalidArgument, origin + " holds a control character or a line break");
  return {};
}

Status LoadSecret(const char* variable, const std::string& path, std::string& secret) {
  // An empty variable is an unset one: `SWITCHBACK_TOKEN= switchback serve` is how shells clear it.
  if (const char* value = std::getenv(variable); value != nullptr && *value != '\0') {
    secret = value;
    return CheckSecret(secret, variable);
  }
  if (path.empty()) return {};
  auto content = ReadWholeFile(path, kSecretBytesMax + 2);
  if (!content) return Fail(content.error());
  if (content->ends_with('\n')) content->pop_back();
  if (content->ends_with('\r')) content->pop_back();
  secret = *std::move(content);
  return CheckSecret(secret, path);
}

}  // namespace

std::string ServerConfig::FlagsPath() const {
  return flags_path.empty() ? service.data_dir + "/flags.json" : flags_path;
}

std::string ServerConfig::BackupDirectoryPath() const {
  return backups.directory.empty() ? service.data_dir + "/backups" : backups.directory;
}

std::string ServerConfig::LogArchivePath() const {
  return log_archive.directory.empty() ? service.data_dir + "/log-archive" : log_archive.directory;
}

std::string ServerConfig::SchemaDirectory() const {
  return schema_dir.empty() ? service.data_dir + "/schema" : schema_dir;
}

Status ApplyConfigText(std::string_view json, ServerConfig& config) {
  auto document = ParseStrictJson(json);
  if (!document) return Fail(document.error());
  if (!document->is_object())
    return Fail(ErrorCode::kInvalidArgument, "the configuration must be one JSON object");
  std::set<std::string> seen;
  for (const auto& [key, value] : document->items()) {
    if (key.starts_with('$')) continue;  // "$schema" and the like, for editors
    std::string name = key;
    std::replace(name.begin(), name.end(), '-', '_');
    const auto setter = Setters().find(name);
    if (setter == Setters().end())
      return Fail(ErrorCode::kInvalidArgument, "unknown key \"" + Printable(key) + "\"");
    if (!seen.insert(name).second)
      return Fail(ErrorCode::kInvalidArgument, "key \"" + name + "\" is there twice");
    if (auto set = setter->second(value, config); !set)
      return Fail(WithContext(set.error(), "\"" + name + "\""));
  }
  return {};
}

Status ApplyConfigFile(const std::string& path, ServerConfig& config) {
  auto text = ReadWholeFile(path, kConfigBytesMax);
  if (!text) return Fail(WithContext(text.error(), "configuration"));
  if (auto applied = ApplyConfigText(*text, config); !applied)
    return Fail(WithContext(applied.error(), "configuration " + path));
  return {};
}

Status LoadSecrets(ServerConfig& config) {
  SB_RETURN_IF_ERROR(LoadSecret("SWITCHBACK_PASSWORD", config.password_file, config.password));
  return LoadSecret("SWITCHBACK_TOKEN", config.token_file, config.token);
}

Result<AckMode> ParseAckMode(std::string_view text) {
  if (text == "log") return AckMode::kLog;
  if (text == "stores") return AckMode::kStores;
  return Fail(ErrorCode::kInvalidArgument, "must be \"log\" or \"stores\"");
}

Result<LogFormat> ParseLogFormat(std::string_view text) {
  if (text == "text") return LogFormat::kText;
  if (text == "json") return LogFormat::kJson;
  return Fail(ErrorCode::kInvalidArgument, "must be \"text\" or \"json\"");
}

bool IsLoopbackAddress(std::string_view address) {
  const std::string text(address);
  in_addr ipv4{};
  if (inet_pton(AF_INET, text.c_str(), &ipv4) == 1) return (ntohl(ipv4.s_addr) >> 24) == 127;
  in6_addr ipv6{};
  if (inet_pton(AF_INET6, text.c_str(), &ipv6) == 1) return IN6_IS_ADDR_LOOPBACK(&ipv6);
  return address == "localhost";
}

Status CheckConfig(const ServerConfig& config) {
  if (config.service.data_dir.empty())
    return Fail(ErrorCode::kInvalidArgument, "a data directory is needed: --data-dir DIR");
  if (config.port != 0 && config.port == config.http_port)
    return Fail(ErrorCode::kInvalidArgument, "--port and --http-port are the same");
  if (!config.unix_socket.empty() && config.unix_socket == config.http_unix_socket)
    return Fail(ErrorCode::kInvalidArgument, "--unix-socket and --http-unix-socket are the same");
  in6_addr address{};
  const char* text = config.bind_address.c_str();
  if (config.bind_address != "localhost" && inet_pton(AF_INET, text, &address) != 1 &&
      inet_pton(AF_INET6, text, &address) != 1)
    return Fail(ErrorCode::kInvalidArgument,
                "--bind " + Printable(config.bind_address) + " is not an IP address");
  SB_RETURN_IF_ERROR(CheckBackupTarget(config.backup_target));
  if (config.backups.is_uploading && config.backup_target.location.empty())
    return Fail(ErrorCode::kInvalidArgument, "backup_upload needs a backup_target");
  if (IsLoopbackAddress(config.bind_address) || !config.tokens_file.empty()) return {};
  if (config.password.empty() || config.token.empty())
    return Fail(ErrorCode::kRefused,
                "--bind " + config.bind_address +
                    " can be reached by others, so a password and a token are needed: set "
                    "SWITCHBACK_PASSWORD and SWITCHBACK_TOKEN, or password_file and token_file, or "
                    "tokens_file, in the configuration");
  return {};
}

}  // namespace switchback
