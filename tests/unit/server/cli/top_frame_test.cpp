#include "server/cli/top/top_frame.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace switchback {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;

using Json = nlohmann::ordered_json;

Json Operation(double rate, double p99_us, int errors = 0) {
  return {{"per_second", rate}, {"errors", errors}, {"p50_us", p99_us / 2}, {"p99_us", p99_us}};
}

TopSample Sample() {
  TopSample sample;
  sample.time = "12:03:04";
  sample.status = Json::parse(R"({"version": "0.1.0", "uptime_seconds": 61, "stage": "live",
      "last_sequence": 1234, "routing": {"desired_percentage": 25, "effective_percentage": 0,
      "reason": "unified is catching-up"}, "followers": {"legacy": {"engine": "lmdb",
      "state": "in-sync"}, "unified": {"engine": "sqlite", "state": "failed",
      "reason": "the disk is full", "lag_batches": 17}}})");
  sample.comparison["of_late"]["operations"] = {
      {"get", {{"legacy", Operation(1234, 12)}, {"unified", Operation(5, 90000)}}},
      {"apply", {{"legacy", Operation(2, 500)}}},
      {"scan", {{"unified", Operation(9000, 3, 4)}}}};
  sample.comparison["guard"] = Json::parse(R"({"state": "tripped", "trips": 1,
      "latched": {"reason": "errors"}, "streams": [{"stream": "errors", "sum": 18.5,
      "limit": 18.42}, {"stream": "mismatches", "sum": 0, "limit": 18.42}]})");
  sample.history["entries"] = Json::parse(R"([{"time": "2026-01-31T12:00:00Z", "kind": "audit",
      "record": {"actor": "ann", "action": "flag.set", "detail": "25 %"}}])");
  return sample;
}

std::vector<std::string> Frame(const TopSample& sample, const TopView& view) {
  std::vector<std::string> lines;
  for (const TopLine& line : TopFrame(&sample, view)) lines.push_back(line.text);
  return lines;
}

std::size_t PlaceOf(const std::vector<std::string>& lines, const std::string& begin) {
  for (std::size_t i = 0; i < lines.size(); ++i)
    if (lines[i].starts_with(begin)) return i;
  return lines.size();
}

TEST(TopFrame, ShowsBothRolesSideBySide) {
  const auto lines = Frame(Sample(), {.rows = 0});

  EXPECT_THAT(lines, Contains(HasSubstr("stage live   flag 25 % asked, 0 % in effect")));
  EXPECT_THAT(lines, Contains(HasSubstr("routing: unified is catching-up")));
  EXPECT_THAT(lines, Contains(HasSubstr("the disk is full")));
  EXPECT_THAT(lines, Contains("get           1,234      0     6 us    12 us       5.0      0    45 "
                              "ms    90 ms"));
  EXPECT_THAT(lines, Contains(HasSubstr("guard tripped   trips 1   LATCHED: errors")));
  EXPECT_THAT(lines, Contains(HasSubstr("errors        18.5/18.4  [########]")));
  EXPECT_THAT(lines, Contains("01-31 12:00:00  flag.set  25 %  ann"));
}

TEST(TopFrame, WhatIsBadStandsOut) {
  const TopSample sample = Sample();
  const auto style_of = [&](const std::string& begin) {
    for (const TopLine& line : TopFrame(&sample, {.rows = 0})) {
      if (line.text.starts_with(begin)) return line.style;
    }
    return TopStyle::kHead;
  };

  for (const char* bad : {"unified", "scan", "guard", "  errors"})
    EXPECT_EQ(style_of(bad), TopStyle::kBad) << bad;
  for (const char* fine : {"legacy", "get"}) EXPECT_EQ(style_of(fine), TopStyle::kPlain) << fine;
}

TEST(TopFrame, SortsOperations) {
  const auto order = [](TopSort sort, std::optional<Role> focus) {
    TopView view;
    view.rows = 0;
    view.sort = sort;
    view.focus = focus;
    const auto lines = Frame(Sample(), view);
    return std::vector{PlaceOf(lines, "apply"), PlaceOf(lines, "get"), PlaceOf(lines, "scan")};
  };
  const auto by_name = order(TopSort::kName, std::nullopt);
  EXPECT_TRUE(by_name[0] < by_name[1] && by_name[1] < by_name[2]);
  const auto by_rate = order(TopSort::kRate, std::nullopt);
  EXPECT_TRUE(by_rate[2] < by_rate[1] && by_rate[1] < by_rate[0]);
  const auto by_p99 = order(TopSort::kP99, std::nullopt);
  EXPECT_TRUE(by_p99[1] < by_p99[0] && by_p99[0] < by_p99[2]);
  const auto legacy = order(TopSort::kP99, Role::kLegacy);
  EXPECT_TRUE(legacy[0] < legacy[1] && legacy[1] < legacy[2]);
}

TEST(TopFrame, StaysOnTheScreen) {
  for (const std::size_t columns : {1u, 20u, 50u, 79u, 80u, 300u}) {
    for (const std::size_t rows : {1u, 2u, 5u, 24u, 100u}) {
      TopView view;
      view.columns = columns;
      view.rows = rows;
      const auto lines = Frame(Sample(), view);
      EXPECT_LE(lines.size(), rows);
      for (const std::string& line : lines) EXPECT_LE(line.size(), columns);
    }
  }
}

TEST(TopFrame, NothingFromTheServerReachesTheTerminalAsACommand) {
  TopSample sample = Sample();
  sample.history["entries"][0]["record"]["actor"] =
      "a\x1b]0;x\x07\r\n\x9b"
      "31m J\xc3\xbcrgen";

  const auto lines = Frame(sample, {.rows = 0});

  EXPECT_THAT(lines, Contains(HasSubstr("a?]0;x???31m J?rgen")));
  for (const std::string& line : lines) {
    for (const char c : line) EXPECT_TRUE(c >= ' ' && c <= '~') << line;
  }
}

TEST(TopFrame, ManagesWithoutAnyDocument) {
  const TopSample nothing;
  EXPECT_FALSE(TopFrame(&nothing, {}).empty());
  TopSample strange;
  strange.status = Json::array({1});
  strange.comparison = {{"guard", {{"state", 1}, {"streams", 5}}}, {"of_late", "x"}};
  strange.history = {{"entries", {1, "x", nullptr}}};
  EXPECT_FALSE(TopFrame(&strange, {}).empty());
}

TEST(TopFrame, SaysThatNobodyAnswers) {
  TopView view;
  view.server = "http://x";
  EXPECT_THAT(TopFrame(nullptr, view)[0].text, HasSubstr("asking http://x"));
  view.trouble = "connection refused";
  EXPECT_THAT(TopFrame(nullptr, view)[0].text, HasSubstr("NO ANSWER: connection refused"));
  EXPECT_THAT(Frame(Sample(), view), Contains(HasSubstr("NO ANSWER")));
  EXPECT_THAT(Frame(Sample(), view), Contains(HasSubstr("stage live")));
}

TEST(TopFrame, HelpNamesTheKeys) {
  TopView view;
  view.is_help = true;

  const auto lines = Frame(Sample(), view);

  EXPECT_THAT(lines, Contains(HasSubstr("q       quit")));
  EXPECT_THAT(lines, Not(Contains(HasSubstr("stage live"))));
}

}  // namespace
}  // namespace switchback
