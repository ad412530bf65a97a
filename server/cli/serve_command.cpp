#include <unistd.h>

#include <CLI/App.hpp>
#include <CLI/Validators.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "server/cli/commands.hpp"
#include "server/cli/output.hpp"
#include "server/cli/server_api.hpp"
#include "server/config.hpp"
#include "server/errors.hpp"
#include "server/serve.hpp"

namespace switchback {
namespace {

// What was said on the command line; the rest comes from the configuration file or the defaults.
struct ServeOptions {
  std::string config_path;
  std::optional<std::string> data_dir, flags, bind, legacy, unified, ack, schema_dir;
  std::optional<std::string> unix_socket, http_unix_socket, log_format;
  std::optional<std::uint16_t> port, http_port;
  std::optional<unsigned> threads;
  bool is_json = false;
};

Result<ServerConfig> MakeConfig(const ServeOptions& options) {
  ServerConfig config;
  if (!options.config_path.empty())
    SB_RETURN_IF_ERROR(ApplyConfigFile(options.config_path, config));
  if (options.data_dir) config.service.data_dir = *options.data_dir;
  if (options.legacy) config.service.legacy_path = *options.legacy;
  if (options.unified) config.service.unified_path = *options.unified;
  if (options.flags) config.flags_path = *options.flags;
  if (options.schema_dir) config.schema_dir = *options.schema_dir;
  if (options.bind) config.bind_address = *options.bind;
  if (options.port) config.port = *options.port;
  if (options.http_port) config.http_port = *options.http_port;
  if (options.unix_socket) config.unix_socket = *options.unix_socket;
  if (options.http_unix_socket) config.http_unix_socket = *options.http_unix_socket;
  if (options.threads) config.threads = *options.threads;
  if (options.ack) {
    auto mode = ParseAckMode(*options.ack);
    if (!mode) return Fail(WithContext(mode.error(), "--ack"));
    config.service.ack = *mode;
  }
  if (options.log_format) {
    auto format = ParseLogFormat(*options.log_format);
    if (!format) return Fail(WithContext(format.error(), "--log-format"));
    config.log_format = *format;
  }
  SB_RETURN_IF_ERROR(LoadSecrets(config));
  return config;
}

int Serve(const ServeOptions& options) {
  auto config = MakeConfig(options);
  if (!config) {
    // A bad file is a failure; exit code 2 is for the command line itself.
    const int code = ReportError(config.error(), options.is_json);
    return code == kExitUsage ? kExitFailed : code;
  }
  if (auto checked = CheckConfig(*config); !checked)
    return ReportError(checked.error(), options.is_json);
  return RunServer(*config, [&](const Endpoints& endpoints) {
    if (!options.is_json) return;
    PrintJson({{"ready", true},
               {"resp", {{"host", endpoints.host}, {"port", endpoints.resp_port}}},
               {"http", {{"host", endpoints.host}, {"port", endpoints.http_port}}},
               {"pid", endpoints.pid}});
  });
}

constexpr const char* kFooter =
    "Every option is also a key of the configuration file, with '_' for '-'; the command line "
    "wins.\n"
    "A password for RESP and a token for HTTP come from SWITCHBACK_PASSWORD and SWITCHBACK_TOKEN, "
    "or\n"
    "from the files that the keys password_file and token_file name; tokens_file names tokens "
    "with\n"
    "roles (switchback token new). The key tls, {\"certificate\", \"key\", \"client_ca\"}, makes "
    "both\n"
    "ports speak TLS.\n"
    "\n"
    "Examples:\n"
    "  switchback serve --data-dir /var/lib/app\n"
    "  switchback serve --data-dir /var/lib/app --legacy /var/lib/app-old/data.mdb\n"
    "  switchback serve --config /etc/switchback.json --port 0 --http-port 0\n"
    "\n"
    "SIGTERM and SIGINT stop it after answering what is in flight; a second one stops it at once.\n"
    "SIGHUP reads the flags file again, which happens by itself when it changes.";

}  // namespace

void AddServeCommand(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("serve", "Serve a data directory over RESP and HTTP");
  auto options = std::make_shared<ServeOptions>();
  command->add_option("--data-dir", options->data_dir, "Where everything is kept");
  command->add_option("--config", options->config_path, "Configuration file (JSON)");
  command->add_option("--flags", options->flags, "Flags file [DATA-DIR/flags.json]");
  command->add_option("--bind", options->bind, "Address to listen on [127.0.0.1]");
  command->add_option("--port", options->port, "RESP port, 0 for any free one [6380]");
  command->add_option("--http-port", options->http_port, "HTTP port, 0 for any free one [8080]");
  command->add_option("--unix-socket", options->unix_socket, "Serve RESP at this path as well");
  command->add_option("--http-unix-socket", options->http_unix_socket,
                      "Serve HTTP at this path as well");
  command->add_option("--legacy", options->legacy, "Adopt this LMDB environment as it is");
  command->add_option("--unified", options->unified, "Where the SQLite file is kept");
  command->add_option("--schema-dir", options->schema_dir,
                      "Files of schema migrations [DATA-DIR/schema]");
  command->add_option("--ack", options->ack, "When a write is answered: log or stores [log]")
      ->check(CLI::IsMember({"log", "stores"}));
  command->add_option("--log-format", options->log_format, "Lines of the log: text or json [text]")
      ->check(CLI::IsMember({"text", "json"}));
  command->add_option("--threads", options->threads, "RESP threads, 0 for one per core [0]");
  AddJsonOption(*command, options->is_json);
  command->footer(kFooter);
  command->callback([options, &exit_code] { exit_code = Serve(*options); });
}

}  // namespace switchback
