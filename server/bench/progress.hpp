// What a long benchmark says while it runs, and how it is stopped.
#pragma once

#include <string>

#include "common/result.hpp"

namespace switchback::bench {

// One thread at a time.
class Progress {
 public:
  virtual ~Progress() = default;
  // What is being done from now on. Replaces the last line on a terminal. Error: kCancelled when
  // somebody asked to stop.
  virtual Status Say(const std::string& line) = 0;
  // Nothing more follows: the last line may go.
  virtual void End() = 0;
};

// Lines on stderr: one that is rewritten on a terminal, plain ones elsewhere. While it lives, the
// first SIGINT or SIGTERM cancels, so that the stores of the benchmark are removed; the second one
// ends the process. One at a time in a process.
class StderrProgress : public Progress {
 public:
  StderrProgress();
  ~StderrProgress() override;
  StderrProgress(const StderrProgress&) = delete;
  StderrProgress& operator=(const StderrProgress&) = delete;
  Status Say(const std::string& line) override;
  void End() override;

 private:
  const bool is_terminal_;
};

}  // namespace switchback::bench
