#include "server/bench/progress.hpp"

#include <fmt/core.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>

namespace switchback::bench {
namespace {

volatile sig_atomic_t is_cancelled = 0;

void OnSignal(int /*number*/) {
  is_cancelled = 1;
}

void Handle(void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART | static_cast<int>(SA_RESETHAND);
  for (const int number : {SIGINT, SIGTERM}) sigaction(number, &action, nullptr);
}

}  // namespace

StderrProgress::StderrProgress() : is_terminal_(isatty(STDERR_FILENO) == 1) {
  is_cancelled = 0;
  Handle(OnSignal);
}

StderrProgress::~StderrProgress() {
  Handle(SIG_DFL);
}

Status StderrProgress::Say(const std::string& line) {
  if (is_cancelled != 0) return Fail(ErrorCode::kCancelled, "stopped");
  // "\033[K" clears what a longer line left behind.
  if (is_terminal_) {
    fmt::print(stderr, "\r{}\033[K", line.substr(0, 100));
  } else {
    fmt::print(stderr, "{}\n", line);
  }
  std::fflush(stderr);
  return {};
}

void StderrProgress::End() {
  if (is_terminal_) fmt::print(stderr, "\r\033[K");
}

}  // namespace switchback::bench
