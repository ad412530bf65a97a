#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Validators.hpp>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "flags/strict_json.hpp"
#include "migration/schema/sql_queries.hpp"
#include "server/cli/commands.hpp"
#include "server/cli/output.hpp"
#include "server/cli/server_api.hpp"
#include "server/cli/text_table.hpp"
#include "server/errors.hpp"
#include "server/http/json_text.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

struct SqlOptions {
  ServerOptions server;
  std::string sql;
  std::vector<std::string> parameters;
  std::vector<std::string> named;
  std::uint64_t row_count_max = 1000;
  std::uint64_t timeout_ms = static_cast<std::uint64_t>(kQueryTimeDefault.count());
  bool is_ndjson = false;
  bool is_stale = false;
};

// A number, null, true, false, a quoted string or an object is JSON; the rest is text as it is.
Json ParameterOf(const std::string& text) {
  auto value = ParseStrictJson(text);
  return value && !value->is_array() ? *value : Json(text);
}

Result<Json> BodyOf(const SqlOptions& options) {
  Json body{{"sql", options.sql},
            {"rows_max", options.row_count_max},
            {"timeout_ms", options.timeout_ms},
            {"is_fresh", !options.is_stale}};
  if (!options.named.empty()) {
    if (!options.parameters.empty())
      return Fail(ErrorCode::kInvalidArgument, "--param or --named, not both");
    body["parameters"] = Json::object();
    for (const std::string& one : options.named) {
      const auto equals = one.find('=');
      if (equals == std::string::npos || equals == 0)
        return Fail(ErrorCode::kInvalidArgument, "--named takes NAME=VALUE");
      body["parameters"][one.substr(0, equals)] = ParameterOf(one.substr(equals + 1));
    }
    return body;
  }
  body["parameters"] = Json::array();
  for (const std::string& one : options.parameters) body["parameters"].push_back(ParameterOf(one));
  return body;
}

std::string CellOf(const Json& value) {
  if (value.is_null()) return "NULL";
  if (value.is_string()) return value.get<std::string>();
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void PrintTable(const Json& result) {
  std::vector<std::vector<std::string>> rows;
  for (const Json& row : result["rows"]) {
    std::vector<std::string> cells;
    for (const Json& value : row) cells.push_back(CellOf(value));
    rows.push_back(std::move(cells));
  }
  std::cout << TextTable(result["columns"].get<std::vector<std::string>>(), rows);
  std::cout << fmt::format(
      "{} row{}{}, as of batch {}\n", rows.size(), rows.size() == 1 ? "" : "s",
      result.value("is_truncated", false) ? ", and there are more (--rows-max)" : "",
      result.value("applied_sequence", std::uint64_t{0}));
}

// One object a line. A column's name that is there already gets its place: "x", "x_2".
void PrintLines(const Json& result) {
  for (const Json& row : result["rows"]) {
    Json object = Json::object();
    for (std::size_t index = 0; index < row.size(); ++index) {
      std::string name = result["columns"][index].get<std::string>();
      if (object.contains(name)) name += "_" + std::to_string(index + 1);
      object[name] = row[index];
    }
    std::cout << JsonText(object);
  }
  if (result.value("is_truncated", false))
    std::cerr << "switchback: there are more rows (--rows-max)\n";
}

int RunSql(const SqlOptions& options) {
  auto body = BodyOf(options);
  if (!body) return ReportError(body.error(), options.server.is_json);
  auto api = ServerApi::Find(options.server);
  if (!api) return ReportError(api.error(), options.server.is_json);
  auto result = api->Send(
      "POST", "/v1/query", *body,
      std::chrono::milliseconds(options.timeout_ms) + kQueryCatchUpMax + std::chrono::seconds(10));
  if (!result) {
    const int code = ReportError(result.error(), options.server.is_json);
    return code == kExitUsage ? kExitFailed : code;  // the statement is wrong, not the command
  }
  if (options.server.is_json) {
    PrintJson(*result);
  } else if (options.is_ndjson) {
    PrintLines(*result);
  } else {
    PrintTable(*result);
  }
  return kExitDone;
}

}  // namespace

void AddSqlCommand(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("sql", "Read the unified store with SQL");
  auto options = std::make_shared<SqlOptions>();
  options->server.AddTo(*command);
  command->add_option("SQL", options->sql, "One statement that only reads")->required();
  command->add_option("--param", options->parameters, "A value for the next ?; may be repeated")
      ->allow_extra_args(false);
  command->add_option("--named", options->named, "NAME=VALUE for :NAME; may be repeated")
      ->allow_extra_args(false);
  command->add_option("--rows-max", options->row_count_max, "Rows at most [1000]")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{kQueryRowCountMax}));
  command->add_option("--timeout-ms", options->timeout_ms, "Milliseconds at most [5000]")
      ->check(CLI::Range(std::uint64_t{1}, static_cast<std::uint64_t>(kQueryTimeMax.count())));
  command->add_flag("--ndjson", options->is_ndjson, "Print one JSON object a row");
  command->add_flag("--stale", options->is_stale,
                    "Do not wait for the newest writes: see what the store holds");
  command->footer(
      "A value is text, unless it is JSON: 5, null, '\"5\"', '{\"blob\": \"key\"}'. Keys and "
      "values of\n"
      "records are BLOBs, so that a key is compared as one.\n"
      "\n"
      "Examples:\n"
      "  switchback sql 'SELECT key, email FROM users WHERE email = ?' --param a@example.org\n"
      "  switchback sql 'SELECT value FROM users WHERE key = ?' --param '{\"blob\": \"alice\"}'");
  command->callback([options, &exit_code] { exit_code = RunSql(*options); });
}

}  // namespace switchback
