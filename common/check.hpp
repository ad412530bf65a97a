// SB_CHECK(condition, "what must hold"): stops the process when an invariant of ours is broken.
// Active in every build: a wrong answer is worse than a stopped process, and recovery after a stop
// is the path that is tested most.
#pragma once

namespace switchback {

// Prints the place and `what` to stderr and aborts.
[[noreturn]] void CheckFailed(const char* file, int line, const char* condition, const char* what);

}  // namespace switchback

#define SB_CHECK(condition, what)                                      \
  do {                                                                 \
    if (!(condition)) [[unlikely]] {                                   \
      ::switchback::CheckFailed(__FILE__, __LINE__, #condition, what); \
    }                                                                  \
  } while (false)
