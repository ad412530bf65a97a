// Failpoints that are off again when the scope ends.
#pragma once

#include <string_view>

#include "common/failpoint.hpp"
#include "tests/support/expect_ok.hpp"

namespace switchback::test {

class ScopedFailpoints {
 public:
  ScopedFailpoints() = default;
  explicit ScopedFailpoints(std::string_view specification) { Set(specification); }
  ~ScopedFailpoints() { Set(""); }
  ScopedFailpoints(const ScopedFailpoints&) = delete;
  ScopedFailpoints& operator=(const ScopedFailpoints&) = delete;

  void Set(std::string_view specification) { Must(SetFailpoints(specification)); }
};

}  // namespace switchback::test
