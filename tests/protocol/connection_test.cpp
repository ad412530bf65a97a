// HELLO, AUTH, CLIENT, RESET, QUIT and the dispatcher's own errors, as Redis 7.0 answers them.
#include <gtest/gtest.h>

#include "tests/support/resp_harness.hpp"

namespace switchback {
namespace {

class Connection : public testing::Test {
 protected:
  RespWorld world_;
  RespHarness client_{world_};
};

constexpr const char* kWrongPassword =
    "-WRONGPASS invalid username-password pair or user is disabled.\r\n";
constexpr const char* kNoAuth = "-NOAUTH Authentication required.\r\n";

TEST_F(Connection, PingAndEcho) {
  EXPECT_EQ(client_.Line("PING"), "+PONG\r\n");
  EXPECT_EQ(client_.Line("PING hi"), "$2\r\nhi\r\n");
  EXPECT_EQ(client_.Line("PING a b"), "-ERR wrong number of arguments for 'ping' command\r\n");
  EXPECT_EQ(client_.Line("ECHO hi"), "$2\r\nhi\r\n");
  EXPECT_EQ(client_.Line("ECHO"), "-ERR wrong number of arguments for 'echo' command\r\n");
}

TEST_F(Connection, UnknownCommandsAreEchoed) {
  EXPECT_EQ(client_.Line("FOO"), "-ERR unknown command 'FOO', with args beginning with: \r\n");
  EXPECT_EQ(client_.Line("foo a b"),
            "-ERR unknown command 'foo', with args beginning with: 'a' 'b' \r\n");
  EXPECT_EQ(client_.Run({"a\r\nb", "x\ny"}),
            "-ERR unknown command 'a  b', with args beginning with: 'x y' \r\n");
  EXPECT_EQ(client_.Run({"GET ", "x"}),
            "-ERR unknown command 'GET ', with args beginning with: 'x' \r\n");
  EXPECT_EQ(client_.Run({std::string("GET\0", 4)}),
            "-ERR unknown command 'GET', with args beginning with: \r\n");
}

TEST_F(Connection, WhatIsEchoedIsCut) {
  const std::string word(300, 'x');
  const std::string cut(128, 'x');

  EXPECT_EQ(client_.Run({word, word, "b"}),
            "-ERR unknown command '" + cut + "', with args beginning with: '" + cut + "' \r\n");
  EXPECT_EQ(client_.Run({"foo", std::string(120, 'x'), "abcdefgh", "c"}),
            "-ERR unknown command 'foo', with args beginning with: '" + std::string(120, 'x') +
                "' 'abcde' \r\n");
}

TEST_F(Connection, ArityAndSubcommands) {
  EXPECT_EQ(client_.Line("GET"), "-ERR wrong number of arguments for 'get' command\r\n");
  EXPECT_EQ(client_.Line("get a b"), "-ERR wrong number of arguments for 'get' command\r\n");
  EXPECT_EQ(client_.Line("SET a"), "-ERR wrong number of arguments for 'set' command\r\n");
  EXPECT_EQ(client_.Line("CLIENT"), "-ERR wrong number of arguments for 'client' command\r\n");
  EXPECT_EQ(client_.Line("CLIENT foo"), "-ERR unknown subcommand 'foo'. Try CLIENT HELP.\r\n");
  EXPECT_EQ(client_.Line("client setname"),
            "-ERR wrong number of arguments for 'client|setname' command\r\n");
  EXPECT_EQ(client_.Line("CONFIG GET"),
            "-ERR wrong number of arguments for 'config|get' command\r\n");
  EXPECT_EQ(client_.Line("COMMAND foo"), "-ERR unknown subcommand 'foo'. Try COMMAND HELP.\r\n");
}

TEST_F(Connection, HelloChangesTheProtocol) {
  const std::string id = std::to_string(client_.id());
  const std::string rest =
      "$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$6\r\n7.0.15\r\n$5\r\nproto\r\n";
  const std::string tail = "$2\r\nid\r\n:" + id +
                           "\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n"
                           "$7\r\nmodules\r\n*0\r\n";

  EXPECT_EQ(client_.Line("HELLO"), "*14\r\n" + rest + ":2\r\n" + tail);
  EXPECT_EQ(client_.Line("HELLO 3"), "%7\r\n" + rest + ":3\r\n" + tail);
  EXPECT_EQ(client_.Line("HELLO"), "%7\r\n" + rest + ":3\r\n" + tail);
  EXPECT_EQ(client_.Line("HELLO 2"), "*14\r\n" + rest + ":2\r\n" + tail);
}

TEST_F(Connection, HelloTakesOptions) {
  EXPECT_EQ(client_.Line("HELLO 3 AUTH default x SETNAME me").substr(0, 4), "%7\r\n");
  EXPECT_EQ(client_.Line("CLIENT GETNAME"), "$2\r\nme\r\n");
}

TEST_F(Connection, HelloRefusesNonsenseAndChangesNothing) {
  EXPECT_EQ(client_.Line("HELLO 4"), "-NOPROTO unsupported protocol version\r\n");
  EXPECT_EQ(client_.Line("HELLO 1"), "-NOPROTO unsupported protocol version\r\n");
  EXPECT_EQ(client_.Line("HELLO x"), "-ERR Protocol version is not an integer or out of range\r\n");
  EXPECT_EQ(client_.Line("HELLO 3 foo"), "-ERR Syntax error in HELLO option 'foo'\r\n");
  EXPECT_EQ(client_.Line("HELLO 3 AUTH a"), "-ERR Syntax error in HELLO option 'AUTH'\r\n");
  EXPECT_EQ(client_.Line("HELLO 3 SETNAME"), "-ERR Syntax error in HELLO option 'SETNAME'\r\n");
  EXPECT_EQ(client_.Line("HELLO 3 AUTH other x"), kWrongPassword);
  EXPECT_EQ(client_.Line("GET a"), "$-1\r\n") << "still RESP2";
}

TEST_F(Connection, AuthWithoutAPassword) {
  EXPECT_EQ(client_.Line("AUTH x"),
            "-ERR AUTH <password> called without any password configured for the default user. "
            "Are you sure your configuration is correct?\r\n");
  EXPECT_EQ(client_.Line("AUTH default x"), "+OK\r\n");
  EXPECT_EQ(client_.Line("AUTH other x"), kWrongPassword);
  EXPECT_EQ(client_.Line("AUTH a b c"), "-ERR syntax error\r\n");
}

class Password : public Connection {
 protected:
  Password() { world_.environment.password = "secret"; }
};

TEST_F(Password, GuardsEverything) {
  RespHarness client(world_);
  for (const char* request :
       {"GET a", "SET a 1", "MULTI", "EXEC", "PING", "SELECT 1", "CLIENT ID", "INFO", "KEYS *"}) {
    EXPECT_EQ(client.Line(request), kNoAuth) << request;
  }
  EXPECT_EQ(client.Line("NOSUCH").substr(0, 20), "-ERR unknown command");
  EXPECT_EQ(client.Line("HELLO 3"),
            "-NOAUTH HELLO must be called with the client already authenticated, otherwise the "
            "HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and "
            "select the RESP protocol version at the same time\r\n");
}

TEST_F(Password, OpensWithAuthOrHello) {
  for (const char* request :
       {"AUTH secret", "AUTH default secret", "HELLO 3 AUTH default secret"}) {
    RespHarness client(world_);
    EXPECT_EQ(client.Line("PING"), kNoAuth);
    EXPECT_NE(client.Line(request)[0], '-') << request;
    EXPECT_EQ(client.Line("PING"), "+PONG\r\n");
  }
}

TEST_F(Password, MustBeRight) {
  RespHarness client(world_);
  for (const char* request :
       {"AUTH secre", "AUTH secrett", "AUTH \"\"", "AUTH SECRET", "AUTH default wrong",
        "AUTH other secret", "HELLO 2 AUTH default wrong"}) {
    EXPECT_EQ(client.Line(request), kWrongPassword) << request;
  }
  EXPECT_EQ(client.Line("PING"), kNoAuth);
}

TEST_F(Password, AWrongOneDoesNotShutAnOpenDoor) {
  RespHarness client(world_);
  client.Line("AUTH secret");

  EXPECT_EQ(client.Line("AUTH wrong"), kWrongPassword);
  EXPECT_EQ(client.Line("PING"), "+PONG\r\n");
}

TEST_F(Password, ResetShutsTheDoor) {
  RespHarness client(world_);
  client.Line("AUTH secret");

  EXPECT_EQ(client.Line("RESET"), "+RESET\r\n");
  EXPECT_EQ(client.Line("PING"), kNoAuth);
}

TEST_F(Connection, ResetForgetsEverything) {
  client_.Send("HELLO 3\r\nCLIENT SETNAME me\r\nSELECT 1\r\nMULTI\r\nSET a 1\r\n");

  EXPECT_EQ(client_.Line("RESET"), "+RESET\r\n");
  EXPECT_EQ(client_.Line("CLIENT GETNAME"), "$-1\r\n");
  EXPECT_EQ(client_.Line("EXEC"), "-ERR EXEC without MULTI\r\n");
  client_.Line("SET a 1");
  EXPECT_EQ(world_.service.RecordsOf("default").size(), 1u);
}

TEST_F(Connection, QuitAnswersAndCloses) {
  EXPECT_EQ(client_.Send("SET a 1\r\nQUIT\r\nSET b 2\r\n"), "+OK\r\n+OK\r\n");
  EXPECT_TRUE(client_.is_closing());
  EXPECT_EQ(world_.service.RecordsOf("default").size(), 1u);
}

TEST_F(Connection, ClientNames) {
  EXPECT_EQ(client_.Line("CLIENT GETNAME"), "$-1\r\n");
  EXPECT_EQ(client_.Line("CLIENT SETNAME me"), "+OK\r\n");
  EXPECT_EQ(client_.Line("CLIENT GETNAME"), "$2\r\nme\r\n");
  EXPECT_EQ(client_.Line("CLIENT SETNAME \"a b\""),
            "-ERR Client names cannot contain spaces, newlines or special characters.\r\n");
  EXPECT_EQ(client_.Line("CLIENT SETNAME \"\""), "+OK\r\n");
  EXPECT_EQ(client_.Line("CLIENT GETNAME"), "$-1\r\n");
}

TEST_F(Connection, ClientLibraries) {
  EXPECT_EQ(client_.Line("CLIENT SETINFO lib-name redis-py"), "+OK\r\n");
  EXPECT_EQ(client_.Line("CLIENT SETINFO LIB-VER 5.0"), "+OK\r\n");
  EXPECT_EQ(client_.Line("CLIENT SETINFO foo x"), "-ERR Unrecognized option 'foo'\r\n");
  EXPECT_EQ(client_.Line("CLIENT SETINFO lib-name \"a b\""),
            "-ERR lib-name cannot contain spaces, newlines or special characters.\r\n");
  EXPECT_NE(client_.Line("CLIENT INFO").find("lib-name=redis-py lib-ver=5.0"), std::string::npos);
}

TEST_F(Connection, ClientListShowsEveryone) {
  RespHarness other(world_);
  other.Send("CLIENT SETNAME other\r\nSELECT 3\r\nWATCH a\r\nMULTI\r\nGET a\r\n");

  const std::string list = client_.Line("CLIENT LIST");

  EXPECT_NE(list.find("id=" + std::to_string(client_.id()) + " addr=127.0.0.1:50000"),
            std::string::npos);
  EXPECT_NE(list.find("cmd=client|list"), std::string::npos);
  EXPECT_NE(list.find("name=other"), std::string::npos);
  EXPECT_NE(list.find("flags=x db=3 sub=0 psub=0 ssub=0 multi=1 watch=1"), std::string::npos);
  EXPECT_NE(list.find("collection=db3"), std::string::npos);
  const std::string one = client_.Line("CLIENT LIST ID " + std::to_string(other.id()));
  EXPECT_EQ(one.find("cmd=client|list"), std::string::npos);
  EXPECT_EQ(client_.Line("CLIENT LIST TYPE pubsub"), "$0\r\n\r\n");
  EXPECT_EQ(client_.Line("CLIENT LIST TYPE foo"), "-ERR Unknown client type 'foo'\r\n");
  EXPECT_EQ(client_.Line("CLIENT LIST ID x"), "-ERR Invalid client ID\r\n");
  EXPECT_EQ(client_.Line("CLIENT LIST FOO"), "-ERR syntax error\r\n");
}

TEST_F(Connection, ClientTextIsMarkedAsTextInResp3) {
  client_.Line("HELLO 3");

  const std::string reply = client_.Line("CLIENT INFO");
  EXPECT_EQ(reply[0], '=');
  EXPECT_NE(reply.find("\r\ntxt:id="), std::string::npos);
}

TEST_F(Connection, ClientKill) {
  RespHarness other(world_);

  EXPECT_EQ(client_.Line("CLIENT KILL ID " + std::to_string(other.id())), ":1\r\n");
  EXPECT_TRUE(other.is_killed());
  EXPECT_EQ(client_.Line("CLIENT KILL ID 99999"), ":0\r\n");
  EXPECT_EQ(client_.Line("CLIENT KILL 1.2.3.4:5"), "-ERR No such client\r\n");
  EXPECT_EQ(client_.Line("CLIENT KILL ID x"), "-ERR client-id should be greater than 0\r\n");
  EXPECT_EQ(client_.Line("CLIENT KILL ID 1 ADDR"), "-ERR syntax error\r\n");
  EXPECT_EQ(client_.Line("CLIENT KILL FOO x"), "-ERR syntax error\r\n");
  EXPECT_EQ(client_.Line("CLIENT KILL USER nobody"), "-ERR No such user 'nobody'\r\n");
  EXPECT_FALSE(client_.is_closing());
  EXPECT_EQ(client_.Line("CLIENT KILL SKIPME no TYPE normal"), ":2\r\n");
  EXPECT_TRUE(client_.is_closing()) << "it closes itself after the reply";
}

TEST_F(Connection, ClientSwitchesWithoutEffect) {
  EXPECT_EQ(client_.Line("CLIENT NO-EVICT on"), "+OK\r\n");
  EXPECT_EQ(client_.Line("CLIENT NO-TOUCH off"), "+OK\r\n");
  EXPECT_EQ(client_.Line("CLIENT NO-EVICT x"), "-ERR syntax error\r\n");
  EXPECT_EQ(client_.Line("CLIENT REPLY ON"), "+OK\r\n");
  EXPECT_EQ(client_.Line("CLIENT REPLY x"), "-ERR syntax error\r\n");
  EXPECT_EQ(client_.Line("CLIENT REPLY OFF"),
            "-ERR CLIENT REPLY OFF and SKIP are not supported\r\n");
}

}  // namespace
}  // namespace switchback
