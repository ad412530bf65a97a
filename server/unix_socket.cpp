#include "server/unix_socket.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "common/file.hpp"

namespace switchback {
namespace {

Result<sockaddr_un> AddressOf(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path)
    return Fail(ErrorCode::kInvalidArgument, "unix socket " + path + ": a path has 1 to " +
                                                 std::to_string(sizeof address.sun_path - 1) +
                                                 " bytes");
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

// Nobody listens at a socket that refuses connections.
Status RemoveStale(const std::string& path, const sockaddr_un& address) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0)
    return errno == ENOENT ? Status{} : Status(FailErrno("unix socket " + path, errno));
  if (!S_ISSOCK(info.st_mode))
    return Fail(ErrorCode::kRefused,
                "unix socket " + path + ": there is a file that is no socket; it is left alone");
  const UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!probe.is_open()) return FailErrno("unix socket " + path, errno);
  const int connected =
      ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  if (connected == 0 || errno != ECONNREFUSED)
    return Fail(ErrorCode::kConflict, "unix socket " + path + ": somebody listens there");
  return ::unlink(path.c_str()) == 0 ? Status{} : Status(FailErrno("remove " + path, errno));
}

}  // namespace

Result<mode_t> ParseSocketMode(std::string_view text) {
  if (text == "0600") return mode_t{0600};
  if (text == "0660") return mode_t{0660};
  return Fail(ErrorCode::kInvalidArgument, "must be \"0600\" or \"0660\"");
}

Result<int> ListenOnUnixSocket(const std::string& path, mode_t mode) {
  const auto address = AddressOf(path);
  if (!address) return Fail(address.error());
  SB_RETURN_IF_ERROR(RemoveStale(path, *address));
  const UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.is_open()) return FailErrno("unix socket " + path, errno);
  // Linux makes the file with the descriptor's mode (less the umask): it is never open to more.
  if (::fchmod(socket.get(), mode) != 0) return FailErrno("unix socket " + path, errno);
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0)
    return FailErrno("bind the unix socket " + path, errno);
  if (::chmod(path.c_str(), mode) != 0 || ::listen(socket.get(), SOMAXCONN) != 0)
    return FailErrno("listen on the unix socket " + path, errno);
  const int kept = ::fcntl(socket.get(), F_DUPFD_CLOEXEC, 0);
  return kept < 0 ? Result<int>(FailErrno("unix socket " + path, errno)) : Result<int>(kept);
}

void RemoveUnixSocket(const std::string& path) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) == 0 && S_ISSOCK(info.st_mode)) ::unlink(path.c_str());
}

}  // namespace switchback
