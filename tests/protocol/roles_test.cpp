// Named users and what their roles allow, with Redis 7.0's own texts.
#include <gtest/gtest.h>

#include "common/sha256.hpp"
#include "server/commands/table.hpp"
#include "tests/support/resp_harness.hpp"
#include "tests/support/shifted_clock.hpp"

namespace switchback {
namespace {

constexpr const char* kNoAuth = "-NOAUTH Authentication required.\r\n";
constexpr const char* kWrong = "-WRONGPASS invalid username-password pair or user is disabled.\r\n";

std::string NoPermission(const std::string& command) {
  return "-NOPERM this user has no permissions to run the '" + command + "' command\r\n";
}

class Roles : public testing::Test {
 protected:
  Roles() {
    ReplaceTokens(AccessRole::kViewer);
    world_.environment.tokens = &tokens_;
    world_.environment.logins = &logins_;
    client_ = std::make_unique<RespHarness>(world_);
  }
  void ReplaceTokens(AccessRole role_of_vera) {
    tokens_.Replace({{"vera", role_of_vera, Sha256Hex("viewer-token")},
                     {"olaf", AccessRole::kOperator, Sha256Hex("operator-token")},
                     {"adam", AccessRole::kAdmin, Sha256Hex("admin-token")}});
  }
  std::string Ask(const std::string& line) { return client_->Line(line); }

  test::ShiftedClock clock_;
  LoginLimiter logins_{clock_};
  TokenRegistry tokens_;
  RespWorld world_;
  std::unique_ptr<RespHarness> client_;
};

TEST_F(Roles, WithTokensALoginIsDemanded) {
  EXPECT_EQ(Ask("GET a"), kNoAuth);
  EXPECT_EQ(Ask("AUTH anything"), kWrong);  // the default user has no password here
  EXPECT_EQ(Ask("AUTH default viewer-token"), kWrong);
  EXPECT_EQ(Ask("AUTH olaf viewer-token"), kWrong);
  EXPECT_EQ(Ask("AUTH vera viewer-token"), "+OK\r\n");
  EXPECT_EQ(Ask("GET a"), "$-1\r\n");
}

TEST_F(Roles, AViewerReads) {
  Ask("AUTH vera viewer-token");

  EXPECT_EQ(Ask("SET a 1"), NoPermission("set"));
  EXPECT_EQ(Ask("DEL a"), NoPermission("del"));
  EXPECT_EQ(Ask("FLUSHALL"), NoPermission("flushall"));
  EXPECT_EQ(Ask("CONFIG GET port"), NoPermission("config|get"));
  EXPECT_EQ(Ask("CLIENT LIST"), NoPermission("client|list"));
  EXPECT_EQ(Ask("EXISTS a"), ":0\r\n");
  EXPECT_EQ(Ask("PING"), "+PONG\r\n");
  EXPECT_TRUE(world_.service.RecordsOf("default").empty());
}

TEST_F(Roles, AnOperatorWritesButDoesNotEmpty) {
  Ask("AUTH olaf operator-token");

  EXPECT_EQ(Ask("SET a 1"), "+OK\r\n");
  EXPECT_EQ(Ask("FLUSHDB"), NoPermission("flushdb"));
  EXPECT_EQ(Ask("FLUSHALL"), NoPermission("flushall"));
  EXPECT_EQ(Ask("GET a"), "$1\r\n1\r\n");
}

TEST_F(Roles, AnAdminMayAll) {
  Ask("HELLO 2 AUTH adam admin-token");

  EXPECT_EQ(Ask("SET a 1"), "+OK\r\n");
  EXPECT_EQ(Ask("FLUSHALL"), "+OK\r\n");
  EXPECT_NE(Ask("CONFIG GET port").substr(0, 7), "-NOPERM");
}

TEST_F(Roles, ARefusedCommandDoomsItsTransaction) {
  Ask("AUTH vera viewer-token");

  EXPECT_EQ(Ask("MULTI"), "+OK\r\n");
  EXPECT_EQ(Ask("GET a"), "+QUEUED\r\n");
  EXPECT_EQ(Ask("SET a 1"), NoPermission("set"));
  EXPECT_EQ(Ask("EXEC"), "-EXECABORT Transaction discarded because of previous errors.\r\n");
}

TEST_F(Roles, RepliesStayInOrderInAPipeline) {
  Ask("AUTH olaf operator-token");

  const std::string replies =
      client_->Send(EncodeRequest({"SET", "a", "1"}) + EncodeRequest({"FLUSHALL"}) +
                    EncodeRequest({"SET", "b", "2"}) + EncodeRequest({"GET", "a"}));

  EXPECT_EQ(replies, "+OK\r\n" + NoPermission("flushall") + "+OK\r\n" + "$1\r\n1\r\n");
}

TEST_F(Roles, ATokenThatIsTakenAwayEndsItsConnectionsRights) {
  Ask("AUTH vera viewer-token");
  EXPECT_EQ(Ask("GET a"), "$-1\r\n");

  ReplaceTokens(AccessRole::kOperator);

  EXPECT_EQ(Ask("GET a"), kNoAuth);
  EXPECT_EQ(Ask("AUTH vera viewer-token"), "+OK\r\n");
  EXPECT_EQ(Ask("SET a 1"), "+OK\r\n");
  tokens_.Replace({});
  EXPECT_EQ(Ask("GET a"), kNoAuth);
  EXPECT_EQ(Ask("AUTH vera viewer-token"), kWrong);
}

TEST_F(Roles, OtherTokensMayChangeMeanwhile) {
  Ask("AUTH olaf operator-token");

  ReplaceTokens(AccessRole::kAdmin);

  EXPECT_EQ(Ask("SET a 1"), "+OK\r\n");
}

TEST_F(Roles, ResetLogsOut) {
  Ask("AUTH adam admin-token");

  EXPECT_EQ(Ask("RESET"), "+RESET\r\n");

  EXPECT_EQ(Ask("GET a"), kNoAuth);
}

TEST_F(Roles, TheDefaultUserHasThePasswordAndMayAll) {
  world_.environment.password = "the password";
  RespHarness other(world_);

  EXPECT_EQ(other.Line("GET a"), kNoAuth);
  EXPECT_EQ(other.Send(EncodeRequest({"AUTH", "the password"})), "+OK\r\n");
  EXPECT_EQ(other.Line("FLUSHALL"), "+OK\r\n");
}

TEST_F(Roles, WhoGuessesOnTheMachineIsToldToWaitButRightTokensPass) {
  for (unsigned i = 0; i < kFailedLoginsMax; ++i) EXPECT_EQ(Ask("AUTH vera guess"), kWrong);

  EXPECT_EQ(Ask("AUTH vera guess").substr(0, 28), "-ERR too many failed logins ");
  EXPECT_EQ(Ask("AUTH vera viewer-token"), "+OK\r\n");
}

TEST_F(Roles, EveryWriteNeedsAnOperator) {
  for (const Command* command : AllCommands()) {
    if (command->write != nullptr) {
      EXPECT_TRUE(MayAct(RoleFor(*command), AccessRole::kOperator)) << command->name;
    } else if (command->read != nullptr) {
      EXPECT_EQ(RoleFor(*command), AccessRole::kViewer) << command->name;
    }
  }
}

}  // namespace
}  // namespace switchback
