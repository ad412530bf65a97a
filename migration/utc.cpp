#include "migration/utc.hpp"

#include <fmt/chrono.h>

#include <chrono>
#include <cstdlib>
#include <ctime>

namespace switchback {

std::string FormatUtc(WallTime time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}",
                     fmt::gmtime(std::chrono::system_clock::to_time_t(seconds)));
}

std::optional<WallTime> ParseUtc(std::string_view text) {
  const std::string copy(text);
  std::tm parts{};
  const char* rest = ::strptime(copy.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
  if (rest == nullptr) return std::nullopt;
  double fraction = 0;
  if (*rest == '.') {
    char* end = nullptr;
    fraction = std::strtod(rest, &end);
    rest = end;
  }
  if (std::string_view(rest) != "Z") return std::nullopt;
  return WallTime(std::chrono::seconds(::timegm(&parts)) +
                  std::chrono::microseconds(static_cast<std::int64_t>(fraction * 1e6)));
}

}  // namespace switchback
