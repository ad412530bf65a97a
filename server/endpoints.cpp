#include "server/endpoints.hpp"

#include <unistd.h>

#include <nlohmann/json.hpp>

#include "common/file.hpp"
#include "flags/strict_json.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kEndpointsBytesMax = 65536;

// The port at `document[door]`, 0 when it is not there.
std::uint16_t PortOf(const Json& document, const char* door) {
  const Json section = document.value(door, Json::object());
  const Json port = section.is_object() ? section.value("port", Json()) : Json();
  if (!port.is_number_unsigned() || port.get<std::uint64_t>() > 65535) return 0;
  return port.get<std::uint16_t>();
}

std::string TextOf(const Json& document, const char* member) {
  const Json value = document.value(member, Json());
  return value.is_string() ? value.get<std::string>() : "";
}

Json DoorJson(const Endpoints& endpoints, std::uint16_t port, const std::string& socket) {
  Json door{{"host", endpoints.host}, {"port", port}};
  if (endpoints.is_tls) door["tls"] = true;
  if (!socket.empty()) door["unix_socket"] = socket;
  return door;
}

}  // namespace

std::string EndpointsPath(const std::string& data_dir) {
  return data_dir + "/endpoints.json";
}

Status WriteEndpoints(const std::string& data_dir, const Endpoints& endpoints) {
  const Json document{
      {"resp", DoorJson(endpoints, endpoints.resp_port, endpoints.resp_socket)},
      {"http", DoorJson(endpoints, endpoints.http_port, endpoints.http_socket)},
      {"pid", endpoints.pid},
      {"version", endpoints.version},
      {"flags", endpoints.flags_path},
  };
  return WriteFileAtomically(EndpointsPath(data_dir),
                             document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

Result<Endpoints> ReadEndpoints(const std::string& data_dir) {
  const std::string path = EndpointsPath(data_dir);
  auto content = ReadWholeFile(path, kEndpointsBytesMax);
  if (!content) return Fail(content.error());
  auto document = ParseStrictJson(*content);
  if (!document || !document->is_object())
    return Fail(ErrorCode::kInvalidArgument, path + ": not a file that a server wrote");
  Endpoints endpoints;
  endpoints.resp_port = PortOf(*document, "resp");
  endpoints.http_port = PortOf(*document, "http");
  if (endpoints.http_port == 0)
    return Fail(ErrorCode::kInvalidArgument, path + ": not a file that a server wrote");
  const Json& http = (*document)["http"];
  endpoints.host = TextOf(http, "host");
  endpoints.is_tls = http.value("tls", Json()) == true;
  endpoints.http_socket = TextOf(http, "unix_socket");
  if (document->contains("resp") && (*document)["resp"].is_object())
    endpoints.resp_socket = TextOf((*document)["resp"], "unix_socket");
  endpoints.version = TextOf(*document, "version");
  endpoints.flags_path = TextOf(*document, "flags");
  const Json pid = document->value("pid", Json());
  if (pid.is_number_integer()) endpoints.pid = pid.get<std::int64_t>();
  return endpoints;
}

void RemoveEndpoints(const std::string& data_dir) {
  ::unlink(EndpointsPath(data_dir).c_str());
}

std::string HttpUrlOf(const Endpoints& endpoints) {
  if (!endpoints.http_socket.empty()) return "unix:" + endpoints.http_socket;
  const bool is_ipv6 = endpoints.host.find(':') != std::string::npos;
  return (endpoints.is_tls ? "https://" : "http://") +
         (is_ipv6 ? "[" + endpoints.host + "]" : endpoints.host) + ":" +
         std::to_string(endpoints.http_port);
}

std::string ReachableHost(const std::string& bind_address) {
  if (bind_address == "0.0.0.0") return "127.0.0.1";
  if (bind_address == "::") return "::1";
  return bind_address;
}

}  // namespace switchback
