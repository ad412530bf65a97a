#include "rollback/apart.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <string>

#include "common/bytes.hpp"
#include "common/check.hpp"
#include "common/file.hpp"

namespace switchback {
namespace {

constexpr char kData = 'd';
constexpr char kError = 'e';
constexpr char kEnd = 'o';

// False at the end of what the child has said.
bool ReadAll(int fd, char* bytes, std::size_t size) {
  while (size > 0) {
    const ssize_t got = ::read(fd, bytes, size);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    bytes += got;
    size -= static_cast<std::size_t>(got);
  }
  return true;
}

// The kind of the next frame; 0 when the child has died before it ended.
char ReadFrame(int fd, std::string& frame) {
  char head[1 + sizeof(std::uint32_t)];
  if (!ReadAll(fd, head, sizeof head)) return 0;
  std::uint32_t size = 0;
  std::memcpy(&size, head + 1, sizeof size);
  frame.resize(size);
  return ReadAll(fd, frame.data(), size) ? head[0] : '\0';
}

Error DecodeError(std::string_view frame) {
  SB_CHECK(!frame.empty(), "an error has a code");
  return {static_cast<ErrorCode>(frame.front()), std::string(frame.substr(1))};
}

}  // namespace

Status ApartWriter::Send(char kind, std::string_view frame) const {
  std::string bytes(1, kind);
  AppendInteger(bytes, static_cast<std::uint32_t>(frame.size()));
  bytes += frame;
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t written = ::write(fd_, bytes.data() + done, bytes.size() - done);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return FailErrno("tell the parent", errno);
    done += static_cast<std::size_t>(written);
  }
  return {};
}

// The child as its parent has it: ended and waited for in any case.
class ApartChild {
 public:
  explicit ApartChild(pid_t pid) : pid_(pid) {}
  ~ApartChild() {
    if (pid_ > 0) ::kill(pid_, SIGKILL);
    Wait();
  }
  ApartChild(const ApartChild&) = delete;
  ApartChild& operator=(const ApartChild&) = delete;

  // Its wait status.
  int Wait() {
    int status = 0;
    if (pid_ <= 0) return status;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) continue;
    pid_ = 0;
    return status;
  }

  [[noreturn]] static void Work(int fd, pid_t parent,
                                const std::function<Status(const ApartWriter&)>& work) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);
    const rlimit none{0, 0};
    ::setrlimit(RLIMIT_CORE, &none);
    // What an engine says of an assertion that failed is no concern of people.
    if (const int quiet = ::open("/dev/null", O_WRONLY | O_CLOEXEC); quiet >= 0)
      ::dup2(quiet, STDERR_FILENO);
    const ApartWriter writer(fd);
    const Status done = work(writer);
    const Status told =
        done ? writer.Send(kEnd, {})
             : writer.Send(kError, static_cast<char>(done.error().code) + done.error().message);
    ::_exit(told ? 0 : 1);
  }

 private:
  pid_t pid_;
};

Status RunApart(const std::function<Status(const ApartWriter&)>& work,
                const std::function<Status(std::string_view)>& take) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return FailErrno("make a pipe", errno);
  UniqueFd from(ends[0]);
  UniqueFd to(ends[1]);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return FailErrno("start a process", errno);
  if (pid == 0) ApartChild::Work(to.get(), parent, work);
  to.Close();
  ApartChild child(pid);
  std::string frame;
  while (true) {
    const char kind = ReadFrame(from.get(), frame);
    if (kind == kEnd) return {};
    if (kind == kError) return Fail(DecodeError(frame));
    if (kind != kData) break;
    SB_RETURN_IF_ERROR(take(frame));
  }
  const int status = child.Wait();
  return Fail(ErrorCode::kCorruption,
              WIFSIGNALED(status)
                  ? std::string("the engine crashed on it (") + ::strsignal(WTERMSIG(status)) + ")"
                  : "the engine stopped at it");
}

}  // namespace switchback
