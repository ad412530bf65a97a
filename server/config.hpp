// The settings of `switchback serve`: defaults, then the configuration file, then the command line;
// each later one wins. Secrets come from files or the environment, never from the command line,
// where every user of the machine can read them.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/log.hpp"
#include "common/log_format.hpp"
#include "common/result.hpp"
#include "migration/migration_settings.hpp"
#include "migration/validation_rules.hpp"
#include "rollback/backup_manager.hpp"
#include "rollback/backup_target_options.hpp"
#include "rollback/guard/guard_settings.hpp"
#include "rollback/log_archive.hpp"
#include "rollback/notify/notify_settings.hpp"
#include "server/tls/tls_context.hpp"
#include "service/db_service.hpp"

namespace switchback {

inline constexpr std::uint16_t kRespPortDefault = 6380;
inline constexpr std::uint16_t kHttpPortDefault = 8080;
// SELECT takes a number below this.
inline constexpr unsigned kNumberedCollectionCountMax = 1024;
inline constexpr std::size_t kConfigBytesMax = 1u << 20;
inline constexpr std::size_t kSecretBytesMax = 4096;

struct ServerConfig {
  DbServiceOptions service;
  std::string flags_path;  // "" = <data-dir>/flags.json
  std::string bind_address = "127.0.0.1";
  std::uint16_t port = kRespPortDefault;       // 0 = any free one
  std::uint16_t http_port = kHttpPortDefault;  // 0 = any free one
  unsigned threads = 0;                        // RESP io threads; 0 = one per core
  std::size_t clients_max = 10000;
  std::size_t output_bytes_max = 0;  // what one client may leave unread; 0 = the RESP server's own
  std::string password_file, token_file;
  std::string tokens_file;  // named tokens with roles (access/token_file.hpp); "" = none
  std::string password;     // AUTH over RESP; "" = none
  std::string token;        // bearer token over HTTP; "" = none
  TlsOptions tls;           // of both ports; off without a certificate
  std::string unix_socket, http_unix_socket;  // listen there as well; "" = no
  mode_t unix_socket_mode = 0600;
  std::vector<std::string> allowed_hosts;  // more values of the HTTP Host header to accept
  std::map<unsigned, std::string> numbered_collections;  // what SELECT n means where not as usual
  std::chrono::milliseconds drain_max{10000};  // how long a stop waits for requests in flight
  std::string schema_dir;                      // files of schema migrations; "" = <data-dir>/schema
  std::size_t schema_copies_max = 5;           // safety copies that are kept
  std::chrono::milliseconds schema_time_max{300000};  // for one migration, one copy, one validation
  LogLevel log_level = LogLevel::kInfo;
  LogFormat log_format = LogFormat::kText;
  MigrationSettings migration;  // of new migrations
  ValidationRules validation;
  // Of backups; directory "" = <data-dir>/backups.
  BackupManagerOptions backups;
  BackupTargetOptions backup_target;
  // Of the log's past; directory "" = <data-dir>/log-archive. A window of 0: none is kept.
  LogArchiveOptions log_archive;
  GuardSettings guard;
  std::vector<SinkSettings> notifications;  // who is told of what happens
  RetryPolicy notification_retry;
  bool is_unverified_allowed = false;  // flags may send keys to a copy that was not verified

  // Where the flags file is, whether named or not.
  [[nodiscard]] std::string FlagsPath() const;
  // The same of the migrations' files.
  [[nodiscard]] std::string SchemaDirectory() const;
  // The same of backups.
  [[nodiscard]] std::string BackupDirectoryPath() const;
  [[nodiscard]] std::string LogArchivePath() const;
};

// Lays the keys of `json`, one object, over `config`. A key is an option's name without the dashes
// in front (`http_port`, or `http-port`), or one of those that have no option; docs/operations.md
// lists them. Throws nothing.
// Errors (kInvalidArgument, with the key): not JSON, an unknown key, a wrong type or value.
// `config` may then be changed in part: drop it.
Status ApplyConfigText(std::string_view json, ServerConfig& config);

// ApplyConfigText of the file's content; errors name the file. kNotFound, kIo, kTooLarge besides.
Status ApplyConfigFile(const std::string& path, ServerConfig& config);

// Reads the secrets: from SWITCHBACK_PASSWORD and SWITCHBACK_TOKEN, else from the files that
// `config` names (one trailing newline is dropped). Errors: kNotFound, kIo, kTooLarge;
// kInvalidArgument for an empty secret file, which would silently mean "no secret", and for control
// characters.
Status LoadSecrets(ServerConfig& config);

// The last check before anything is opened. kInvalidArgument: no data directory, an address that is
// none. kRefused: an address that others can reach, without password and token
// or named tokens.
Status CheckConfig(const ServerConfig& config);

// "log" or "stores".
Result<AckMode> ParseAckMode(std::string_view text);

// "text" or "json".
Result<LogFormat> ParseLogFormat(std::string_view text);

// True for 127.0.0.0/8, ::1 and "localhost".
bool IsLoopbackAddress(std::string_view address);

}  // namespace switchback
