// COMMAND, CONFIG, INFO, TIME.
#include <gtest/gtest.h>

#include "server/commands/table.hpp"
#include "tests/support/resp_harness.hpp"

namespace switchback {
namespace {

class ServerCommandsTest : public testing::Test {
 protected:
  RespWorld world_;
  RespHarness client_{world_};
};

TEST_F(ServerCommandsTest, EveryCommandOfTheContractIsThere) {
  for (const char* name :
       {"get",      "set",     "setnx",   "getset",    "getdel", "mget",   "mset",
        "msetnx",   "del",     "unlink",  "exists",    "strlen", "append", "getrange",
        "setrange", "substr",  "incr",    "decr",      "incrby", "decrby", "incrbyfloat",
        "scan",     "keys",    "dbsize",  "randomkey", "type",   "rename", "renamenx",
        "copy",     "touch",   "flushdb", "flushall",  "multi",  "exec",   "discard",
        "watch",    "unwatch", "hello",   "auth",      "select", "ping",   "echo",
        "quit",     "reset",   "client",  "command",   "config", "info",   "time"}) {
    EXPECT_NE(FindCommand(name), nullptr) << name;
  }
}

TEST_F(ServerCommandsTest, NamesAreFoundInAnyCaseAndOnlyWhole) {
  EXPECT_EQ(FindCommand("InCrByFlOaT"), FindCommand("incrbyfloat"));
  for (const char* name : {"", "ge", "gett", "get ", "g\x05t", "g%t", "incrbyfloatincrbyfloat"}) {
    EXPECT_EQ(FindCommand(name), nullptr) << name;
  }
}

TEST_F(ServerCommandsTest, EveryCommandHasOneHandlerAndADescription) {
  const auto check = [](const Command& command) {
    const int handler_count =
        (command.read != nullptr ? 1 : 0) + (command.write != nullptr ? 1 : 0) +
        (command.client != nullptr ? 1 : 0) + (command.control != ControlCommand::kNone ? 1 : 0);
    EXPECT_EQ(handler_count, command.subcommands.empty() || command.name == "command" ? 1 : 0)
        << command.name;
    EXPECT_NE(command.summary, "") << command.name;
    EXPECT_NE(command.group, "") << command.name;
    EXPECT_NE(command.arity, 0) << command.name;
    EXPECT_EQ(command.Has(kFlagWrite), command.write != nullptr) << command.name;
  };
  for (const Command* command : AllCommands()) {
    check(*command);
    for (const Command& subcommand : command->subcommands) check(subcommand);
  }
}

TEST_F(ServerCommandsTest, CommandDescribesItself) {
  const std::string get =
      "*10\r\n$3\r\nget\r\n:2\r\n*2\r\n+readonly\r\n+fast\r\n:1\r\n:1\r\n:1\r\n*1\r\n+@fast\r\n"
      "*0\r\n*0\r\n*0\r\n";

  EXPECT_EQ(client_.Line("COMMAND INFO get nosuch"), "*2\r\n" + get + "*-1\r\n");
  EXPECT_EQ(client_.Line("COMMAND COUNT"), ":" + std::to_string(AllCommands().size()) + "\r\n");
  const std::string header = "*" + std::to_string(AllCommands().size()) + "\r\n";
  EXPECT_EQ(client_.Line("COMMAND").substr(0, header.size()), header);
  EXPECT_EQ(client_.Line("COMMAND LIST").substr(0, header.size()), header);
  EXPECT_EQ(client_.Line("COMMAND LIST FILTERBY PATTERN getr*"), "*1\r\n$8\r\ngetrange\r\n");
  EXPECT_EQ(client_.Line("COMMAND LIST FOO"), "-ERR syntax error\r\n");
}

TEST_F(ServerCommandsTest, CommandDocs) {
  EXPECT_EQ(client_.Line("COMMAND DOCS get nosuch"),
            "*2\r\n$3\r\nget\r\n*6\r\n$7\r\nsummary\r\n$22\r\nGet the value of a key\r\n"
            "$5\r\nsince\r\n$5\r\n1.0.0\r\n$5\r\ngroup\r\n$6\r\nstring\r\n");
  client_.Line("HELLO 3");
  EXPECT_EQ(client_.Line("COMMAND DOCS get").substr(0, 17), "%1\r\n$3\r\nget\r\n%3\r\n");
  EXPECT_NE(client_.Line("COMMAND DOCS client").find("client|setname"), std::string::npos);
  EXPECT_EQ(client_.Line("COMMAND DOCS client|id").substr(0, 19), "%1\r\n$9\r\nclient|id\r\n");
}

TEST_F(ServerCommandsTest, CommandGetKeys) {
  EXPECT_EQ(client_.Line("COMMAND GETKEYS mset a 1 b 2"), "*2\r\n$1\r\na\r\n$1\r\nb\r\n");
  EXPECT_EQ(client_.Line("COMMAND GETKEYS get a"), "*1\r\n$1\r\na\r\n");
  EXPECT_EQ(client_.Line("COMMAND GETKEYS rename a b"), "*2\r\n$1\r\na\r\n$1\r\nb\r\n");
  EXPECT_EQ(client_.Line("COMMAND GETKEYS foo a"), "-ERR Invalid command specified\r\n");
  EXPECT_EQ(client_.Line("COMMAND GETKEYS get a b"),
            "-ERR Invalid number of arguments specified for command\r\n");
  EXPECT_EQ(client_.Line("COMMAND GETKEYS echo a"), "-ERR The command has no key arguments\r\n");
}

TEST_F(ServerCommandsTest, ConfigGetAnswersToolsThatAsk) {
  EXPECT_EQ(client_.Line("CONFIG GET save"), "*2\r\n$4\r\nsave\r\n$0\r\n\r\n");
  EXPECT_EQ(client_.Line("CONFIG GET APPENDONLY save"),
            "*4\r\n$10\r\nappendonly\r\n$3\r\nyes\r\n$4\r\nsave\r\n$0\r\n\r\n");
  EXPECT_EQ(client_.Line("CONFIG GET databases"), "*2\r\n$9\r\ndatabases\r\n$2\r\n16\r\n");
  EXPECT_EQ(client_.Line("CONFIG GET nosuch"), "*0\r\n");
  EXPECT_EQ(client_.Line("CONFIG GET requirepass"), "*0\r\n");
  client_.Line("HELLO 3");
  EXPECT_EQ(client_.Line("CONFIG GET save"), "%1\r\n$4\r\nsave\r\n$0\r\n\r\n");
}

TEST_F(ServerCommandsTest, ConfigSetIsRefused) {
  EXPECT_EQ(client_.Line("CONFIG SET save x"),
            "-ERR CONFIG SET is not supported: edit the configuration file and restart\r\n");
}

TEST_F(ServerCommandsTest, InfoHasItsSections) {
  client_.Send("SET a 1\r\nSELECT users\r\nMSET a 1 b 2\r\n");

  const std::string info = client_.Line("INFO");

  for (const char* title :
       {"# Server\r\n", "# Clients\r\n", "# Memory\r\n", "# Persistence\r\n", "# Stats\r\n",
        "# Replication\r\n", "# Keyspace\r\n", "# Switchback\r\n"}) {
    EXPECT_NE(info.find(title), std::string::npos) << title;
  }
  EXPECT_NE(info.find("redis_version:7.0.15\r\n"), std::string::npos);
  EXPECT_NE(info.find("role:master\r\n"), std::string::npos);
  EXPECT_NE(info.find("connected_clients:1\r\n"), std::string::npos);
  EXPECT_NE(info.find("db0:keys=1,expires=0,avg_ttl=0\r\n"), std::string::npos);
  EXPECT_NE(info.find("users:keys=2,expires=0,avg_ttl=0\r\n"), std::string::npos);
  EXPECT_NE(info.find("stage:off\r\n"), std::string::npos);
  EXPECT_NE(info.find("effective_percentage:0\r\n"), std::string::npos);
  EXPECT_NE(info.find("legacy_state:detached\r\n"), std::string::npos);
}

TEST_F(ServerCommandsTest, InfoTakesSections) {
  const std::string some = client_.Line("INFO CLIENTS replication");
  EXPECT_NE(some.find("# Clients"), std::string::npos);
  EXPECT_NE(some.find("# Replication"), std::string::npos);
  EXPECT_EQ(some.find("# Server"), std::string::npos);
  EXPECT_EQ(client_.Line("INFO nosuch"), "$0\r\n\r\n");
  EXPECT_NE(client_.Line("INFO everything").find("# Keyspace"), std::string::npos);
}

TEST_F(ServerCommandsTest, TimeIsSecondsAndMicroseconds) {
  EXPECT_EQ(client_.Line("TIME").substr(0, 9), "*2\r\n$10\r\n");
  EXPECT_EQ(client_.Line("TIME x"), "-ERR wrong number of arguments for 'time' command\r\n");
}

}  // namespace
}  // namespace switchback
