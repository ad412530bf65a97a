#include "common/log.hpp"

#include <spdlog/sinks/ringbuffer_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include "common/json_log_formatter.hpp"
#include "common/log_format.hpp"

namespace switchback {
namespace {

constexpr const char* kTextPattern = "%Y-%m-%dT%H:%M:%S.%e%z %^%l%$ %v";

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
    made->set_pattern(kTextPattern);
    made->flush_on(spdlog::level::debug);
    return made;
  }();
  return *logger;
}

}  // namespace

void SetLogLevel(LogLevel level) {
  Logger().set_level(ToSpdlog(level));
}
void SetLogFormat(LogFormat format) {
  // The first one is stderr's; the other keeps what people read later.
  spdlog::sinks::sink& terminal = *Logger().sinks().front();
  if (format == LogFormat::kJson) {
    terminal.set_formatter(std::make_unique<JsonLogFormatter>());
  } else {
    terminal.set_pattern(kTextPattern);
  }
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
