#include "server/cli/progress.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace switchback {

std::string ProgressBar(double percent, std::string_view text, std::size_t width) {
  const double share = std::clamp(percent, 0.0, 100.0) / 100;
  const auto filled = static_cast<std::size_t>(share * static_cast<double>(width));
  std::string bar(filled, '=');
  if (filled < width) bar += '>';
  bar.resize(width, ' ');
  return fmt::format("[{}] {:.1f} %  {}", bar, share * 100, text);
}

void Progress::Show(double percent, std::string_view text, SteadyTime now) {
  ShowLine(ProgressBar(percent, text), fmt::format("{:.1f} %  {}", percent, text), now);
}

void Progress::ShowText(std::string_view text, SteadyTime now) {
  ShowLine(std::string(text), std::string(text), now);
}

void Progress::ShowLine(const std::string& bar, const std::string& line, SteadyTime now) {
  if (is_terminal_) {
    // Back to the line's start, draw, and erase what a longer line left behind.
    out_ << "\r" << bar << "\x1b[K" << std::flush;
    is_line_open_ = true;
    return;
  }
  if (last_plain_ && now - *last_plain_ < kPlainProgressInterval) return;
  last_plain_ = now;
  out_ << line << "\n" << std::flush;
}

void Progress::Finish() {
  if (is_line_open_) out_ << "\n" << std::flush;
  is_line_open_ = false;
}

}  // namespace switchback
