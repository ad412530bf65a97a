// How lines of the log look on stderr: for people, or one JSON object each for programs that
// collect them. Apart from log.hpp, which nearly everything includes.
#pragma once

namespace switchback {

enum class LogFormat {
  kText,  // "2026-01-31T12:03:04.567+0000 info ready: ..."
  kJson,  // {"time":"2026-01-31T12:03:04.567Z","level":"info","message":"ready: ..."}
};

// Of lines that are written from now on. Thread-safe. Default kText, which RecentLogLines keeps to.
void SetLogFormat(LogFormat format);

}  // namespace switchback
