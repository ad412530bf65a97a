// `<data-dir>/endpoints.json`: where the server of a data directory listens, for commands and
// scripts that know only the directory. It is there from when the service is ready to its clean
// stop; after a crash it stays behind, so whoever reads it must be ready to find nobody listening.
#pragma once

#include <cstdint>
#include <string>

#include "common/result.hpp"

namespace switchback {

struct Endpoints {
  std::string host;  // an address to connect to: loopback when the server listens on every address
  std::uint16_t resp_port = 0;
  std::uint16_t http_port = 0;
  std::int64_t pid = 0;
  std::string version;
  std::string flags_path;                          // the flags file that the server watches
  bool is_tls = false;                             // both ports speak TLS
  std::string resp_socket = {}, http_socket = {};  // Unix sockets besides; "" = none

  friend bool operator==(const Endpoints&, const Endpoints&) = default;
};

std::string EndpointsPath(const std::string& data_dir);
// Replaces the file atomically. Errors: those of WriteFileAtomically.
Status WriteEndpoints(const std::string& data_dir, const Endpoints& endpoints);
// Errors: kNotFound (no server, or none that is ready), kInvalidArgument (not such a file), kIo.
Result<Endpoints> ReadEndpoints(const std::string& data_dir);
// Harmless when there is none.
void RemoveEndpoints(const std::string& data_dir);

// "http://127.0.0.1:8080", with brackets around an IPv6 address; https with TLS. The Unix socket
// where there is one, "unix:/run/app/http.sock": it needs no certificate to be checked.
std::string HttpUrlOf(const Endpoints& endpoints);
// What to connect to in order to reach a server that is bound to `bind_address`.
std::string ReachableHost(const std::string& bind_address);

}  // namespace switchback
