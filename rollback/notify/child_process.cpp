#include "rollback/notify/child_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "common/check.hpp"
#include "common/file.hpp"

namespace switchback {
namespace {

constexpr std::chrono::milliseconds kLookEvery{100};

// posix_spawn's two lists of what happens between fork and exec.
class SpawnPlan {
 public:
  SpawnPlan(int input, int error) {
    SB_CHECK(posix_spawn_file_actions_init(&actions_) == 0, "memory for a child process");
    SB_CHECK(posix_spawnattr_init(&attributes_) == 0, "memory for a child process");
    posix_spawn_file_actions_adddup2(&actions_, input, STDIN_FILENO);
    posix_spawn_file_actions_addopen(&actions_, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&actions_, error, STDERR_FILENO);
    posix_spawn_file_actions_addchdir_np(&actions_, "/");
    // Signals as a program expects them: the server ignores some and blocks others.
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    posix_spawnattr_setpgroup(&attributes_, 0);
    posix_spawnattr_setflags(
        &attributes_, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  ~SpawnPlan() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;

  Result<pid_t> Spawn(const ChildOptions& options) const {
    std::vector<char*> argv, environment;
    for (const std::string& text : options.argv) argv.push_back(const_cast<char*>(text.c_str()));
    for (const std::string& text : options.environment)
      environment.push_back(const_cast<char*>(text.c_str()));
    argv.push_back(nullptr);
    environment.push_back(nullptr);
    pid_t pid = 0;
    const int error =
        ::posix_spawn(&pid, argv[0], &actions_, &attributes_, argv.data(), environment.data());
    if (error != 0) return FailErrno("run " + options.argv.front(), error);
    return pid;
  }

 private:
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

// A file in memory, so that a child that does not read cannot block us.
Result<UniqueFd> InputFile(std::string_view text) {
  UniqueFd file(::memfd_create("notification", MFD_CLOEXEC));
  if (!file.is_open()) return FailErrno("memfd_create", errno);
  SB_RETURN_IF_ERROR(WriteAt(file.get(), text, 0));  // at an offset of 0 still
  return file;
}

// Reads what is there, of a child that never stops writing a part; false at the end.
bool Drain(int fd, std::size_t bytes_max, std::string& text) {
  constexpr int kReadCountMax = 64;
  std::array<char, 4096> buffer;
  for (int i = 0; i < kReadCountMax; ++i) {
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno == EAGAIN;
    if (got == 0) return false;
    text.append(buffer.data(), static_cast<std::size_t>(got));
    if (text.size() > bytes_max) text.erase(0, text.size() - bytes_max);
  }
  return true;
}

ChildEnd Await(pid_t pid, int error_fd, const ChildOptions& options,
               const std::function<bool()>& is_cancelled) {
  const auto deadline = std::chrono::steady_clock::now() + options.time_max;
  // By number: glibc 2.36 declares pidfd_open without its C linkage.
  const UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  ChildEnd end;
  bool has_more = true;
  while (true) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    end.is_cancelled = is_cancelled();
    end.is_timed_out = !end.is_cancelled && left.count() <= 0;
    if (end.is_cancelled || end.is_timed_out) break;
    std::array<pollfd, 2> fds{pollfd{process.get(), POLLIN, 0},
                              pollfd{has_more ? error_fd : -1, POLLIN, 0}};
    ::poll(fds.data(), fds.size(), static_cast<int>(std::min(left, kLookEvery).count()));
    has_more = has_more && Drain(error_fd, options.error_bytes_max, end.error_text);
    siginfo_t info{};
    if (::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
        info.si_pid == pid)
      break;
  }
  if (end.is_cancelled || end.is_timed_out) ::kill(-pid, SIGKILL);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  Drain(error_fd, options.error_bytes_max, end.error_text);
  if (WIFEXITED(status)) end.exit_code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) end.signal = WTERMSIG(status);
  return end;
}

}  // namespace

Result<ChildEnd> RunChild(const ChildOptions& options, const std::function<bool()>& is_cancelled) {
  SB_CHECK(!options.argv.empty(), "a child process has a program");
  const auto input = InputFile(options.input);
  if (!input) return Fail(input.error());
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return FailErrno("pipe", errno);
  const UniqueFd error_reader(ends[0]);
  UniqueFd error_writer(ends[1]);
  ::fcntl(error_reader.get(), F_SETFL, O_NONBLOCK);  // of our end only
  const auto pid = SpawnPlan(input->get(), error_writer.get()).Spawn(options);
  if (!pid) return Fail(pid.error());
  error_writer.Close();
  return Await(*pid, error_reader.get(), options, is_cancelled);
}

}  // namespace switchback
