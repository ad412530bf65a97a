#include "server/http/access.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/sha256.hpp"
#include "tests/support/shifted_clock.hpp"

namespace switchback {
namespace {

HttpRequest With(std::map<std::string, std::string, std::less<>> headers) {
  HttpRequest request;
  request.method = "GET";
  request.path = "/";
  request.headers = std::move(headers);
  return request;
}

unsigned HostStatus(const AccessOptions& options, const std::string& host) {
  const auto refusal = AccessPolicy(options).CheckHost(With({{"host", host}}));
  return refusal ? refusal->status : 200;
}

TEST(AccessPolicy, AcceptsLoopbackNamesWithAnyPort) {
  for (const char* host : {"localhost", "LocalHost:8080", "127.0.0.1", "127.0.0.1:1", "[::1]",
                           "[::1]:8080", "127.1.2.3:99"})
    EXPECT_EQ(HostStatus({}, host), 200u) << host;
}

TEST(AccessPolicy, RefusesOtherHostsAgainstDnsRebinding) {
  for (const char* host : {"evil.example", "evil.example:8080", "localhost.evil.example",
                           "127.0.0.1.evil.example", "10.0.0.1", "localhost, evil.example",
                           "localhost:80:80", "localhost:port", "[::1", "[::1]x"})
    EXPECT_EQ(HostStatus({}, host), 421u) << host;
}

TEST(AccessPolicy, WantsAHostHeader) {
  const auto refusal = AccessPolicy({}).CheckHost(With({}));

  ASSERT_TRUE(refusal.has_value());
  EXPECT_EQ(refusal->status, 400u);
}

TEST(AccessPolicy, AcceptsTheBindAddressAndTheAllowedHosts) {
  const AccessOptions options{"192.0.2.7", {"Store.example"}, ""};

  EXPECT_EQ(HostStatus(options, "192.0.2.7:8080"), 200u);
  EXPECT_EQ(HostStatus(options, "store.EXAMPLE:8080"), 200u);
  EXPECT_EQ(HostStatus(options, "192.0.2.8:8080"), 421u);
}

TEST(AccessPolicy, AcceptsAnyAddressButNoNameOnAWildcardBind) {
  const AccessOptions options{"0.0.0.0", {}, ""};

  EXPECT_EQ(HostStatus(options, "10.1.2.3:8080"), 200u);
  EXPECT_EQ(HostStatus(options, "[2001:db8::1]:8080"), 200u);
  EXPECT_EQ(HostStatus(options, "evil.example"), 421u);
}

unsigned OriginStatus(std::map<std::string, std::string, std::less<>> headers) {
  headers.emplace("host", "127.0.0.1:8080");
  const auto refusal = AccessPolicy({}).CheckOrigin(With(std::move(headers)));
  return refusal ? refusal->status : 200;
}

TEST(AccessPolicy, AcceptsProgramsAndItsOwnPages) {
  EXPECT_EQ(OriginStatus({}), 200u);
  EXPECT_EQ(OriginStatus({{"sec-fetch-site", "none"}}), 200u);
  EXPECT_EQ(OriginStatus({{"sec-fetch-site", "same-origin"}, {"origin", "http://127.0.0.1:8080"}}),
            200u);
}

TEST(AccessPolicy, RefusesPagesOfOtherSites) {
  EXPECT_EQ(OriginStatus({{"sec-fetch-site", "cross-site"}}), 403u);
  EXPECT_EQ(OriginStatus({{"sec-fetch-site", "same-site"}}), 403u);
  EXPECT_EQ(OriginStatus({{"origin", "http://evil.example"}}), 403u);
  EXPECT_EQ(OriginStatus({{"origin", "http://127.0.0.1:9090"}}), 403u);
  EXPECT_EQ(OriginStatus({{"origin", "null"}}), 403u);
}

std::optional<HttpResponse> Refusal(const AccessPolicy& policy, const HttpRequest& request) {
  auto found = policy.Authenticate(request);
  const auto* refusal = std::get_if<HttpResponse>(&found);
  return refusal == nullptr ? std::nullopt : std::optional(*refusal);
}

unsigned TokenStatus(const std::string& authorization) {
  const AccessPolicy policy({"127.0.0.1", {}, "s3cret"});
  const auto refusal = Refusal(policy, With({{"authorization", authorization}}));
  return refusal ? refusal->status : 200;
}

TEST(AccessPolicy, WantsTheWholeToken) {
  EXPECT_EQ(TokenStatus("Bearer s3cret"), 200u);
  EXPECT_EQ(TokenStatus("bearer s3cret"), 200u);
  for (const char* wrong : {"", "Bearer", "Bearer ", "Bearer s3cre", "Bearer s3crets",
                            "Bearer S3CRET", "s3cret", "Basic s3cret", "Bearer  s3cret"})
    EXPECT_EQ(TokenStatus(wrong), 401u) << wrong;
}

TEST(AccessPolicy, TellsHowToAuthenticate) {
  const auto refusal = Refusal(AccessPolicy({"127.0.0.1", {}, "s3cret"}), With({}));

  ASSERT_TRUE(refusal.has_value());
  ASSERT_EQ(refusal->headers.size(), 1u);
  EXPECT_EQ(refusal->headers[0].first, "WWW-Authenticate");
}

TEST(AccessPolicy, WantsNoTokenWhenNoneIsConfigured) {
  EXPECT_FALSE(Refusal(AccessPolicy({}), With({})).has_value());
}

unsigned ContentTypeStatus(const std::string& method, const std::string& type) {
  HttpRequest request = With({{"content-type", type}});
  request.method = method;
  const auto refusal = AccessPolicy::CheckContentType(request);
  return refusal ? refusal->status : 200;
}

TEST(AccessPolicy, WantsJsonForChanges) {
  EXPECT_EQ(ContentTypeStatus("PUT", "application/json"), 200u);
  EXPECT_EQ(ContentTypeStatus("POST", "Application/JSON; charset=utf-8"), 200u);
  // What a form of another site could send.
  for (const char* type :
       {"", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data",
        "text/plain; application/json", "application/jsonp"})
    EXPECT_EQ(ContentTypeStatus("POST", type), 415u) << type;
  EXPECT_EQ(ContentTypeStatus("GET", ""), 200u);
}

class NamedTokensTest : public testing::Test {
 protected:
  NamedTokensTest() {
    tokens_.Replace({{"ann", AccessRole::kOperator, Sha256Hex("ann's secret token")}});
  }
  std::variant<Principal, HttpResponse> Ask(const std::string& token, const std::string& peer) {
    HttpRequest request = With({{"authorization", "Bearer " + token}});
    request.peer = peer;
    return policy_.Authenticate(request);
  }
  unsigned Status(const std::string& token, const std::string& peer) {
    auto found = Ask(token, peer);
    const auto* refusal = std::get_if<HttpResponse>(&found);
    return refusal == nullptr ? 200 : refusal->status;
  }

  test::ShiftedClock clock_;
  LoginLimiter logins_{clock_};
  TokenRegistry tokens_;
  const AccessPolicy policy_{{"127.0.0.1", {}, "the single one", &tokens_, &logins_}};
};

TEST_F(NamedTokensTest, KnowsWhoseTokenItIs) {
  const auto ann = std::get<Principal>(Ask("ann's secret token", "10.0.0.1"));
  const auto admin = std::get<Principal>(Ask("the single one", "10.0.0.1"));

  EXPECT_EQ(ann.name, "ann");
  EXPECT_EQ(ann.role, AccessRole::kOperator);
  EXPECT_EQ(admin.name, "");
  EXPECT_EQ(admin.role, AccessRole::kAdmin);
  EXPECT_EQ(Status("another", "10.0.0.1"), 401u);
  // A digest is no token.
  EXPECT_EQ(Status(Sha256Hex("ann's secret token"), "10.0.0.1"), 401u);
}

TEST_F(NamedTokensTest, SlowsDownWhoGuessesFromElsewhere) {
  for (unsigned i = 0; i < kFailedLoginsMax; ++i) EXPECT_EQ(Status("guess", "10.0.0.1"), 401u);

  const auto limited = std::get<HttpResponse>(Ask("ann's secret token", "10.0.0.1"));

  EXPECT_EQ(limited.status, 429u);
  EXPECT_THAT(limited.headers, testing::Contains(testing::Key("Retry-After")));
  EXPECT_EQ(Status("ann's secret token", "10.0.0.2"), 200u);
  clock_.Advance(kFailedLoginWindow + std::chrono::seconds(1));
  EXPECT_EQ(Status("ann's secret token", "10.0.0.1"), 200u);
}

TEST_F(NamedTokensTest, NeverLocksOutWhoIsOnTheMachine) {
  for (unsigned i = 0; i < kFailedLoginsMax; ++i) Status("guess", "127.0.0.1");

  EXPECT_EQ(Status("guess", "127.0.0.1"), 429u);
  EXPECT_EQ(Status("ann's secret token", "127.0.0.1"), 200u);
}

TEST(ConstantTimeEqual, ComparesLikeEqual) {
  EXPECT_TRUE(ConstantTimeEqual("", ""));
  EXPECT_TRUE(ConstantTimeEqual("abc", "abc"));
  EXPECT_FALSE(ConstantTimeEqual("abc", "abd"));
  EXPECT_FALSE(ConstantTimeEqual("abcabc", "abc"));
  EXPECT_FALSE(ConstantTimeEqual("abc", ""));
  EXPECT_FALSE(ConstantTimeEqual("", "abc"));
}

}  // namespace
}  // namespace switchback
