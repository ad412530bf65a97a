#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "server/bench/bar_chart.hpp"
#include "server/bench/report.hpp"
#include "server/bench/summary.hpp"

namespace switchback::bench {
namespace {

using testing::HasSubstr;
using testing::Not;

RunResult RoundOf(std::uint64_t operations, std::uint64_t latency_ns) {
  RunResult round;
  round.seconds = 1;
  round.operations = operations;
  round.cpu_seconds = 0.5;
  round.latency.counts[HistogramSnapshot::BucketOf(latency_ns)] = operations;
  return round;
}

// True when every element is closed in order, every attribute quoted and every entity known: what
// an XML parser would insist on in a page without processing instructions.
testing::AssertionResult IsWellFormed(const std::string& page) {
  std::vector<std::string> open;
  std::size_t at = page.find('>') + 1;  // behind the document type
  while ((at = page.find_first_of("<>&", at)) != std::string::npos) {
    if (page[at] == '>') return testing::AssertionFailure() << "stray > at " << at;
    if (page[at] == '&') {
      const std::string entity = page.substr(at, page.find(';', at) + 1 - at);
      if (entity != "&amp;" && entity != "&lt;" && entity != "&gt;" && entity != "&quot;" &&
          entity != "&#39;")
        return testing::AssertionFailure() << "entity " << entity;
      ++at;
      continue;
    }
    const std::size_t end = page.find('>', at);
    if (end == std::string::npos) return testing::AssertionFailure() << "tag without end";
    const std::string tag = page.substr(at + 1, end - at - 1);
    if (tag.find('<') != std::string::npos)
      return testing::AssertionFailure() << "tag within tag: " << tag;
    if (std::count(tag.begin(), tag.end(), '"') % 2 != 0)
      return testing::AssertionFailure() << "quotes of " << tag;
    const std::string name = tag.substr(0, tag.find_first_of(" \n/", 1));
    if (tag.front() == '/') {
      if (open.empty() || "/" + open.back() != tag)
        return testing::AssertionFailure() << tag << " closes nothing";
      open.pop_back();
    } else if (tag.back() != '/') {
      open.push_back(name);
    }
    at = end + 1;
  }
  if (!open.empty()) return testing::AssertionFailure() << open.back() << " is not closed";
  return testing::AssertionSuccess();
}

Report ExampleReport() {
  Report report;
  report.title = "A <title> & \"more\"";
  report.machine = {"Some CPU", 2, 8ULL << 30, "Linux 6", "ext4", "0.9.24", "3.40.1", "now"};
  report.settings = {{"records", "1,000"}, {"seed", "1"}};
  Comparison comparison{"A", "half <reads>", "zipfian", {}};
  comparison.targets =
      Summarize({{"legacy", false, {RoundOf(900, 1000)}}, {"lmdb", true, {RoundOf(1000, 900)}}});
  comparison.targets[0].errors = 2;
  comparison.targets[0].first_error = "it's <broken>";
  report.comparisons.push_back(comparison);
  report.figures = {{"routed read", 0.9, "x", 0.85, true, ""},
                    {"flip", 70, "ms", 50, false, "slow & steady"},
                    {"sync", 90, "us", std::nullopt, true, ""}};
  report.remarks = {"measured on a tmpfs"};
  return report;
}

TEST(BenchSummary, MedianTakesTheMiddle) {
  EXPECT_DOUBLE_EQ(Median({}), 0);
  EXPECT_DOUBLE_EQ(Median({5}), 5);
  EXPECT_DOUBLE_EQ(Median({9, 1, 5}), 5);
  EXPECT_DOUBLE_EQ(Median({4, 1, 2, 9}), 3);
}

TEST(BenchSummary, RatiosAreTakenWithinARound) {
  // The machine was twice as fast in the second round; within each round the ratio is 0.5. A ratio
  // of medians would be the same here, but not once the rounds are out of step:
  const std::vector<TargetRounds> targets{
      {"unified", false, {RoundOf(50, 10), RoundOf(100, 10), RoundOf(10, 10)}},
      {"sqlite", true, {RoundOf(100, 10), RoundOf(200, 10), RoundOf(400, 10)}}};

  const auto figures = Summarize(targets);

  EXPECT_DOUBLE_EQ(figures[0].ratio_to.at("sqlite"), 0.5);
  EXPECT_DOUBLE_EQ(figures[1].ratio_to.at("sqlite"), 1.0);
  EXPECT_DOUBLE_EQ(figures[0].operations_per_second, 50);
  EXPECT_EQ(figures[0].rounds, (std::vector<double>{50, 100, 10}));
}

TEST(BenchSummary, ErrorsOfAllRoundsAreKept) {
  RunResult failed = RoundOf(10, 10);
  failed.errors = 3;
  failed.first_error = "no space";

  const auto figures = Summarize({{"legacy", false, {RoundOf(10, 10), failed}}});

  EXPECT_EQ(figures[0].errors, 3U);
  EXPECT_EQ(figures[0].first_error, "no space");
  EXPECT_TRUE(figures[0].ratio_to.empty());
}

TEST(BenchSummary, QuantilesAndCpuComePerOperation) {
  const auto figures = Summarize({{"legacy", false, {RoundOf(1000, 5000)}}});

  EXPECT_NEAR(figures[0].latency_us_p50, 5.0, 0.7);  // a bucket is 12.5 % wide
  EXPECT_DOUBLE_EQ(figures[0].cpu_us_per_operation, 500);
}

TEST(BenchReport, FormatsNumbersForReading) {
  EXPECT_EQ(FormatNumber(0.123), "0.12");
  EXPECT_EQ(FormatNumber(12.34), "12.3");
  EXPECT_EQ(FormatNumber(999), "999");
  EXPECT_EQ(FormatNumber(1000), "1,000");
  EXPECT_EQ(FormatNumber(1234567.8), "1,234,568");
  EXPECT_EQ(FormatNumber(-1234), "-1,234");
}

TEST(BenchReport, GoalsAreReachedFromTheRightSide) {
  EXPECT_TRUE((Figure{"", 2, "", 2, true, ""}).is_reached());
  EXPECT_FALSE((Figure{"", 1.9, "", 2, true, ""}).is_reached());
  EXPECT_TRUE((Figure{"", 2, "", 2, false, ""}).is_reached());
  EXPECT_FALSE((Figure{"", 2.1, "", 2, false, ""}).is_reached());
  EXPECT_TRUE((Figure{"", 0, "", std::nullopt, true, ""}).is_reached());
  EXPECT_FALSE(ExampleReport().AreGoalsReached());
}

TEST(BenchReport, TextShowsTargetsRatiosAndGoals) {
  const std::string text = RenderText(ExampleReport());

  EXPECT_THAT(text, HasSubstr("Workload A, zipfian"));
  EXPECT_THAT(text, HasSubstr("x lmdb"));
  EXPECT_THAT(text, HasSubstr("0.90"));
  EXPECT_THAT(text, HasSubstr("2 failed: it's <broken>"));
  EXPECT_THAT(text, HasSubstr("reached"));
  EXPECT_THAT(text, HasSubstr("MISSED"));
  EXPECT_THAT(text, HasSubstr("LMDB 0.9.24"));
}

TEST(BenchReport, JsonHoldsEveryFigure) {
  const auto json = nlohmann::json::parse(RenderJson(ExampleReport()));

  EXPECT_EQ(json["machine"]["cores"], 2);
  EXPECT_EQ(json["settings"]["records"], "1,000");
  EXPECT_EQ(json["comparisons"][0]["targets"][1]["target"], "lmdb");
  EXPECT_DOUBLE_EQ(json["comparisons"][0]["targets"][0]["ratio_to"]["lmdb"], 0.9);
  EXPECT_EQ(json["figures"][0]["is_reached"], true);
  EXPECT_EQ(json["figures"][1]["goal_is"], "at most");
  EXPECT_FALSE(json["figures"][2].contains("goal"));
}

TEST(BenchReport, JsonSurvivesBytesThatAreNoText) {
  Report report = ExampleReport();
  report.remarks = {"\xff\xfe"};

  EXPECT_TRUE(nlohmann::json::accept(RenderJson(report)));
}

TEST(BenchReport, HtmlIsWellFormedAndEscapesWhatItQuotes) {
  const std::string html = RenderHtml(ExampleReport());

  EXPECT_TRUE(IsWellFormed(html));
  EXPECT_THAT(html, HasSubstr("A &lt;title&gt; &amp; &quot;more&quot;"));
  EXPECT_THAT(html, Not(HasSubstr("<reads>")));
}

TEST(BenchReport, HtmlNeedsNothingFromElsewhere) {
  const std::string html = RenderHtml(ExampleReport());

  EXPECT_THAT(html, Not(HasSubstr("src=")));
  EXPECT_THAT(html, Not(HasSubstr("href=")));
  EXPECT_THAT(html, Not(HasSubstr("url(")));
  EXPECT_THAT(html, Not(HasSubstr("<script")));
  EXPECT_THAT(html, HasSubstr("prefers-color-scheme: dark"));
}

TEST(BenchReport, HtmlDrawsABarForEachTargetAndQuantile) {
  const std::string html = RenderHtml(ExampleReport());

  std::size_t bars = 0;
  for (std::size_t at = html.find("<rect"); at != std::string::npos;
       at = html.find("<rect", at + 1))
    ++bars;
  EXPECT_EQ(bars, 2U * (1 + 4));  // two targets, throughput and four quantiles
}

TEST(BenchReport, TheCheckOfTheTestItselfFindsBrokenPages) {
  EXPECT_FALSE(IsWellFormed("<!DOCTYPE html><p>"));
  EXPECT_FALSE(IsWellFormed("<!DOCTYPE html><p></b>"));
  EXPECT_FALSE(IsWellFormed("<!DOCTYPE html><p>&nbsp;</p>"));
  EXPECT_FALSE(IsWellFormed("<!DOCTYPE html><p class=\"x></p>"));
  EXPECT_TRUE(IsWellFormed("<!DOCTYPE html><p class=\"x\">a &lt; b<br/></p>"));
}

TEST(BenchReport, AnEmptyReportRendersInEveryForm) {
  const Report report;

  EXPECT_TRUE(IsWellFormed(RenderHtml(report)));
  EXPECT_TRUE(nlohmann::json::accept(RenderJson(report)));
  EXPECT_FALSE(RenderText(report).empty());
}

TEST(BenchBarChart, TheLongestBarFillsTheChartAndZeroHasNoLength) {
  const std::string svg =
      RenderSvg({"t", false, {{"a", "1", 1, 0}, {"b", "2", 2, 1}, {"c", "0", 0, 2}}});

  EXPECT_THAT(svg, HasSubstr("width=\"380.0\""));
  EXPECT_THAT(svg, HasSubstr("width=\"190.0\""));
  EXPECT_THAT(svg, HasSubstr("width=\"0.0\""));
}

TEST(BenchBarChart, LogarithmicBarsAreStepsOfDecades) {
  const std::string svg =
      RenderSvg({"t", true, {{"a", "1", 1, 0}, {"b", "10", 10, 0}, {"c", "100", 100, 0}}});

  EXPECT_THAT(svg, HasSubstr("width=\"126.7\""));
  EXPECT_THAT(svg, HasSubstr("width=\"253.3\""));
  EXPECT_THAT(svg, HasSubstr("width=\"380.0\""));
}

TEST(BenchBarChart, EscapesMarkupAndControlCharacters) {
  EXPECT_EQ(EscapeXml("a<b>&\"'\x01"), "a&lt;b&gt;&amp;&quot;&#39; ");
}

TEST(BenchMachine, FindsTheCpuModel) {
  EXPECT_EQ(CpuModelOf("processor\t: 0\nmodel name\t: Fast CPU\nflags: x\n"), "Fast CPU");
  EXPECT_EQ(CpuModelOf(""), "unknown");
  EXPECT_EQ(CpuModelOf("model name\nx: y\n"), "unknown");
}

TEST(BenchMachine, DescribesThisMachine) {
  const MachineInfo machine = DescribeMachine(testing::TempDir());

  EXPECT_GT(machine.cores, 0U);
  EXPECT_GT(machine.memory_bytes, 1U << 20);
  EXPECT_FALSE(machine.file_system.empty());
  EXPECT_THAT(machine.sqlite_version, HasSubstr("3."));
  EXPECT_EQ(machine.measured_at.size(), 20U);
}

}  // namespace
}  // namespace switchback::bench
