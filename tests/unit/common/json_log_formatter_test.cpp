#include "common/json_log_formatter.hpp"

#include <gtest/gtest.h>
#include <spdlog/details/log_msg.h>

#include <nlohmann/json.hpp>
#include <string>

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

std::string LineOf(const std::string& message,
                   spdlog::level::level_enum level = spdlog::level::info,
                   std::chrono::milliseconds time = std::chrono::milliseconds(0)) {
  const spdlog::details::log_msg log(spdlog::log_clock::time_point(time), {}, "switchback", level,
                                     message);
  spdlog::memory_buf_t line;
  JsonLogFormatter().clone()->format(log, line);
  return {line.data(), line.size()};
}

TEST(JsonLogFormatter, MakesOneObjectALine) {
  EXPECT_EQ(LineOf("ready", spdlog::level::info, std::chrono::milliseconds(1769861045678)),
            "{\"time\":\"2026-01-31T12:04:05.678Z\",\"level\":\"info\",\"message\":\"ready\"}\n");
  EXPECT_EQ(Json::parse(LineOf("", spdlog::level::warn))["level"], "warning");
  EXPECT_EQ(Json::parse(LineOf("", spdlog::level::err))["level"], "error");
}

TEST(JsonLogFormatter, NoMessageGetsOutOfItsLine) {
  const std::string hostile[]{"a\"b\\c",
                              "two\nlines\r\n",
                              "{\"level\":\"error\"}",
                              "\x1b[31mred\x7f",
                              std::string("nul\0nul", 7),
                              "\xc3\xa9\xe2\x80\xa8",
                              "\xc2\x9b"
                              "1m"};
  for (const std::string& message : hostile) {
    const std::string line = LineOf(message);

    EXPECT_EQ(Json::parse(line)["message"], message);
    EXPECT_EQ(line.find('\n'), line.size() - 1);
    for (const char c : line.substr(0, line.size() - 1)) EXPECT_TRUE(c >= 0x20 && c < 0x7f) << line;
  }
}

TEST(JsonLogFormatter, BytesThatAreNoTextBecomeASign) {
  EXPECT_EQ(Json::parse(LineOf("a\xff"
                               "b"))["message"],
            "a\xef\xbf\xbd"
            "b");
}

}  // namespace
}  // namespace switchback
