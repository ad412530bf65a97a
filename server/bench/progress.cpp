#include "server/bench/progress.hpp"

#include <fmt/core.h>
#include <unistd.h>

#include <cstdio>

namespace switchback::bench {

StderrProgress::StderrProgress() : is_terminal_(isatty(STDERR_FILENO) == 1) {}

void StderrProgress::Say(const std::string& line) {
  // "\033[K" clears what a longer line left behind.
  if (is_terminal_)
    fmt::print(stderr, "\r{}\033[K", line.substr(0, 100));
  else
    fmt::print(stderr, "{}\n", line);
  std::fflush(stderr);
}

void StderrProgress::End() {
  if (is_terminal_) fmt::print(stderr, "\r\033[K");
}

}  // namespace switchback::bench
