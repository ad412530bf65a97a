#include "common/failpoint.hpp"

#include <signal.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <thread>

#include "common/sync.hpp"

namespace switchback {
namespace {

enum class Action { kError, kNoSpace, kAbort, kDelay };

struct Armed {
  Action action = Action::kError;
  std::uint64_t delay_ms = 0;
  std::uint64_t only_hit = 0;  // 0: every hit
  std::uint64_t hits = 0;
};

using Table = std::map<std::string, Armed, std::less<>>;

Mutex table_mutex;
Table& ArmedTable() SB_REQUIRES(table_mutex) {
  static Table table;
  return table;
}

bool ParseNumber(std::string_view text, std::uint64_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size() && !text.empty();
}

Result<std::pair<std::string, Armed>> ParseOne(std::string_view item) {
  const auto bad = [&] {
    return Fail(ErrorCode::kInvalidArgument, "failpoint '" + std::string(item) +
                                                 "': want name=error|nospace|abort|delay:MS[@n]");
  };
  Armed armed;
  const auto equals = item.find('=');
  if (equals == std::string_view::npos || equals == 0) return bad();
  std::string_view action = item.substr(equals + 1);
  if (const auto at = action.rfind('@'); at != std::string_view::npos) {
    if (!ParseNumber(action.substr(at + 1), armed.only_hit)) return bad();
    action = action.substr(0, at);
  }
  if (action == "error") {
    armed.action = Action::kError;
  } else if (action == "nospace") {
    armed.action = Action::kNoSpace;
  } else if (action == "abort") {
    armed.action = Action::kAbort;
  } else if (action.substr(0, 6) == "delay:" && ParseNumber(action.substr(6), armed.delay_ms)) {
    armed.action = Action::kDelay;
  } else {
    return bad();
  }
  return std::pair<std::string, Armed>(std::string(item.substr(0, equals)), armed);
}

}  // namespace

namespace internal {

std::atomic<bool> failpoints_on{false};

Status HitFailpoint(std::string_view name) {
  Armed hit;
  {
    MutexLock lock(table_mutex);
    const auto found = ArmedTable().find(name);
    if (found == ArmedTable().end()) return {};
    Armed& armed = found->second;
    ++armed.hits;
    if (armed.only_hit != 0 && armed.hits != armed.only_hit) return {};
    hit = armed;
  }
  switch (hit.action) {
    case Action::kError: return Fail(ErrorCode::kIo, "failpoint " + std::string(name));
    case Action::kNoSpace: return Fail(ErrorCode::kNoSpace, "failpoint " + std::string(name));
    case Action::kAbort: ::kill(::getpid(), SIGKILL); break;
    case Action::kDelay:
      std::this_thread::sleep_for(std::chrono::milliseconds(hit.delay_ms));
      break;
  }
  return {};
}

}  // namespace internal

Status SetFailpoints(std::string_view specification) {
  Table table;
  while (!specification.empty()) {
    const auto end = specification.find(';');
    const std::string_view item = specification.substr(0, end);
    specification =
        end == std::string_view::npos ? std::string_view{} : specification.substr(end + 1);
    if (item.empty()) continue;
    auto parsed = ParseOne(item);
    if (!parsed) return Fail(parsed.error());
    table.insert(*std::move(parsed));
  }
  MutexLock lock(table_mutex);
  internal::failpoints_on.store(!table.empty(), std::memory_order_relaxed);
  ArmedTable() = std::move(table);
  return {};
}

Status SetFailpointsFromEnvironment() {
  const char* value = std::getenv("SWITCHBACK_FAILPOINTS");
  return value == nullptr ? Status{} : SetFailpoints(value);
}

}  // namespace switchback
