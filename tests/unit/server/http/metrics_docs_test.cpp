// What is written about metrics is what there is: docs/metrics.md and the alerts beside it against
// the page itself.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "server/http/metrics_page.hpp"
#include "tests/support/temp_dir.hpp"

namespace switchback {
namespace {

using testing::Contains;
using testing::SizeIs;

struct Metric {
  std::string type;
  std::set<std::string> labels;
  friend bool operator==(const Metric&, const Metric&) = default;
  friend void PrintTo(const Metric& metric, std::ostream* out) {
    *out << metric.type;
    for (const std::string& label : metric.labels) *out << " " << label;
  }
};
using Metrics = std::map<std::string, Metric>;

std::vector<std::string> Matches(const std::string& text, const char* pattern) {
  const std::regex regex(pattern);
  std::vector<std::string> found;
  for (std::sregex_iterator match(text.begin(), text.end(), regex), end; match != end; ++match)
    found.push_back((*match)[1]);
  return found;
}

Metrics OnThePage() {
  MetricsInput input;
  input.status.stage = "live";
  input.notifications.resize(1);
  input.notifications[0].name = "webhook-1";
  input.guard.streams = GuardMachine(GuardSettings{}).Streams();
  for (GuardStreamStatus& stream : input.guard.streams) stream.threshold_us = 1000;
  std::istringstream lines(RenderMetrics(input));
  Metrics metrics;
  std::string name;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string hash, keyword;
    words >> hash >> keyword;
    if (keyword == "TYPE") {
      words >> name >> metrics[name].type;
    } else if (hash != "#") {
      for (const std::string& label : Matches(line, "[{,]([a-z_]+)=\""))
        if (label != "le") metrics[name].labels.insert(label);
    }
  }
  return metrics;
}

// Rows of its tables: | `name` | type | `label` `label` | unit | meaning | what to do |
Metrics InTheDocument() {
  std::istringstream lines(test::ReadBytes(SWITCHBACK_SOURCE_DIR "/docs/metrics.md"));
  Metrics metrics;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("| `")) continue;
    std::istringstream cells(line);
    std::vector<std::string> row;
    for (std::string cell; std::getline(cells, cell, '|');) row.push_back(cell);
    EXPECT_THAT(row, SizeIs(7)) << line;
    if (row.size() != 7) continue;
    for (const int index : {4, 5, 6}) EXPECT_NE(row[static_cast<std::size_t>(index)], " ") << line;
    const std::string name = Matches(row[1], "`(.+)`").at(0);
    EXPECT_FALSE(metrics.contains(name)) << name << " is there twice";
    const auto labels = Matches(row[3], "`([a-z_]+)`");
    metrics[name] = {Matches(row[2], "([a-z]+)").at(0), {labels.begin(), labels.end()}};
  }
  return metrics;
}

TEST(MetricsDocument, HasEveryMetricOfThePageAndNoOther) {
  const Metrics page = OnThePage();
  const Metrics document = InTheDocument();

  for (const auto& [name, metric] : page) {
    const auto found = document.find(name);
    if (found == document.end()) {
      ADD_FAILURE() << name << " is missing in docs/metrics.md";
    } else {
      EXPECT_EQ(found->second, metric) << name;
    }
  }
  for (const auto& [name, metric] : document)
    EXPECT_TRUE(page.contains(name)) << name << " is on no page";
  EXPECT_GT(page.size(), 50u);
}

class AlertsTest : public testing::Test {
 protected:
  [[nodiscard]] std::size_t Count(const char* pattern) const {
    return Matches(rules_, pattern).size();
  }
  const std::string rules_ =
      test::ReadBytes(SWITCHBACK_SOURCE_DIR "/docs/prometheus/switchback.rules.yml");
};

TEST_F(AlertsTest, LookAtMetricsThatThereAre) {
  const Metrics page = OnThePage();
  std::set<std::string> names;
  for (const auto& [name, metric] : page) {
    names.insert(name);
    if (metric.type != "histogram") continue;
    for (const char* suffix : {"_bucket", "_sum", "_count"}) names.insert(name + suffix);
  }

  const auto used = Matches(rules_, "\\b((?:switchback|process)_[a-z_]+)");

  EXPECT_GT(used.size(), 20u);
  for (const std::string& name : used) EXPECT_THAT(names, Contains(name));
}

TEST_F(AlertsTest, SaySeverityThresholdAndValueSideBySide) {
  const std::size_t alerts = Count("\n      - (alert): ");

  EXPECT_GT(alerts, 20u);
  EXPECT_EQ(Count("annotations:\n          (severity): \\w+\n          threshold: '.+'\n"
                  "          value: '.*\\$value.*'\n          summary: '.+'\n"
                  "          description: '.+'\n"),
            alerts);
  EXPECT_EQ(Count("labels:\n          (severity): (?:critical|warning)\n"), alerts);
}

}  // namespace
}  // namespace switchback
