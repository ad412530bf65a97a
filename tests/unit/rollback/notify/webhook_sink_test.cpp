#include "rollback/notify/webhook_sink.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/sha256.hpp"
#include "migration/journal.hpp"
#include "tests/support/expect_ok.hpp"
#include "tests/support/temp_dir.hpp"

namespace switchback {
namespace {

using namespace std::chrono_literals;
using test::FailsWith;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
using Kind = SinkOutcome::Kind;

class FixedClock final : public Clock {
 public:
  [[nodiscard]] SteadyTime Now() const override { return {}; }
  [[nodiscard]] WallTime WallNow() const override { return *ParseUtc("2026-11-21T10:00:00Z"); }
};

// Keeps the last call; answers what it is told to.
class FakeTransport final : public HttpTransport {
 public:
  struct Line {
    HttpCall call;
    Result<HttpReply> answer = HttpReply{204, {}, ""};
  };
  explicit FakeTransport(Line& line) : line_(line) {}
  Result<HttpReply> Perform(const HttpCall& call, std::uint64_t&) override {
    line_.call = call;
    line_.call.step = {};
    SB_RETURN_IF_ERROR(call.step(0));
    return line_.answer;
  }

 private:
  Line& line_;
};

class WebhookSinkTest : public testing::Test {
 protected:
  SinkOutcome Send(const WebhookOptions& options, bool is_cancelled = false) {
    WebhookSink sink(options, clock_, std::make_unique<FakeTransport>(line_));
    Notification notification;
    notification.id = "id1";
    notification.kind = "guard.trip";
    notification.title = "Trip";
    return sink.Send(notification, [=] { return is_cancelled; });
  }
  SinkOutcome Answered(long status, std::map<std::string, std::string> headers = {}) {
    line_.answer = HttpReply{status, std::move(headers), ""};
    return Send(Plain());
  }
  static WebhookOptions Plain() {
    WebhookOptions options;
    options.url = "https://hooks.example/path?token=s3cret";
    return options;
  }

  FixedClock clock_;
  test::TempDir folder_;
  FakeTransport::Line line_;
};

// RFC 4231, test cases 1, 2 and 6.
TEST(HmacSha256, GivesTheKnownValues) {
  EXPECT_EQ(HmacSha256Hex(std::string(20, '\x0b'), "Hi There"),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(HmacSha256Hex("Jefe", "what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(HmacSha256Hex(std::string(131, '\xaa'),
                          "Test Using Larger Than Block-Size Key - Hash Key First"),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(SignWebhook, SignsTheTimeAndTheBody) {
  EXPECT_EQ(SignWebhook("key", "1700000000", "{}"), HmacSha256Hex("key", "1700000000.{}"));
  EXPECT_NE(SignWebhook("key", "1700000001", "{}"), SignWebhook("key", "1700000000", "{}"));
}

TEST_F(WebhookSinkTest, PostsTheNotificationSigned) {
  WebhookOptions options = Plain();
  options.secret_file = folder_.File("secret");
  test::WriteBytes(options.secret_file, "hush\n");

  const SinkOutcome outcome = Send(options);

  EXPECT_EQ(outcome.kind, Kind::kDelivered);
  EXPECT_EQ(outcome.text, "status 204");
  EXPECT_EQ(line_.call.method, "POST");
  EXPECT_EQ(line_.call.url, options.url);
  EXPECT_EQ(ParseNotification(line_.call.text)->title, "Trip");
  EXPECT_THAT(line_.call.headers, Contains("X-Switchback-Id: id1"));
  EXPECT_THAT(line_.call.headers, Contains("X-Switchback-Timestamp: 1795255200"));
  EXPECT_THAT(line_.call.headers, Contains("X-Switchback-Signature: sha256=" +
                                           HmacSha256Hex("hush", "1795255200." + line_.call.text)));
}

TEST_F(WebhookSinkTest, WithoutASecretNothingIsSigned) {
  Send(Plain());

  EXPECT_THAT(line_.call.headers, Not(Contains(StartsWith("X-Switchback-Signature"))));
}

TEST_F(WebhookSinkTest, AMissingSecretSendsNothing) {
  WebhookOptions options = Plain();
  options.secret_file = folder_.File("none");
  EXPECT_EQ(Send(options).kind, Kind::kFailed);
  options.secret_file.clear();
  options.secret_env = "SWITCHBACK_TEST_NO_SUCH_SECRET";
  EXPECT_EQ(Send(options).kind, Kind::kFailed);

  EXPECT_EQ(line_.call.url, "");
}

TEST_F(WebhookSinkTest, TheAddressMayComeFromAFileAndIsNotShown) {
  WebhookOptions options;
  options.url_file = folder_.File("url");
  test::WriteBytes(options.url_file, "https://hooks.example/T000/B000/XXX\n");

  Send(options);

  EXPECT_EQ(line_.call.url, "https://hooks.example/T000/B000/XXX");
  EXPECT_EQ(WebhookSink(options, clock_).target(), "https://hooks.example:443");
}

TEST_F(WebhookSinkTest, SlackGetsItsOwnForm) {
  WebhookOptions options = Plain();
  options.is_slack = true;

  Send(options);

  EXPECT_THAT(line_.call.text, StartsWith("{\"text\":"));
}

TEST_F(WebhookSinkTest, StatusesAreJudged) {
  for (const long status : {200L, 202L, 299L}) EXPECT_EQ(Answered(status).kind, Kind::kDelivered);
  for (const long status : {301L, 307L, 400L, 401L, 404L, 410L, 422L})
    EXPECT_EQ(Answered(status).kind, Kind::kRefused) << status;
  for (const long status : {408L, 429L, 500L, 503L, 599L})
    EXPECT_EQ(Answered(status).kind, Kind::kFailed) << status;
}

TEST_F(WebhookSinkTest, RetryAfterIsSecondsOrADate) {
  EXPECT_EQ(Answered(503, {{"retry-after", "120"}}).retry_after, 120s);
  EXPECT_EQ(Answered(429, {{"retry-after", "Sat, 21 Nov 2026 10:02:00 GMT"}}).retry_after, 120s);
  EXPECT_EQ(Answered(429, {{"retry-after", "Sat, 21 Nov 2026 09:00:00 GMT"}}).retry_after, 0s);
  EXPECT_EQ(Answered(503, {{"retry-after", "soon"}}).retry_after, std::nullopt);
  EXPECT_EQ(Answered(503).retry_after, std::nullopt);
}

TEST_F(WebhookSinkTest, NoAnswerIsWorthAnotherAttempt) {
  line_.answer = Fail(ErrorCode::kUnavailable, "Connection refused");
  EXPECT_EQ(Send(Plain()).kind, Kind::kFailed);
  EXPECT_EQ(Send(Plain(), true).kind, Kind::kFailed) << "cancelled";
}

TEST(OriginOf, ShowsNoSecretsAndTakesNone) {
  EXPECT_EQ(test::Must(OriginOf("https://hooks.example/a?b=c")), "https://hooks.example:443");
  EXPECT_EQ(test::Must(OriginOf("http://127.0.0.1:8065/x")), "http://127.0.0.1:8065");
  for (const char* url : {"", "hooks", "file:///etc/passwd", "ftp://a/b", "https://u:p@host/"})
    EXPECT_TRUE(FailsWith(OriginOf(url), ErrorCode::kInvalidArgument)) << url;
}

}  // namespace
}  // namespace switchback
