// Events as the bytes that a client gets.
#include "server/http/event_stream.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "server/http/event_feed.hpp"
#include "tests/support/expect_ok.hpp"

namespace switchback {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
using Json = nlohmann::ordered_json;

// Always the same moment.
class StillClock final : public Clock {
 public:
  [[nodiscard]] SteadyTime Now() const override { return {}; }
  [[nodiscard]] WallTime WallNow() const override {
    return WallTime(std::chrono::milliseconds(1234));
  }
};

class EventStreamTest : public testing::Test {
 protected:
  std::unique_ptr<EventStream> Make(EventStreamOptions options = {}) {
    options.is_ending = &is_ending_;
    options.state_now = [] { return std::string(R"({"now":1})"); };
    return std::make_unique<EventStream>(hub_, clock_, std::move(options));
  }
  static std::string TakeAll(EventStream& stream) {
    std::string all;
    while (true) {
      const auto piece = stream.Take();
      if (piece.bytes.empty()) return all;
      all += piece.bytes;
    }
  }

  StillClock clock_;
  std::atomic<bool> is_ending_{false};
  EventHub hub_{clock_, "b00", {.count_max = 100, .bytes_max = 1u << 20}};
};

TEST_F(EventStreamTest, BeginsWithHelloAndTheState) {
  EventStreamOptions options;
  options.after = 3;
  options.state = R"({"flags":{}})";
  auto stream = Make(options);

  const auto piece = stream->Take();

  EXPECT_THAT(piece.bytes, StartsWith("retry: 2000\nid: b00-3\nevent: hello\n"
                                      "data: {\"time\":\"1970-01-01T00:00:01.234Z\",\"version\":"));
  EXPECT_THAT(piece.bytes, HasSubstr(R"("is_resumed":false,"state":{"flags":{}}})"));
  EXPECT_TRUE(stream->Take().bytes.empty());
}

TEST_F(EventStreamTest, WritesAnEventAsIdNameAndOneLineOfData) {
  auto stream = Make();
  TakeAll(*stream);
  hub_.Publish("backup", {{"stage", "co\npy"}});
  hub_.Publish("verify", Json::object());

  EXPECT_EQ(TakeAll(*stream),
            "id: b00-1\nevent: backup\n"
            "data: {\"time\":\"1970-01-01T00:00:01.234Z\",\"stage\":\"co\\npy\"}\n\n"
            "id: b00-2\nevent: verify\ndata: {\"time\":\"1970-01-01T00:00:01.234Z\"}\n\n");
}

TEST_F(EventStreamTest, SendsTheTopicsThatAreWantedAndWhatConcernsTheServer) {
  EventStreamOptions options;
  options.topics = {"flags"};
  auto stream = Make(options);
  for (const char* topic : {"backup", "flags", "server"}) hub_.Publish(topic, {{"of", topic}});

  const std::string bytes = TakeAll(*stream);

  EXPECT_THAT(bytes, HasSubstr("event: flags"));
  EXPECT_THAT(bytes, HasSubstr("event: server"));
  EXPECT_THAT(bytes, Not(HasSubstr("event: backup")));
}

TEST_F(EventStreamTest, GoesOnBehindTheLastEventThatTheClientHas) {
  for (int i = 1; i <= 5; ++i) hub_.Publish("flags", {{"i", i}});
  EventStreamOptions options;
  options.after = 3;
  options.is_resumed = true;
  auto stream = Make(options);

  const std::string bytes = TakeAll(*stream);

  EXPECT_THAT(bytes, HasSubstr(R"("is_resumed":true})"));
  EXPECT_THAT(bytes, Not(HasSubstr("state")));
  EXPECT_THAT(bytes, Not(HasSubstr("\"i\":3")));
  EXPECT_THAT(bytes, HasSubstr("\"i\":4"));
  EXPECT_THAT(bytes, HasSubstr("\"i\":5"));
}

TEST_F(EventStreamTest, TellsASlowClientOnceHowManyItMissed) {
  auto stream = Make();
  TakeAll(*stream);
  for (int i = 1; i <= 250; ++i) hub_.Publish("flags", {{"i", i}});

  const std::string bytes = TakeAll(*stream);

  EXPECT_THAT(bytes, StartsWith("id: b00-150\nevent: lost\n"));
  EXPECT_THAT(bytes, HasSubstr(R"("missed":150,"state":{"now":1}})"));
  EXPECT_EQ(bytes.find("event: lost", 20), std::string::npos);
  EXPECT_THAT(bytes, HasSubstr("\"i\":151}"));
  EXPECT_THAT(bytes, HasSubstr("\"i\":250}"));
}

TEST_F(EventStreamTest, APieceIsBounded) {
  auto stream = Make();
  for (int i = 0; i < 20; ++i) hub_.Publish("flags", {{"text", std::string(20000, 'x')}});

  EXPECT_LT(stream->Take().bytes.size(), kEventPieceBytesMax + 21000);
  EXPECT_LT(stream->Take().bytes.size(), kEventPieceBytesMax + 21000);
  EXPECT_THAT(TakeAll(*stream), HasSubstr("id: b00-20\n"));
}

TEST_F(EventStreamTest, WakesOnceForABurst) {
  auto stream = Make();
  int wakes = 0;
  stream->Open([&] { ++wakes; });
  TakeAll(*stream);

  for (int i = 0; i < 5; ++i) hub_.Publish("flags", {{"i", i}});
  EXPECT_EQ(wakes, 1);
  TakeAll(*stream);
  hub_.Publish("flags", {{"i", 5}});
  EXPECT_EQ(wakes, 2);
  stream.reset();
  EXPECT_EQ(hub_.subscriber_count(), 0u);
}

TEST_F(EventStreamTest, AHeartbeatMovesTheIdPastWhatWasLeftOut) {
  EventStreamOptions options;
  options.topics = {"flags"};
  auto stream = Make(options);
  hub_.Publish("backup", Json::object());
  TakeAll(*stream);

  EXPECT_EQ(stream->Heartbeat(), ": still here\nid: b00-1\n\n");
}

TEST_F(EventStreamTest, EndsBehindWhatWasPublishedBefore) {
  auto stream = Make();
  hub_.Publish("server", {{"state", "stopping"}});
  is_ending_ = true;

  const auto piece = stream->Take();

  EXPECT_THAT(piece.bytes, HasSubstr("stopping"));
  EXPECT_TRUE(piece.is_last);
}

TEST(EventId, IsOnlyKnownOfTheSameBoot) {
  EXPECT_EQ(ParseEventId("b00-12", "b00"), 12u);
  for (const char* id :
       {"", "b00", "b00-", "b01-12", "b00-x", "b00-1x", "b00--1", "12", "b00-99999999999999999999"})
    EXPECT_EQ(ParseEventId(id, "b00"), std::nullopt) << id;
}

class EventFeedTest : public EventStreamTest {
 protected:
  std::string Hello(std::string_view last_event_id) {
    auto stream = test::Must(feed_.Open("", last_event_id));
    return stream->Take().bytes;
  }

  int revision_ = 1;
  ProgressWatcher watcher_{hub_, {{"flags", "", [this] {
                                     return std::vector<Json>{{{"revision", revision_}}};
                                   }}}};
  EventFeed feed_{hub_, watcher_, clock_, 2};
};

TEST_F(EventFeedTest, LetsInAsManyAsThereArePlaces) {
  auto first = test::Must(feed_.Open("flags,backup", ""));
  auto second = test::Must(feed_.Open("", ""));

  const auto third = feed_.Open("", "");

  ASSERT_FALSE(third.has_value());
  EXPECT_EQ(third.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(feed_.open_count(), 2u);
  first.reset();
  EXPECT_TRUE(feed_.Open("", "").has_value());
}

TEST_F(EventFeedTest, RefusesTopicsThatThereAreNot) {
  for (const char* topics : {"nonsense", "flags,", ",flags,,", "hello", "Flags"}) {
    const auto opened = feed_.Open(topics, "");
    if (std::string_view(topics) == "flags,") continue;
    ASSERT_FALSE(opened.has_value()) << topics;
    EXPECT_EQ(opened.error().code, ErrorCode::kInvalidArgument);
  }
  EXPECT_EQ(feed_.open_count(), 0u);
}

TEST_F(EventFeedTest, KnowsWhoComesBackAndWhoIsNew) {
  EXPECT_THAT(Hello(""), HasSubstr(R"("is_resumed":false,"state":{"flags":{"revision":1}})"));
  revision_ = 2;
  EXPECT_THAT(Hello("b00-0"), HasSubstr(R"("is_resumed":true)"));
  EXPECT_THAT(Hello("b00-0"), HasSubstr(R"("revision":2)")) << "what changed meanwhile";
  EXPECT_THAT(Hello("b00-99"), HasSubstr(R"("is_resumed":false)")) << "a number to come";
  EXPECT_THAT(Hello("other-0"), HasSubstr(R"("is_resumed":false)"));
}

TEST_F(EventFeedTest, AtItsEndTellsEverybodyAndLetsNobodyIn) {
  auto stream = test::Must(feed_.Open("flags", ""));

  feed_.Stop();

  const auto piece = stream->Take();
  EXPECT_THAT(piece.bytes, HasSubstr(R"("state":"stopping")"));
  EXPECT_TRUE(piece.is_last);
  EXPECT_FALSE(feed_.Open("", "").has_value());
}

}  // namespace
}  // namespace switchback
