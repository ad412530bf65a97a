// Events as a client reads them, and as people see them.
#include "server/cli/event_parser.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "server/cli/event_text.hpp"

namespace switchback {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Json = nlohmann::ordered_json;

std::vector<std::string> Parse(EventParser& parser, std::string_view bytes) {
  std::vector<std::string> events;
  parser.Feed(bytes, [&](const ReceivedEvent& event) {
    events.push_back(event.id + " " + event.name + " " + event.data);
  });
  return events;
}

constexpr std::string_view kTwo =
    "retry: 2000\r\n: a comment\r\nid: b-1\r\nevent: flags\r\ndata: {}\r\n\r\n"
    "data: one\ndata:two\nunknown\n\n";

TEST(EventParser, ReadsEvents) {
  EventParser parser;

  EXPECT_THAT(Parse(parser, kTwo), ElementsAre("b-1 flags {}", "b-1 message one\ntwo"));
}

TEST(EventParser, ReadsThemByteByByte) {
  EventParser parser;
  std::vector<std::string> events;
  for (const char byte : kTwo) {
    for (const std::string& event : Parse(parser, std::string_view(&byte, 1)))
      events.push_back(event);
  }

  EXPECT_THAT(events, ElementsAre("b-1 flags {}", "b-1 message one\ntwo"));
}

TEST(EventParser, AnIdWithoutDataCounts) {
  EventParser parser;

  EXPECT_THAT(Parse(parser, ": still here\nid: b-9\n\n"), ElementsAre());
  EXPECT_EQ(parser.last_id(), "b-9");
}

TEST(EventParser, KeepsTheIdOverANewConnectionButNothingHalf) {
  EventParser parser;
  Parse(parser, "id: b-1\ndata: x\n\nid: b-2\ndata: hal");

  parser.Reset();

  EXPECT_EQ(parser.last_id(), "b-1");
  EXPECT_THAT(Parse(parser, "data: y\n\n"), ElementsAre("b-1 message y"));
}

TEST(EventParser, ALineWithoutEndIsGivenUp) {
  EventParser parser;
  Parse(parser, std::string(EventParser::kLineBytesMax + 1, 'x'));

  EXPECT_THAT(Parse(parser, "\n\ndata: y\n\n"), ElementsAre());
}

TEST(EventText, ShowsWhatPeopleLookFor) {
  EXPECT_EQ(DescribeEvent("backup", {{"time", "T"},
                                     {"state", "running"},
                                     {"operation", "create"},
                                     {"id", "b1"},
                                     {"stage", "copy"},
                                     {"percent", 45.5},
                                     {"eta_seconds", 3}}),
            "T  backup     create b1: running, copy, 45.5 %, 3 s left");
  EXPECT_EQ(
      DescribeEvent("follower",
                    {{"time", "T"}, {"role", "unified"}, {"state", "failed"}, {"reason", "disk"}}),
      "T  follower   unified: failed, disk");
  EXPECT_EQ(DescribeEvent("operation",
                          {{"time", "T"}, {"kind", "schema"}, {"id", 3}, {"status", "done"}}),
            "T  operation  schema 3: done");
  EXPECT_THAT(DescribeEvent("flags", {{"flag_revision", 2}, {"effective_percentage", 25.0}}),
              HasSubstr("revision 2: 0 % asked for, 25 % in effect"));
  EXPECT_EQ(DescribeEvent("lost", {{"time", "T"}, {"missed", 7}}),
            "T  lost       7 events were missed");
  EXPECT_EQ(DescribeEvent("x", Json(nullptr)), "x: not an event of ours");
}

}  // namespace
}  // namespace switchback
