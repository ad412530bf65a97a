#include "server/cli/top/terminal.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "common/check.hpp"

namespace switchback {
namespace {

constexpr std::string_view kEnter = "\x1b[?1049h\x1b[?25l\x1b[2J";
constexpr std::string_view kLeave = "\x1b[0m\x1b[?25h\x1b[?1049l";
constexpr std::array<int, 6> kSignals{SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGWINCH};
constexpr std::array<int, 5> kCrashes{SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};

// What a crash handler restores; written before the handlers are set.
termios crash_before;

// Only calls that a signal handler may make. The handler is gone by then: the second signal is the
// crash itself.
void RestoreAndCrash(int signal) {
  [[maybe_unused]] const ssize_t written = ::write(STDOUT_FILENO, kLeave.data(), kLeave.size());
  ::tcsetattr(STDIN_FILENO, TCSANOW, &crash_before);
  ::raise(signal);
}

void HandleCrashes(bool is_on) {
  struct sigaction action {};
  action.sa_handler = is_on ? RestoreAndCrash : SIG_DFL;
  action.sa_flags = is_on ? static_cast<int>(SA_RESETHAND | SA_NODEFER) : 0;
  for (const int signal : kCrashes) ::sigaction(signal, &action, nullptr);
}

Status WriteAll(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(STDOUT_FILENO, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return Fail(ErrorCode::kIo, std::string("terminal: ") + std::strerror(errno));
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

std::string_view StyleCode(TopStyle style, bool has_colours) {
  switch (style) {
    case TopStyle::kPlain: return "";
    case TopStyle::kTitle: return "\x1b[1m";
    case TopStyle::kHead: return "\x1b[7m";
    case TopStyle::kWarning: return has_colours ? "\x1b[33m" : "\x1b[1m";
    case TopStyle::kBad: return has_colours ? "\x1b[1;31m" : "\x1b[1m";
  }
  return "";
}

}  // namespace

bool Terminal::IsUsable() {
  const char* kind = std::getenv("TERM");
  return ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1 && kind != nullptr &&
         *kind != '\0' && std::string_view(kind) != "dumb";
}

Result<std::unique_ptr<Terminal>> Terminal::Open() {
  termios before{};
  if (!IsUsable() || ::tcgetattr(STDIN_FILENO, &before) != 0)
    return Fail(ErrorCode::kUnsupported, "standard input and output are no terminal: --once");
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : kSignals) sigaddset(&set, signal);
  SB_CHECK(pthread_sigmask(SIG_BLOCK, &set, nullptr) == 0, "signals can be blocked");
  UniqueFd signals(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  UniqueFd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!signals.is_open() || !wake.is_open())
    return Fail(ErrorCode::kIo, std::string("signals: ") + std::strerror(errno));
  std::signal(SIGPIPE, SIG_IGN);
  return std::unique_ptr<Terminal>(new Terminal(std::move(signals), std::move(wake), before));
}

Terminal::Terminal(UniqueFd signals, UniqueFd wake, const termios& before)
    : signals_(std::move(signals)),
      wake_(std::move(wake)),
      before_(before),
      has_colours_(std::getenv("NO_COLOR") == nullptr || *std::getenv("NO_COLOR") == '\0') {
  Enter();
}

void Terminal::Close() {
  if (is_open_) Leave();
  is_open_ = false;
}

void Terminal::Enter() {
  crash_before = before_;
  HandleCrashes(true);
  termios raw = before_;
  // Signals stay: Ctrl-C and Ctrl-Z do what they do elsewhere.
  raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
  raw.c_cc[VMIN] = 0;
  raw.c_cc[VTIME] = 0;
  ::tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
  [[maybe_unused]] const Status written = WriteAll(kEnter);
}

void Terminal::Leave() {
  [[maybe_unused]] const Status written = WriteAll(kLeave);
  ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
  HandleCrashes(false);
}

TerminalSize Terminal::Size() const {
  winsize size{};
  TerminalSize known;
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return known;
  if (size.ws_col > 0) known.columns = size.ws_col;
  if (size.ws_row > 0) known.rows = size.ws_row;
  return known;
}

Status Terminal::Draw(const std::vector<TopLine>& lines) {
  std::string text = "\x1b[H";
  for (std::size_t index = 0; index < lines.size(); ++index) {
    const std::string_view code = StyleCode(lines[index].style, has_colours_);
    if (index > 0) text += "\r\n";
    text += code;
    text += lines[index].text;
    if (!code.empty()) text += "\x1b[0m";
    text += "\x1b[K";
  }
  return WriteAll(text + "\x1b[J");
}

Terminal::Input Terminal::ReadSignal() {
  signalfd_siginfo info{};
  if (::read(signals_.get(), &info, sizeof info) != static_cast<ssize_t>(sizeof info)) return {};
  if (info.ssi_signo == SIGWINCH) return {TerminalEvent::kResize};
  if (info.ssi_signo != SIGTSTP) return {TerminalEvent::kStop};
  Leave();
  ::raise(SIGSTOP);  // goes on here with SIGCONT
  Enter();
  return {TerminalEvent::kResize};
}

Terminal::Input Terminal::ReadKey() {
  char key = 0;
  const ssize_t count = ::read(STDIN_FILENO, &key, 1);
  if (count == 1) return {TerminalEvent::kKey, key};
  return {count < 0 && errno == EINTR ? TerminalEvent::kNothing : TerminalEvent::kStop};
}

Terminal::Input Terminal::Wait(std::chrono::milliseconds wait_max) {
  std::array<pollfd, 3> fds{
      {{signals_.get(), POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}, {wake_.get(), POLLIN, 0}}};
  if (::poll(fds.data(), fds.size(), static_cast<int>(wait_max.count())) <= 0) return {};
  if (fds[0].revents != 0) return ReadSignal();
  if (fds[1].revents != 0) return ReadKey();
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t got = ::read(wake_.get(), &count, sizeof count);
  return {TerminalEvent::kWake};
}

void Terminal::Wake() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(wake_.get(), &one, sizeof one);
}

}  // namespace switchback
