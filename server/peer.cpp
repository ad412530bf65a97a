#include "server/peer.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>

namespace switchback {
namespace {

struct Place {
  std::string host;  // "" = no IP address
  std::uint16_t port = 0;
  bool is_ipv6 = false;
};

using Getter = int (*)(int, sockaddr*, socklen_t*);

Place PlaceOf(int socket, Getter getter) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  auto* const address = reinterpret_cast<sockaddr*>(&storage);
  if (getter(socket, address, &size) != 0) return {};
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address->sa_family == AF_INET) {
    const auto* ipv4 = reinterpret_cast<const sockaddr_in*>(address);
    inet_ntop(AF_INET, &ipv4->sin_addr, text.data(), text.size());
    return {text.data(), ntohs(ipv4->sin_port), false};
  }
  if (address->sa_family != AF_INET6) return {};
  const auto* ipv6 = reinterpret_cast<const sockaddr_in6*>(address);
  inet_ntop(AF_INET6, &ipv6->sin6_addr, text.data(), text.size());
  return {text.data(), ntohs(ipv6->sin6_port), true};
}

std::string ToText(const Place& place) {
  if (place.host.empty()) return "unix:0";
  return (place.is_ipv6 ? "[" + place.host + "]" : place.host) + ":" + std::to_string(place.port);
}

}  // namespace

std::string PeerHost(int socket) {
  return PlaceOf(socket, ::getpeername).host;
}

std::string PeerText(int socket) {
  return ToText(PlaceOf(socket, ::getpeername));
}

std::string LocalText(int socket) {
  return ToText(PlaceOf(socket, ::getsockname));
}

}  // namespace switchback
