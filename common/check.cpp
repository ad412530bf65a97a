#include "common/check.hpp"

#include <cstdio>
#include <cstdlib>

namespace switchback {

void CheckFailed(const char* file, int line, const char* condition, const char* what) {
  std::fprintf(stderr, "switchback: invariant broken at %s:%d: %s (%s)\n", file, line, what,
               condition);
  std::fflush(stderr);
  std::abort();
}

}  // namespace switchback
