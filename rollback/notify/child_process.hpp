// One child process that reads a text and is waited for, for so long at most.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"

namespace switchback {

struct ChildOptions {
  std::vector<std::string> argv;         // the first one is the program's path; no shell
  std::vector<std::string> environment;  // "NAME=value", all of it
  std::string input;                     // on its standard input
  std::chrono::milliseconds time_max{10'000};
  std::size_t error_bytes_max = 1024;  // of its standard error, the end of it
};

struct ChildEnd {
  bool is_timed_out = false;
  bool is_cancelled = false;
  int exit_code = 0;       // of one that ended by itself
  int signal = 0;          // that it died of, not ours; 0 = none
  std::string error_text;  // what it said on standard error
};

// Runs it in a process group of its own and waits. Past its time, or when `is_cancelled` says so
// (asked ten times a second), the group is killed. Standard output goes nowhere. Any thread.
// Errors: kNotFound, kIo: it could not be started.
Result<ChildEnd> RunChild(const ChildOptions& options, const std::function<bool()>& is_cancelled);

}  // namespace switchback
