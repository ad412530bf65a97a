// The memory of events: order, bounds, and what those who fall behind are told.
#include "service/event_hub.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <nlohmann/json.hpp>
#include <thread>

namespace switchback {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Json = nlohmann::ordered_json;

std::vector<std::uint64_t> Numbers(const EventPage& page) {
  std::vector<std::uint64_t> numbers;
  for (const auto& event : page.events) numbers.push_back(event->number);
  return numbers;
}

void PublishMany(EventHub& hub, int count) {
  for (int i = 1; i <= count; ++i) hub.Publish("backup", {{"i", i}});
}

TEST(EventHub, GivesEventsInOrderWithNumbersFromOne) {
  EventHub hub(SystemClock(), "b");

  hub.Publish("backup", {{"stage", "copy"}});
  hub.Publish("flags", {{"revision", 2}});
  const EventPage page = hub.Since(0, 10);

  EXPECT_THAT(Numbers(page), ElementsAre(1, 2));
  EXPECT_EQ(page.lost, 0u);
  EXPECT_EQ(page.events[0]->topic, "backup");
  EXPECT_EQ(page.events[0]->data, R"({"stage":"copy"})");
  EXPECT_EQ(hub.last_number(), 2u);
}

TEST(EventHub, GivesOnlyWhatIsNewAndAtMostAsMuchAsAskedFor) {
  EventHub hub(SystemClock());
  PublishMany(hub, 10);

  EXPECT_THAT(Numbers(hub.Since(4, 3)), ElementsAre(5, 6, 7));
  EXPECT_TRUE(hub.Since(10, 3).events.empty());
  EXPECT_TRUE(hub.Since(999, 3).events.empty());
}

TEST(EventHub, SaysHowManyAreForgotten) {
  EventHub hub(SystemClock(), "", {.count_max = 3, .bytes_max = 1000});
  PublishMany(hub, 10);

  const EventPage page = hub.Since(2, 10);

  EXPECT_EQ(page.lost, 5u);
  EXPECT_THAT(Numbers(page), ElementsAre(8, 9, 10));
  EXPECT_EQ(hub.Since(7, 10).lost, 0u);
}

TEST(EventHub, IsBoundedInBytesButKeepsTheNewest) {
  EventHub hub(SystemClock(), "", {.count_max = 100, .bytes_max = 50});
  hub.Publish("backup", {{"a", 1}});

  hub.Publish("backup", {{"text", std::string(100, 'x')}});

  EXPECT_THAT(Numbers(hub.Since(0, 10)), ElementsAre(2));
}

TEST(EventHub, ReplacesDataThatIsTooLargeByItsSize) {
  EventHub hub(SystemClock());

  hub.Publish("backup", {{"text", std::string(kEventDataBytesMax, 'x')}});

  EXPECT_THAT(hub.Since(0, 1).events[0]->data, HasSubstr(R"({"too_large_bytes":65)"));
}

TEST(EventHub, DataIsOneLineOfUtf8) {
  EventHub hub(SystemClock());

  hub.Publish("backup", {{"error", "two\nlines \xff"}});

  EXPECT_EQ(hub.Since(0, 1).events[0]->data, "{\"error\":\"two\\nlines \xef\xbf\xbd\"}");
}

TEST(EventHub, ToldApartByTheirBoot) {
  const EventHub one(SystemClock());
  const EventHub other(SystemClock());

  EXPECT_NE(one.boot(), other.boot());
  EXPECT_EQ(one.boot().find_first_not_of("0123456789abcdef"), std::string::npos);
}

TEST(EventHub, WakesSubscribersUntilTheyGo) {
  EventHub hub(SystemClock());
  int first = 0;
  int second = 0;
  auto stays = hub.Subscribe([&] { ++first; });
  {
    auto goes = hub.Subscribe([&] { ++second; });
    EXPECT_EQ(hub.subscriber_count(), 2u);
    PublishMany(hub, 2);
  }

  PublishMany(hub, 1);

  EXPECT_EQ(first, 3);
  EXPECT_EQ(second, 2);
  EXPECT_EQ(hub.subscriber_count(), 1u);
}

TEST(EventHub, ManyPublishersAndASlowReaderAgreeOnEveryEvent) {
  constexpr int kThreads = 4;
  constexpr int kEach = 2000;
  EventHub hub(SystemClock(), "", {.count_max = 64, .bytes_max = 1u << 20});
  std::atomic<int> wakes{0};
  const auto subscription = hub.Subscribe([&] { ++wakes; });
  std::vector<std::thread> publishers;
  for (int t = 0; t < kThreads; ++t) publishers.emplace_back([&] { PublishMany(hub, kEach); });

  std::uint64_t seen = 0;
  std::uint64_t lost = 0;
  std::uint64_t position = 0;
  while (position < kThreads * kEach) {
    const EventPage page = hub.Since(position, 7);
    lost += page.lost;
    seen += page.events.size();
    if (page.events.empty()) continue;
    EXPECT_EQ(page.events.front()->number, position + page.lost + 1);
    position = page.events.back()->number;
  }
  for (std::thread& publisher : publishers) publisher.join();

  EXPECT_EQ(seen + lost, std::uint64_t{kThreads} * kEach);
  EXPECT_EQ(wakes.load(), kThreads * kEach);
}

}  // namespace
}  // namespace switchback
