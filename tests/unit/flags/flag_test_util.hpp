// What the tests of flags share: a folder that goes away, ways to change a file, a clock that
// stands.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>

#include "common/clock.hpp"
#include "flags/flag_parser.hpp"

namespace switchback::testing_flags {

class TempFolder {
 public:
  TempFolder() {
    std::string pattern = ::testing::TempDir() + "flagsXXXXXX";
    path_ = ::mkdtemp(pattern.data());
  }
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string File(std::string_view name) const {
    return path_ + "/" + std::string(name);
  }

 private:
  std::string path_;
};

// As `echo > file` does: truncate, write, close.
inline void WriteInPlace(const std::string& path, std::string_view text) {
  std::ofstream(path, std::ios::trunc) << text;
}

// As editors and deployment tools do.
inline void WriteByRename(const std::string& path, std::string_view text) {
  WriteInPlace(path + ".new", text);
  std::filesystem::rename(path + ".new", path);
}

inline std::string ReadAll(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

// A clock that stands unless it is moved: nothing that waits for time happens by itself.
class FrozenClock final : public Clock {
 public:
  [[nodiscard]] SteadyTime Now() const override { return SteadyTime{}; }
  [[nodiscard]] WallTime WallNow() const override { return WallTime{}; }
};

inline std::string FileWith(std::string_view flag) {
  return "{\"USE_UNIFIED_DB_SERVICE\": " + std::string(flag) + "}";
}

// The unified flag written as `flag`, which must be valid.
inline FlagRule RuleOf(std::string_view flag) {
  auto flags = ParseFlags(FileWith(flag));
  EXPECT_TRUE(flags) << (flags ? "" : flags.error().message);
  return flags ? flags->find(kUnifiedFlagName)->second : FlagRule();
}

}  // namespace switchback::testing_flags
