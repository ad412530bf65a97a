// Progress of long work: a bar that redraws itself on a terminal, a plain line now and then
// elsewhere.
#pragma once

#include <chrono>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>

#include "common/clock.hpp"

namespace switchback {

// How often a plain line is printed at most.
inline constexpr std::chrono::seconds kPlainProgressInterval{5};

// "[=====>    ] 50.0 %  TEXT". `width` is that between the brackets. Pure.
std::string ProgressBar(double percent, std::string_view text, std::size_t width = 30);

// One thread at a time.
class Progress {
 public:
  // `out` outlives this.
  Progress(std::ostream& out, bool is_terminal) : out_(out), is_terminal_(is_terminal) {}
  ~Progress() { Finish(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void Show(double percent, std::string_view text, SteadyTime now);
  // The same where nobody knows a percentage.
  void ShowText(std::string_view text, SteadyTime now);
  // Ends the bar's line. Harmless more than once.
  void Finish();

 private:
  void ShowLine(const std::string& bar, const std::string& line, SteadyTime now);

  std::ostream& out_;
  const bool is_terminal_;
  bool is_line_open_ = false;
  std::optional<SteadyTime> last_plain_;
};

}  // namespace switchback
