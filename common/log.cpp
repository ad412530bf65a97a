#include "common/log.hpp"

#include <spdlog/sinks/ringbuffer_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

namespace switchback {
namespace {

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug: return spdlog::level::debug;
    case LogLevel::kInfo: return spdlog::level::info;
    case LogLevel::kWarning: return spdlog::level::warn;
    case LogLevel::kError: return spdlog::level::err;
  }
  return spdlog::level::info;
}

const std::shared_ptr<spdlog::sinks::ringbuffer_sink_mt>& RecentLines() {
  static const auto sink = std::make_shared<spdlog::sinks::ringbuffer_sink_mt>(kRecentLogLinesMax);
  return sink;
}

spdlog::logger& Logger() {
  static const auto logger = [] {
    auto made = spdlog::stderr_color_mt("switchback");
    made->sinks().push_back(RecentLines());
    made->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %^%l%$ %v");
    made->flush_on(spdlog::level::debug);
    return made;
  }();
  return *logger;
}

}  // namespace

void SetLogLevel(LogLevel level) {
  Logger().set_level(ToSpdlog(level));
}
bool IsLogged(LogLevel level) {
  return Logger().should_log(ToSpdlog(level));
}
void WriteLogLine(LogLevel level, std::string_view line) {
  Logger().log(ToSpdlog(level), line);
}

std::vector<std::string> RecentLogLines() {
  std::vector<std::string> lines = RecentLines()->last_formatted();
  for (std::string& line : lines) {
    while (!line.empty() && line.back() == '\n') line.pop_back();
  }
  return lines;
}

}  // namespace switchback
