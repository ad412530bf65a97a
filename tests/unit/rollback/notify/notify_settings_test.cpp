#include "rollback/notify/notify_settings.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/expect_ok.hpp"

namespace switchback {
namespace {

using namespace std::chrono_literals;
using Json = nlohmann::ordered_json;
using test::FailsWith;
using test::IsOk;
using testing::ElementsAre;
using testing::IsEmpty;

TEST(ParseSinks, ReadsBothKinds) {
  const auto sinks = test::Must(ParseSinks(Json::parse(R"([
      {"kind": "webhook", "url": "https://h/x", "secret_file": "/s", "events": "all"},
      {"kind": "command", "argv": ["/bin/true", "-x"], "timeout_seconds": 3,
       "events": ["guard.*", "backup.result"]},
      {"kind": "webhook", "name": "chat", "format": "slack", "url_file": "/u"}])")));

  ASSERT_EQ(sinks.size(), 3u);
  EXPECT_EQ(sinks[0].name, "webhook-1");
  EXPECT_THAT(sinks[0].events, IsEmpty());
  EXPECT_EQ(sinks[0].webhook.secret_file, "/s");
  EXPECT_EQ(sinks[1].name, "command-2");
  EXPECT_THAT(sinks[1].command.argv, ElementsAre("/bin/true", "-x"));
  EXPECT_EQ(sinks[1].command.time_max, 3s);
  EXPECT_THAT(sinks[1].events, ElementsAre("guard.*", "backup.result"));
  EXPECT_EQ(sinks[2].name, "chat");
  EXPECT_TRUE(sinks[2].webhook.is_slack);
}

TEST(ParseSinks, RefusesWhatCannotBeMeant) {
  for (const char* list :
       {R"({})", R"([5])", R"([{"kind": "mail"}])", R"([{"kind": "webhook"}])",
        R"([{"kind": "webhook", "url": "ftp://h"}])",
        R"([{"kind": "webhook", "url": "https://user:word@h"}])",
        R"([{"kind": "webhook", "url": "https://h", "url_file": "/u"}])",
        R"([{"kind": "webhook", "url": "https://h", "secret": "x"}])",
        R"([{"kind": "webhook", "url": "https://h", "secret_file": "a", "secret_env": "B"}])",
        R"([{"kind": "webhook", "url": "https://h", "events": ["gaurd.trip"]}])",
        R"([{"kind": "webhook", "url": "https://h", "events": []}])",
        R"([{"kind": "webhook", "url": "https://h", "format": "xml"}])",
        R"([{"kind": "command", "argv": []}])", R"([{"kind": "command", "argv": ["true"]}])",
        R"([{"kind": "command", "argv": ["/bin/a\u0000b"]}])",
        R"([{"kind": "command", "argv": ["/bin/true"], "timeout_seconds": 0}])",
        R"([{"kind": "command", "argv": ["/bin/true"], "name": "a b"}])",
        R"([{"kind": "command", "argv": ["/bin/true"], "name": "x"},
            {"kind": "command", "argv": ["/bin/true"], "name": "x"}])"})
    EXPECT_TRUE(FailsWith(ParseSinks(Json::parse(list)), ErrorCode::kInvalidArgument)) << list;
}

TEST(ParseSinks, HasALimit) {
  const Json sink{{"kind", "command"}, {"argv", {"/bin/true"}}};

  EXPECT_TRUE(IsOk(ParseSinks(Json(kSinkCountMax, sink))));
  EXPECT_FALSE(ParseSinks(Json(kSinkCountMax + 1, sink)));
}

TEST(ChangeRetryPolicy, ChangesWhatIsNamed) {
  RetryPolicy policy;

  EXPECT_TRUE(IsOk(ChangeRetryPolicy(Json::parse(R"({"ms_min": 5, "seconds_max": 9})"), policy)));

  EXPECT_EQ(policy.delay_min, 5ms);
  EXPECT_EQ(policy.delay_max, 300s);
  EXPECT_EQ(policy.age_max, 9s);
  for (const char* wrong : {"5", R"({"ms_min": 0})", R"({"ms_min": -1})", R"({"other": 1})",
                            R"({"ms_min": 100, "ms_max": 10})"})
    EXPECT_FALSE(ChangeRetryPolicy(Json::parse(wrong), policy)) << wrong;
}

}  // namespace
}  // namespace switchback
