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

}  // namespace

std::string EndpointsPath(const std::string& data_dir) {
  return data_dir + "/endpoints.json";
}

Status WriteEndpoints(const std::string& data_dir, const Endpoints& endpoints) {
  const Json document{
      {"resp", {{"host", endpoints.host}, {"port", endpoints.resp_port}}},
      {"http", {{"host", endpoints.host}, {"port", endpoints.http_port}}},
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
  endpoints.host = TextOf((*document)["http"], "host");
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
  const bool is_ipv6 = endpoints.host.find(':') != std::string::npos;
  return "http://" + (is_ipv6 ? "[" + endpoints.host + "]" : endpoints.host) + ":" +
         std::to_string(endpoints.http_port);
}

std::string ReachableHost(const std::string& bind_address) {
  if (bind_address == "0.0.0.0") return "127.0.0.1";
  if (bind_address == "::") return "::1";
  return bind_address;
}

}  // namespace switchback
