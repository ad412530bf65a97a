#include "common/json_log_formatter.hpp"

#include <fmt/chrono.h>
#include <spdlog/details/log_msg.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

std::string_view View(spdlog::string_view_t text) {
  return {text.data(), text.size()};
}

std::string UtcText(spdlog::log_clock::time_point time) {
  using std::chrono::milliseconds;
  const auto since_1970 = std::chrono::duration_cast<milliseconds>(time.time_since_epoch());
  const std::tm utc = fmt::gmtime(spdlog::log_clock::to_time_t(time));
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", utc, since_1970.count() % 1000);
}

}  // namespace

void JsonLogFormatter::format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& line) {
  const Json object{{"time", UtcText(message.time)},
                    {"level", View(spdlog::level::to_string_view(message.level))},
                    {"message", View(message.payload)}};
  constexpr bool kOnlyAscii = true;
  const std::string text = object.dump(-1, ' ', kOnlyAscii, Json::error_handler_t::replace) + "\n";
  line.append(text.data(), text.data() + text.size());
}

std::unique_ptr<spdlog::formatter> JsonLogFormatter::clone() const {
  return std::make_unique<JsonLogFormatter>();
}

}  // namespace switchback
