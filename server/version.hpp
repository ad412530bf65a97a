// The version of this build, the same as the project's in CMakeLists.txt (a test compares them).
#pragma once

#include <string_view>

namespace switchback {

inline constexpr std::string_view kVersion = "0.1.0";

}  // namespace switchback
