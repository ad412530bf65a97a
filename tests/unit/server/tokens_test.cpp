// Named tokens, their file, and what slows down who guesses.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "common/sha256.hpp"
#include "server/access/file_poller.hpp"
#include "server/access/login_limiter.hpp"
#include "server/access/token_file.hpp"
#include "server/access/token_registry.hpp"
#include "tests/support/expect_ok.hpp"
#include "tests/support/shifted_clock.hpp"
#include "tests/support/temp_dir.hpp"

namespace switchback {
namespace {

using testing::HasSubstr;
using testing::Not;

const std::string kSecret = "a secret of good length";

std::string File(const std::string& entries) {
  return R"({"tokens": [)" + entries + "]}";
}

TEST(TokenFile, TakesDigestsAndTokens) {
  const std::string token = "abcdefghijklmnop";
  const auto tokens = test::Must(
      ParseTokens(File(R"({"name": "ann", "role": "viewer", "token": ")" + token + R"("},)" +
                       R"({"name": "bob@x", "role": "admin", "comment": "on call", "sha256": ")" +
                       Sha256Hex(kSecret) + R"("})")));

  ASSERT_EQ(tokens.size(), 2u);
  EXPECT_EQ(tokens[0].digest, Sha256Hex(token));
  EXPECT_EQ(tokens[1].role, AccessRole::kAdmin);
  EXPECT_EQ(tokens[1].digest, Sha256Hex(kSecret));
}

TEST(TokenFile, RefusesWhatIsUnclearAndTellsNoSecret) {
  const std::string digest = R"("sha256": ")" + Sha256Hex(kSecret) + R"(")";
  for (const std::string& text :
       {std::string(R"({"tokens": [{"token": "short-secret")"), std::string("short-secret"),
        std::string("[]"), std::string("{}"), std::string(R"({"tokens": {}})"),
        std::string(R"({"tokens": [], "more": 1})"), File("1"), File(R"({"name": "a"})"),
        File(R"({"name": "a", "role": "root", )" + digest + "}"),
        File(R"({"name": "a b", "role": "admin", )" + digest + "}"),
        File(R"({"name": "default", "role": "admin", )" + digest + "}"),
        File(R"({"name": "a", "role": "admin", "sha256": "ABC"})"),
        File(R"({"name": "a", "role": "admin", "token": "short-secret"})"),
        File(R"({"name": "a", "role": "admin", "token": "short-secret", )" + digest + "}"),
        File(R"({"name": "a", "role": "admin", "expires": 1, )" + digest + "}"),
        File(R"({"name": "a", "role": "admin", )" + digest +
             R"(}, {"name": "a", "role": "admin", )" + R"("token": "abcdefghijklmnop"})"),
        File(R"({"name": "a", "role": "admin", )" + digest +
             R"(}, {"name": "b", "role": "admin", )" + digest + "}")}) {
    const auto tokens = ParseTokens(text);
    ASSERT_FALSE(tokens.has_value()) << text;
    EXPECT_EQ(tokens.error().code, ErrorCode::kInvalidArgument) << text;
    EXPECT_THAT(tokens.error().message, Not(HasSubstr("short-secret")));
  }
}

class TokenFileOnDisk : public testing::Test {
 protected:
  void Write(const std::string& text, mode_t mode = 0600) {
    std::ofstream(path_) << text;
    ::chmod(path_.c_str(), mode);
  }
  test::TempDir directory_;
  const std::string path_ = directory_.path() + "/tokens.json";
};

TEST_F(TokenFileOnDisk, MustNotBeReadByOthers) {
  Write(File(""), 0640);

  const auto tokens = LoadTokenFile(path_);

  ASSERT_FALSE(tokens.has_value());
  EXPECT_EQ(tokens.error().code, ErrorCode::kRefused);
  EXPECT_THAT(tokens.error().message, HasSubstr("chmod 600"));
}

TEST_F(TokenFileOnDisk, IsReadAndMissed) {
  EXPECT_EQ(LoadTokenFile(path_).error().code, ErrorCode::kNotFound);
  const std::string token = test::Must(NewToken());
  Write(File(TokenFileLine("ann", AccessRole::kOperator, token)));

  const auto tokens = test::Must(LoadTokenFile(path_));

  ASSERT_EQ(tokens.size(), 1u);
  EXPECT_EQ(tokens[0].name, "ann");
  EXPECT_EQ(token.size(), 43u);
  EXPECT_NE(test::Must(NewToken()), token);
}

TEST_F(TokenFileOnDisk, APollerNoticesNewContentOnce) {
  int changes = 0;
  FilePoller poller;
  poller.Watch({path_}, [&] { ++changes; });

  poller.Look();
  EXPECT_EQ(changes, 0);
  Write(File(""));
  poller.Look();
  poller.Look();
  EXPECT_EQ(changes, 1);
  ASSERT_EQ(::rename(path_.c_str(), (path_ + ".old").c_str()), 0);
  poller.Look();
  EXPECT_EQ(changes, 2);
}

TEST(TokenRegistry, FindsByTokenAndByName) {
  TokenRegistry registry;
  registry.Replace({{"ann", AccessRole::kViewer, Sha256Hex(kSecret)}});

  EXPECT_EQ(registry.Find(kSecret)->name, "ann");
  EXPECT_TRUE(registry.Find("ann", kSecret).has_value());
  EXPECT_FALSE(registry.Find("bob", kSecret).has_value());
  EXPECT_FALSE(registry.Find("").has_value());
  EXPECT_FALSE(registry.Find(Sha256Hex(kSecret)).has_value());
}

TEST(TokenRegistry, KnowsWhichTokensAreInForceStill) {
  TokenRegistry registry;
  registry.Replace({{"ann", AccessRole::kOperator, Sha256Hex(kSecret)}});
  const Principal ann = *registry.Find(kSecret);
  const std::uint64_t before = registry.generation();

  EXPECT_TRUE(registry.IsInForce(ann));
  registry.Replace({{"ann", AccessRole::kViewer, Sha256Hex(kSecret)}});

  EXPECT_NE(registry.generation(), before);
  EXPECT_FALSE(registry.IsInForce(ann));
}

TEST(LoginLimiter, CountsByAddressAndForgets) {
  test::ShiftedClock clock;
  LoginLimiter limiter(clock);
  for (unsigned i = 0; i + 1 < kFailedLoginsMax; ++i) limiter.CountFailure("10.0.0.1");
  EXPECT_FALSE(limiter.WaitOf("10.0.0.1").has_value());

  limiter.CountFailure("10.0.0.1");

  ASSERT_TRUE(limiter.WaitOf("10.0.0.1").has_value());
  EXPECT_LE(limiter.WaitOf("10.0.0.1")->count(), 61);
  EXPECT_FALSE(limiter.WaitOf("10.0.0.2").has_value());
  clock.Advance(kFailedLoginWindow);
  EXPECT_FALSE(limiter.WaitOf("10.0.0.1").has_value());
}

TEST(LoginLimiter, TakesANetworkOfIpv6ForOneAddress) {
  test::ShiftedClock clock;
  LoginLimiter limiter(clock);
  for (unsigned i = 0; i < kFailedLoginsMax; ++i)
    limiter.CountFailure("2001:db8::" + std::to_string(i + 1));

  EXPECT_TRUE(limiter.WaitOf("2001:db8::ffff").has_value());
  EXPECT_FALSE(limiter.WaitOf("2001:db8:0:1::1").has_value());
}

TEST(LoginLimiter, RemembersABoundedNumberOfAddresses) {
  test::ShiftedClock clock;
  LoginLimiter limiter(clock);
  for (unsigned i = 0; i < kFailedLoginsMax; ++i) limiter.CountFailure("10.9.9.9");

  for (std::size_t i = 0; i < kFailedLoginAddressesMax; ++i)
    limiter.CountFailure("10.1." + std::to_string(i / 250) + "." + std::to_string(i % 250));

  EXPECT_FALSE(limiter.WaitOf("10.9.9.9").has_value());
}

TEST(LoginLimiter, KnowsWhoIsOnTheMachine) {
  for (const char* local : {"127.0.0.1", "127.8.8.8", "::1", "", "/run/app.sock"})
    EXPECT_TRUE(LoginLimiter::IsLocal(local)) << local;
  for (const char* remote : {"10.0.0.1", "::2", "0.0.0.0"})
    EXPECT_FALSE(LoginLimiter::IsLocal(remote)) << remote;
}

}  // namespace
}  // namespace switchback
