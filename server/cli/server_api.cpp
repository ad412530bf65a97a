#include "server/cli/server_api.hpp"

#include <CLI/App.hpp>
#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "flags/strict_json.hpp"
#include "server/endpoints.hpp"
#include "server/http/json_text.hpp"
#include "server/http/problem.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

Result<std::string> FindUrl(const ServerOptions& options) {
  if (!options.url.empty()) return options.url;
  if (!options.data_dir.empty()) {
    auto endpoints = ReadEndpoints(options.data_dir);
    if (endpoints) return HttpUrlOf(*endpoints);
    if (endpoints.error().code != ErrorCode::kNotFound) return Fail(endpoints.error());
    return Fail(ErrorCode::kUnavailable, "no server is running on " + options.data_dir);
  }
  const std::string url = Environment("SWITCHBACK_URL");
  return url.empty() ? std::string(kDefaultUrl) : url;
}

// The code whose name, with dashes, is `kind`.
ErrorCode CodeOfKind(std::string_view kind, unsigned status) {
  if (kind == "flip-refused") return ErrorCode::kRefused;
  for (int index = 0; index <= static_cast<int>(ErrorCode::kInternal); ++index) {
    const auto code = static_cast<ErrorCode>(index);
    std::string name = ErrorCodeName(code);
    std::replace(name.begin(), name.end(), '_', '-');
    if (name == kind) return code;
  }
  if (status == 401) return ErrorCode::kUnavailable;
  return status == 409 ? ErrorCode::kConflict : ErrorCode::kInternal;
}

}  // namespace

void AddJsonOption(CLI::App& command, bool& is_json) {
  command.add_flag("--json", is_json, "Print JSON, for programs");
}

void ServerOptions::AddTo(CLI::App& command) {
  command.add_option("--url", url,
                     "http://HOST:PORT, https://HOST:PORT or unix:PATH (SWITCHBACK_URL)");
  command.add_option("--data-dir", data_dir, "Find the server by its data directory");
  command.add_option("--cacert", tls.ca_file,
                     "PEM file of whom to trust, for https (SWITCHBACK_CACERT) [the system's]");
  command.add_option("--cert", tls.certificate, "PEM file to show a server that asks for it");
  command.add_option("--key", tls.key, "PEM file of its key [the same file]");
  AddJsonOption(command, is_json);
}

Error ErrorOfProblem(unsigned status, std::string_view body) {
  const std::string status_text = "HTTP status " + std::to_string(status);
  auto problem = ParseStrictJson(body);
  if (!problem || !problem->is_object())
    return {ErrorCode::kInternal, "the server answered with " + status_text};
  const Json type = problem->value("type", Json());
  const Json detail = problem->value("detail", Json());
  std::string kind = type.is_string() ? type.get<std::string>() : "";
  if (kind.starts_with(kProblemTypePrefix)) kind.erase(0, kProblemTypePrefix.size());
  std::string message = detail.is_string() ? detail.get<std::string>() : status_text;
  if (status == 401) message += " (set SWITCHBACK_TOKEN)";
  return {CodeOfKind(kind, status), message};
}

Result<ServerApi> ServerApi::Find(const ServerOptions& options) {
  auto url = FindUrl(options);
  if (!url) return Fail(url.error());
  auto parsed = ParseHttpUrl(*url);
  if (!parsed) return Fail(parsed.error());
  TlsClientOptions tls = options.tls;
  if (tls.ca_file.empty()) tls.ca_file = Environment("SWITCHBACK_CACERT");
  return ServerApi(HttpClient(*std::move(parsed), Environment("SWITCHBACK_TOKEN"), std::move(tls)));
}

Result<Json> ServerApi::ReadAnswer(const HttpAnswer& answer) {
  if (answer.status >= 300) return Fail(ErrorOfProblem(answer.status, answer.body));
  auto document = ParseStrictJson(answer.body);
  if (!document)
    return Fail(ErrorCode::kInternal, "the server's answer is not JSON: is this a switchback?");
  return document;
}

Result<Json> ServerApi::Get(std::string_view path, std::chrono::milliseconds timeout) const {
  auto answer = client_.Send("GET", path, "", timeout);
  if (!answer) return Fail(answer.error());
  return ReadAnswer(*answer);
}

Result<Json> ServerApi::Send(std::string_view method, std::string_view path, const Json& body,
                             std::chrono::milliseconds timeout) const {
  auto answer = client_.Send(method, path, JsonText(body), timeout);
  if (!answer) return Fail(answer.error());
  return ReadAnswer(*answer);
}

Result<Json> ServerApi::SendConditional(std::string_view method, std::string_view path,
                                        const Json& body, std::chrono::milliseconds timeout) const {
  auto answer = client_.Send(method, path, JsonText(body), timeout);
  if (!answer) return Fail(answer.error());
  if (answer->status == 412) answer->status = 200;
  return ReadAnswer(*answer);
}

Result<std::string> ServerApi::GetBytes(std::string_view path, std::chrono::milliseconds timeout,
                                        std::string_view accept) const {
  HttpContent content;
  content.accept = accept;
  auto answer = client_.Send("GET", path, content, timeout);
  if (!answer) return Fail(answer.error());
  if (answer->status >= 300) return Fail(ErrorOfProblem(answer->status, answer->body));
  return std::move(answer->body);
}

Result<unsigned> ServerApi::PutBytes(std::string_view path, std::string_view bytes,
                                     std::string_view if_none_match,
                                     std::chrono::milliseconds timeout) const {
  const HttpContent content{bytes, "application/octet-stream", if_none_match};
  auto answer = client_.Send("PUT", path, content, timeout);
  if (!answer) return Fail(answer.error());
  if (answer->status >= 300 && answer->status != 412)
    return Fail(ErrorOfProblem(answer->status, answer->body));
  return answer->status;
}

Status ServerApi::Follow(const std::string& path, const std::string& last_event_id,
                         const std::function<void(std::string_view)>& on_bytes,
                         const std::function<bool()>& is_over) const {
  auto answer = client_.Follow(path, last_event_id, on_bytes, is_over);
  if (!answer) return Fail(answer.error());
  if (answer->status >= 300) return Fail(ErrorOfProblem(answer->status, answer->body));
  return {};
}

}  // namespace switchback
