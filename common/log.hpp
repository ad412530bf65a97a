// The program's log: one line an event, for the person who reads it at three in the morning.
// Thread-safe. Say what happened, to what, and what follows; never keys' or values' contents, never
// secrets.
#pragma once

#include <fmt/core.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace switchback {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

// Lines below `level` are dropped. Default kInfo. Lines go to stderr.
void SetLogLevel(LogLevel level);
bool IsLogged(LogLevel level);
void WriteLogLine(LogLevel level, std::string_view line);
// The newest lines, the oldest of them first: at most kRecentLogLinesMax.
inline constexpr std::size_t kRecentLogLinesMax = 500;
std::vector<std::string> RecentLogLines();

template <class... Args>
void Log(LogLevel level, fmt::format_string<Args...> format, Args&&... args) {
  if (IsLogged(level)) WriteLogLine(level, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void LogDebug(fmt::format_string<Args...> format, Args&&... args) {
  Log(LogLevel::kDebug, format, std::forward<Args>(args)...);
}
template <class... Args>
void LogInfo(fmt::format_string<Args...> format, Args&&... args) {
  Log(LogLevel::kInfo, format, std::forward<Args>(args)...);
}
template <class... Args>
void LogWarning(fmt::format_string<Args...> format, Args&&... args) {
  Log(LogLevel::kWarning, format, std::forward<Args>(args)...);
}
template <class... Args>
void LogError(fmt::format_string<Args...> format, Args&&... args) {
  Log(LogLevel::kError, format, std::forward<Args>(args)...);
}

}  // namespace switchback
