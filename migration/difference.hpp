// A record that the two stores do not hold alike, said from unified's point of view.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/check.hpp"
#include "service/store_pair.hpp"

namespace switchback {

enum class DifferenceKind : std::uint8_t {
  kMissing,  // only legacy has it
  kExtra,    // only unified has it
  kDiffers,  // both have it, with different values
};

constexpr const char* DifferenceKindName(DifferenceKind kind) {
  switch (kind) {
    case DifferenceKind::kMissing: return "missing";
    case DifferenceKind::kExtra: return "extra";
    case DifferenceKind::kDiffers: return "differs";
  }
  return "";
}

struct Difference {
  std::string collection;
  std::string key;
  DigestPair values;           // not equal
  std::uint64_t sequence = 0;  // the position of the log at which both were read

  [[nodiscard]] DifferenceKind kind() const {
    SB_CHECK(!values.is_equal(), "a difference differs");
    if (!values.unified) return DifferenceKind::kMissing;
    return values.legacy ? DifferenceKind::kDiffers : DifferenceKind::kExtra;
  }
};

}  // namespace switchback
