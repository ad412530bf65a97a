// The running server as commands see it: found by URL or by data directory, spoken to in JSON.
#pragma once

#include <chrono>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "common/result.hpp"
#include "server/http/http_client.hpp"

namespace CLI {
class App;
}

namespace switchback {

inline constexpr std::string_view kDefaultUrl = "http://127.0.0.1:8080";

// The options of every command that talks to a server.
struct ServerOptions {
  std::string url;       // --url
  std::string data_dir;  // --data-dir
  bool is_json = false;  // --json
  TlsClientOptions tls;  // --cacert, --cert, --key

  // Adds them to `command`. This object outlives the parse.
  void AddTo(CLI::App& command);
};

// Adds --json alone.
void AddJsonOption(CLI::App& command, bool& is_json);

class ServerApi {
 public:
  // The server to speak to: --url, else the one of --data-dir (endpoints.json), else
  // SWITCHBACK_URL, else kDefaultUrl; with the token of SWITCHBACK_TOKEN. Nothing is sent yet.
  // Errors: kUnavailable (the data directory names no server), kInvalidArgument, kUnsupported
  // (URL).
  static Result<ServerApi> Find(const ServerOptions& options);

  // Sends a request and gives the document of the answer. Errors: kUnavailable (nobody answers, or
  // the token is wrong), else what the server's problem document says: kRefused for a refused flip.
  Result<nlohmann::ordered_json> Get(
      std::string_view path, std::chrono::milliseconds timeout = std::chrono::seconds(30)) const;
  Result<nlohmann::ordered_json> Send(
      std::string_view method, std::string_view path, const nlohmann::ordered_json& body,
      std::chrono::milliseconds timeout = std::chrono::seconds(30)) const;
  // An answer as it is, of the type that `accept` asks for ("" = whatever). Error statuses are
  // Errors, as with Get.
  Result<std::string> GetBytes(std::string_view path, std::chrono::milliseconds timeout,
                               std::string_view accept = {}) const;
  // Sends bytes as they are, with the header If-None-Match unless it is "". Gives the status: 412
  // is no Error here, other error statuses are, as with Send.
  Result<unsigned> PutBytes(std::string_view path, std::string_view bytes,
                            std::string_view if_none_match,
                            std::chrono::milliseconds timeout = std::chrono::seconds(60)) const;
  // As Send, but a condition that does not hold (412) is no Error: the problem document is given.
  Result<nlohmann::ordered_json> SendConditional(
      std::string_view method, std::string_view path, const nlohmann::ordered_json& body,
      std::chrono::milliseconds timeout = std::chrono::seconds(30)) const;
  // The events behind `last_event_id` ("" = from now on), as HttpClient::Follow. Errors: as Get.
  Status Follow(const std::string& path, const std::string& last_event_id,
                const std::function<void(std::string_view)>& on_bytes,
                const std::function<bool()>& is_over) const;

 private:
  explicit ServerApi(HttpClient client) : client_(std::move(client)) {}
  static Result<nlohmann::ordered_json> ReadAnswer(const HttpAnswer& answer);

  HttpClient client_;
};

// The Error that a problem document stands for. `status` is the HTTP status.
Error ErrorOfProblem(unsigned status, std::string_view body);

}  // namespace switchback
