#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "common/file.hpp"
#include "server/watchdog/liveness.hpp"

namespace switchback {
namespace {

using Deadline = std::chrono::steady_clock::time_point;

bool WaitFor(int socket, short events, Deadline deadline) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
      deadline - std::chrono::steady_clock::now());
  pollfd entry{socket, events, 0};
  return ::poll(&entry, 1, std::max(0, static_cast<int>(left.count()))) > 0;
}

UniqueFd Connect(const std::string& host, std::uint16_t port, Deadline deadline) {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) return {};
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, ::freeaddrinfo);
  UniqueFd socket(::socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.is_open()) return {};
  if (::connect(socket.get(), found->ai_addr, found->ai_addrlen) == 0) return socket;
  if (errno != EINPROGRESS || !WaitFor(socket.get(), POLLOUT, deadline)) return {};
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  return error == 0 ? std::move(socket) : UniqueFd();
}

}  // namespace

bool DoorAnswers(const std::string& host, std::uint16_t port, std::string_view request,
                 std::chrono::milliseconds wait_max) {
  const Deadline deadline = std::chrono::steady_clock::now() + wait_max;
  const UniqueFd socket = Connect(host, port, deadline);
  if (!socket.is_open()) return false;
  // A few bytes always fit into an empty buffer. An error here is one that the next call sees.
  [[maybe_unused]] const ssize_t sent =
      ::send(socket.get(), request.data(), request.size(), MSG_NOSIGNAL);
  return WaitFor(socket.get(), POLLIN, deadline);
}

}  // namespace switchback
