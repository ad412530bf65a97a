#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <CLI/App.hpp>
#include <CLI/Validators.hpp>
#include <array>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "migration/schema/schema_files.hpp"
#include "server/cli/commands.hpp"
#include "server/cli/output.hpp"
#include "server/cli/server_api.hpp"
#include "server/errors.hpp"
#include "server/process.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

// The server has its own limits; this end only has to outlast them.
constexpr std::chrono::milliseconds kAnswerWaitMax = std::chrono::hours(24);

struct SchemaOptions {
  ServerOptions server;
  std::string reason;
  std::string schema_dir;
  std::string name;
  std::uint64_t number = 0;
};

// "user@host", for the journal.
std::string Actor() {
  const passwd* user = ::getpwuid(::geteuid());
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) host[0] = '\0';
  const std::string name = user == nullptr ? std::to_string(::geteuid()) : user->pw_name;
  return name + "@" + host.data();
}

void PrintStatus(const Json& status) {
  std::cout << fmt::format("schema: version {}, files in {}\n", status.value("version", 0),
                           status.value("directory", ""));
  for (const Json& version : status.value("versions", Json::array()))
    std::cout << fmt::format("  {:04}  {:<8} {:<20}  {}\n", version.value("version", 0),
                             version.value("state", ""), version.value("applied_at", ""),
                             version.value("name", ""));
  if (const std::string running = status.value("running", ""); !running.empty())
    std::cout << "under way: " << running << "\n";
  for (const Json& problem : status.value("problems", Json::array()))
    std::cout << "problem: " << problem.get<std::string>() << "\n";
  for (const Json& copy : status.value("copies", Json::array()))
    std::cout << "copy: " << copy.get<std::string>() << "\n";
}

void PrintOutcome(const Json& outcome) {
  for (const Json& step : outcome.value("steps", Json::array()))
    std::cout << step.value("name", "") << ": " << step.value("status", "") << ", copy "
              << step.value("copy", "") << "\n";
  for (const Json& check : outcome.value("validation", Json::array())) {
    const std::string detail = check.value("detail", "");
    std::cout << fmt::format("validate {:<19} {}\n", check.value("name", ""),
                             check.value("is_ok", false) ? "ok" : "WRONG: " + detail);
  }
  std::cout << "schema: version " << outcome.value("version", 0) << "\n";
}

int ShowStatus(const SchemaOptions& options) {
  auto api = ServerApi::Find(options.server);
  if (!api) return ReportError(api.error(), options.server.is_json);
  auto status = api->Get("/v1/schema");
  if (!status) return ReportError(status.error(), options.server.is_json);
  if (options.server.is_json) {
    PrintJson(*status);
  } else {
    PrintStatus(*status);
  }
  return status->value("problems", Json::array()).empty() ? kExitDone : kExitFailed;
}

int Run(const SchemaOptions& options, const std::string& what, Json body) {
  body["actor"] = Actor();
  if (!options.reason.empty()) body["reason"] = options.reason;
  auto api = ServerApi::Find(options.server);
  if (!api) return ReportError(api.error(), options.server.is_json);
  auto outcome = api->Send("POST", "/v1/schema/" + what, body, kAnswerWaitMax);
  if (!outcome) return ReportError(outcome.error(), options.server.is_json);
  if (options.server.is_json) {
    PrintJson(*outcome);
  } else {
    PrintOutcome(*outcome);
  }
  return kExitDone;
}

int Create(const SchemaOptions& options) {
  std::string directory = options.schema_dir;
  if (directory.empty() && !options.server.data_dir.empty()) {
    if (auto acting = ActAsOwner(options.server.data_dir); !acting)
      return ReportError(acting.error(), options.server.is_json);
    directory = options.server.data_dir + "/schema";
  }
  if (directory.empty())
    return ReportError({ErrorCode::kInvalidArgument, "say where: --schema-dir or --data-dir"},
                       options.server.is_json);
  auto created = CreateSchemaFiles(directory, options.name);
  if (!created) return ReportError(created.error(), options.server.is_json);
  if (options.server.is_json) {
    PrintJson({{"up", created->up_path}, {"down", created->down_path}});
  } else {
    std::cout << created->up_path << "\n" << created->down_path << "\n";
  }
  return kExitDone;
}

using Options = std::shared_ptr<SchemaOptions>;

CLI::App* AddRemote(CLI::App& schema, const Options& options, const std::string& name,
                    const std::string& description) {
  CLI::App* command = schema.add_subcommand(name, description);
  options->server.AddTo(*command);
  command->add_option("--reason", options->reason, "Why, for the history");
  return command;
}

void AddChanges(CLI::App& schema, const Options& options, int& exit_code) {
  CLI::App* up = AddRemote(schema, options, "up", "Apply the next N versions, or all");
  CLI::Option* up_count = up->add_option("N", options->number)->check(CLI::PositiveNumber);
  up->callback([=, &exit_code] {
    exit_code =
        Run(*options, "up", up_count->empty() ? Json::object() : Json{{"count", options->number}});
  });
  CLI::App* down = AddRemote(schema, options, "down", "Take the newest N versions back [1]");
  CLI::Option* down_count = down->add_option("N", options->number)->check(CLI::PositiveNumber);
  down->callback([=, &exit_code] {
    exit_code = Run(*options, "down", Json{{"count", down_count->empty() ? 1 : options->number}});
  });
  CLI::App* to = AddRemote(schema, options, "to", "Go up or down to a version; 0 takes all back");
  to->add_option("VERSION", options->number)->required();
  to->callback([=, &exit_code] {
    exit_code = Run(*options, "to", Json{{"version", options->number}});
  });
  CLI::App* validate =
      AddRemote(schema, options, "validate", "Look whether the unified store is as it must be");
  validate->callback([=, &exit_code] { exit_code = Run(*options, "validate", Json::object()); });
}

}  // namespace

void AddSchemaCommand(CLI::App& app, int& exit_code) {
  CLI::App* schema = app.add_subcommand("schema", "Versions of the unified store's SQL schema");
  schema->require_subcommand(1);
  schema->footer(
      "Migrations are files NNNN_name.up.sql and NNNN_name.down.sql. Each runs in one transaction "
      "in\n"
      "the server, while clients go on, after a copy of the database was taken. docs/schema.md "
      "says\n"
      "what they may do.\n"
      "\n"
      "Examples:\n"
      "  switchback schema create add_email --data-dir /var/lib/app\n"
      "  switchback schema up --data-dir /var/lib/app\n"
      "  switchback schema to 3 --reason 'the new index is slow'");
  auto options = std::make_shared<SchemaOptions>();
  CLI::App* status = AddRemote(*schema, options, "status", "Show files and applied versions");
  status->callback([options, &exit_code] { exit_code = ShowStatus(*options); });
  AddChanges(*schema, options, exit_code);
  CLI::App* create = schema->add_subcommand("create", "Make the next pair of files");
  create->add_option("NAME", options->name)->required();
  create->add_option("--data-dir", options->server.data_dir, "Files go to DATA-DIR/schema");
  create->add_option("--schema-dir", options->schema_dir, "Where the files are");
  AddJsonOption(*create, options->server.is_json);
  create->callback([options, &exit_code] { exit_code = Create(*options); });
}

}  // namespace switchback
