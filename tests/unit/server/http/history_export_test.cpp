#include "server/http/history_export.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

Json PageOf(const Json& record) {
  return {{"entries",
           {{{"number", 3},
             {"time", "2026-01-31T12:00:00Z"},
             {"kind", "backup"},
             {"record", record},
             {"hash", "abc"}}}},
          {"head", {{"number", 3}, {"hash", "abc"}}}};
}

TEST(CsvFieldTest, QuotesWhatNeedsIt) {
  EXPECT_EQ(CsvField(""), "");
  EXPECT_EQ(CsvField("plain"), "plain");
  EXPECT_EQ(CsvField("a,b"), "\"a,b\"");
  EXPECT_EQ(CsvField("a \"b\""), "\"a \"\"b\"\"\"");
  EXPECT_EQ(CsvField("a\r\nb"), "\"a\r\nb\"");
}

TEST(CsvFieldTest, NothingIsAFormula) {
  EXPECT_EQ(CsvField("=1+1"), "'=1+1");
  EXPECT_EQ(CsvField("+1"), "'+1");
  EXPECT_EQ(CsvField("-1"), "'-1");
  EXPECT_EQ(CsvField("@SUM(A1)"), "'@SUM(A1)");
  EXPECT_EQ(CsvField("\t=1"), "'\t=1");
  EXPECT_EQ(CsvField("\r=1"), "\"'\r=1\"");
  EXPECT_EQ(CsvField("  =1"), "\"'  =1\"");
  EXPECT_EQ(CsvField("=HYPERLINK(\"http://x\",\"y\")"),
            "\"'=HYPERLINK(\"\"http://x\"\",\"\"y\"\")\"");
  EXPECT_EQ(CsvField("a=1"), "a=1");
}

TEST(MarkdownCellTest, NothingIsMarkup) {
  EXPECT_EQ(MarkdownCell("a|b"), "a\\|b");
  EXPECT_EQ(MarkdownCell("a\nb\r\nc\rd"), "a<br>b<br>c<br>d");
  EXPECT_EQ(MarkdownCell("<script>&"), "&lt;script&gt;&amp;");
  EXPECT_EQ(MarkdownCell("\\|"), "\\\\\\|");
  EXPECT_EQ(MarkdownCell("`x` *b* [l](u) ~s~ a_b"), "\\`x\\` \\*b\\* \\[l\\](u) \\~s\\~ a\\_b");
  EXPECT_EQ(MarkdownCell("bell\x07"), "bell ");
}

TEST(HistoryExportTest, ARowHasAllColumnsWhateverTheRecordIs) {
  for (const Json& record :
       {Json{{"operation", 7},
             {"actor", "=ada"},
             {"reason", "a|b\nc"},
             {"metrics", {{"seconds", 1.5}}}},
        Json{{"audit", 1}, {"action", "pin"}, {"detail", "b1"}},
        Json{{"operation", 7}, {"note", "lesson"}, {"text", "more, disks"}},
        Json{{"metrics", 5}, {"errors", "x"}, {"actor", Json::array()}}, Json::object()}) {
    const Json page = PageOf(record);
    const HistoryTable table = HistoryTableOf(page);
    ASSERT_EQ(table.rows.size(), 1u);
    EXPECT_EQ(table.rows[0].size(), table.columns.size());
    const std::string markdown = HistoryMarkdown(page);
    EXPECT_NE(markdown.find("| 3 | 2026-01-31T12:00:00Z |"), std::string::npos) << markdown;
    EXPECT_NE(markdown.find("Head: entry 3, abc"), std::string::npos);
    EXPECT_EQ(HistoryCsv(page).find("number,time,kind,operation,"), 0u);
  }
}

TEST(HistoryExportTest, TheCsvOfAnOperationSaysWhoAndHowLong) {
  const std::string csv = HistoryCsv(PageOf({{"operation", 7},
                                             {"action", "create"},
                                             {"actor", "=ada"},
                                             {"reason", "two\nlines"},
                                             {"status", "FAILED"},
                                             {"metrics", {{"seconds", 1.5}, {"errors", 1}}},
                                             {"errors", {"no space", "gone"}}}));

  EXPECT_EQ(csv.substr(csv.find('\n') + 1),
            "3,2026-01-31T12:00:00Z,backup,7,create,'=ada,\"two\nlines\",,,FAILED,,,1.5,,,1,,,"
            "\"no space; gone\",abc\r\n");
}

}  // namespace
}  // namespace switchback
