// A blocking RESP client on a plain socket, for tests of the server over loopback.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace switchback {

class RespSocket {
 public:
  // Not connected yet.
  RespSocket() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {}
  explicit RespSocket(std::uint16_t port, int receive_buffer_bytes = 0) : RespSocket() {
    if (receive_buffer_bytes > 0) {
      setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes, sizeof receive_buffer_bytes);
    }
    Connect(port);
  }
  ~RespSocket() { Close(); }
  RespSocket(RespSocket&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)),
        is_connected_(other.is_connected_),
        unread_(std::move(other.unread_)) {}
  RespSocket(const RespSocket&) = delete;
  RespSocket& operator=(const RespSocket&) = delete;

  // To the server of that port on loopback; is_connected() says whether it answered.
  void Connect(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    is_connected_ = connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  [[nodiscard]] bool is_connected() const { return is_connected_; }

  // Sends everything; false when the connection breaks.
  bool Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  // Sends what the connection takes without waiting; returns how much.
  std::size_t SendSome(std::string_view bytes) {
    const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return sent > 0 ? static_cast<std::size_t>(sent) : 0;
  }

  // Exactly `size` bytes, fewer if the server closes first.
  std::string Read(std::size_t size) {
    while (unread_.size() < size && Fill()) {
    }
    return Take(std::min(size, unread_.size()));
  }
  // One line with its CRLF.
  std::string ReadLine() {
    std::size_t end = 0;
    while ((end = unread_.find("\r\n")) == std::string::npos) {
      if (!Fill()) return std::exchange(unread_, {});
    }
    return Take(end + 2);
  }
  // Everything until the server closes.
  std::string ReadAll() {
    while (Fill()) {
    }
    return std::exchange(unread_, {});
  }

  // Sends a line and reads a one-line reply.
  std::string Ask(std::string_view line) {
    return Send(std::string(line) + "\r\n") ? ReadLine() : "";
  }

  // No more will be sent.
  void ShutdownWrites() { shutdown(fd_, SHUT_WR); }
  // Ends with RST instead of FIN.
  void Reset() {
    const linger now{1, 0};
    setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    Close();
  }
  void Close() {
    if (fd_ >= 0) close(std::exchange(fd_, -1));
  }

 private:
  bool Fill() {
    // A test that would hang fails instead.
    pollfd ready{fd_, POLLIN, 0};
    if (poll(&ready, 1, 30000) <= 0) return false;
    char bytes[65536];
    const ssize_t size = recv(fd_, bytes, sizeof bytes, 0);
    if (size <= 0) return false;
    unread_.append(bytes, static_cast<std::size_t>(size));
    return true;
  }
  std::string Take(std::size_t size) {
    std::string bytes = unread_.substr(0, size);
    unread_.erase(0, size);
    return bytes;
  }

  int fd_ = -1;
  bool is_connected_ = false;
  std::string unread_;
};

}  // namespace switchback
