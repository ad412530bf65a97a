// Runs the program's command line inside the test.
#pragma once

#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "server/cli/command_line.hpp"

namespace switchback {

struct ProgramResult {
  int exit_code = 0;
  std::string out;
  std::string err;

  [[nodiscard]] nlohmann::ordered_json Json() const {
    return nlohmann::ordered_json::parse(out, nullptr, false);
  }
};

// Catches what `stream` is given while this lives.
class StreamCapture {
 public:
  explicit StreamCapture(std::ostream& stream)
      : stream_(stream), before_(stream.rdbuf(text_.rdbuf())) {}
  ~StreamCapture() { stream_.rdbuf(before_); }
  StreamCapture(const StreamCapture&) = delete;
  StreamCapture& operator=(const StreamCapture&) = delete;
  [[nodiscard]] std::string Text() const { return text_.str(); }

 private:
  std::ostringstream text_;
  std::ostream& stream_;
  std::streambuf* const before_;
};

inline ProgramResult RunProgram(const std::vector<std::string>& arguments) {
  std::vector<const char*> argv{"switchback"};
  for (const std::string& argument : arguments) argv.push_back(argument.c_str());
  const StreamCapture out(std::cout);
  const StreamCapture err(std::cerr);
  ProgramResult result;
  result.exit_code = RunCommandLine(static_cast<int>(argv.size()), argv.data());
  result.out = out.Text();
  result.err = err.Text();
  return result;
}

}  // namespace switchback
