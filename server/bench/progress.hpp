// What a long benchmark says while it runs.
#pragma once

#include <string>

namespace switchback::bench {

// One thread at a time.
class Progress {
 public:
  virtual ~Progress() = default;
  // What is being done now. Replaces the last line on a terminal.
  virtual void Say(const std::string& line) = 0;
  // Nothing more follows: the last line may go.
  virtual void End() = 0;
};

// Lines on stderr: one that is rewritten on a terminal, plain ones elsewhere.
class StderrProgress : public Progress {
 public:
  StderrProgress();
  void Say(const std::string& line) override;
  void End() override;

 private:
  const bool is_terminal_;
};

}  // namespace switchback::bench
