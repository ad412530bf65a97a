// The whole server in this process: doors, endpoints, flags, and commands that talk to it.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "server/serve.hpp"
#include "tests/unit/server/cli/program.hpp"
#include "tests/unit/server/http/scratch_folder.hpp"

namespace switchback {
namespace {

using testing::HasSubstr;

ServerConfig ConfigFor(const std::string& data_dir) {
  ServerConfig config;
  config.service.data_dir = data_dir;
  config.port = 0;
  config.http_port = 0;
  config.threads = 1;
  return config;
}

class ServerTest : public testing::Test {
 protected:
  void Start() {
    auto server = Server::Start(ConfigFor(data_dir_));
    ASSERT_TRUE(server.has_value()) << server.error().message;
    server_ = *std::move(server);
  }
  [[nodiscard]] ProgramResult Run(std::vector<std::string> arguments) const {
    arguments.insert(arguments.end(), {"--data-dir", data_dir_, "--json"});
    return RunProgram(arguments);
  }
  void PutOne() {
    const auto collection = server_->service().catalog().Intern("default");
    ASSERT_TRUE(collection.has_value());
    ASSERT_TRUE(server_->service().Put(**collection, "key", "value").has_value());
  }

  ScratchFolder folder_;
  const std::string data_dir_ = folder_.path() + "/data";
  std::unique_ptr<Server> server_;
};

TEST_F(ServerTest, WritesItsEndpointsAndRemovesThemAtACleanStop) {
  Start();
  const auto endpoints = ReadEndpoints(data_dir_);
  ASSERT_TRUE(endpoints.has_value()) << endpoints.error().message;
  EXPECT_EQ(*endpoints, server_->endpoints());
  EXPECT_NE(endpoints->resp_port, 0);
  EXPECT_NE(endpoints->http_port, 0);

  ASSERT_TRUE(server_->Stop().has_value());

  EXPECT_FALSE(ReadEndpoints(data_dir_).has_value());
}

TEST_F(ServerTest, ShowsItsStatusAndFlags) {
  Start();

  const auto status = Run({"status"});
  const auto table = RunProgram({"status", "--data-dir", data_dir_});
  const auto flags = Run({"flags", "get", "USE_UNIFIED_DB_SERVICE"});

  EXPECT_EQ(status.exit_code, 0) << status.err;
  EXPECT_EQ(status.Json()["followers"]["legacy"]["state"], "in-sync");
  EXPECT_THAT(table.out, HasSubstr("0 % in effect"));
  EXPECT_EQ(flags.Json()["effective_percentage"], 0);
}

TEST_F(ServerTest, FlipsAndRollsBackOnTwoEmptyStores) {
  Start();
  PutOne();

  const auto on = Run({"flags", "set", "USE_UNIFIED_DB_SERVICE", "true", "--percentage", "25"});
  const auto off = Run({"flags", "set", "USE_UNIFIED_DB_SERVICE", "false"});

  EXPECT_EQ(on.exit_code, 0) << on.err;
  EXPECT_EQ(on.Json()["effective_percentage"], 25);
  EXPECT_EQ(off.exit_code, 0) << off.err;
  EXPECT_EQ(off.Json()["effective_percentage"], 0);
}

TEST_F(ServerTest, DrainsWhileServing) {
  Start();
  PutOne();

  const auto drained = Run({"drain"});

  EXPECT_EQ(drained.exit_code, 0) << drained.err;
  EXPECT_EQ(drained.Json()["last_sequence"], 1);
}

TEST_F(ServerTest, DrainsWithoutAServer) {
  Start();
  PutOne();
  server_.reset();

  const auto drained = Run({"drain"});

  EXPECT_EQ(drained.exit_code, 0) << drained.err;
  EXPECT_EQ(drained.Json()["drained"], true);
}

TEST_F(ServerTest, RefusesASecondServerAndADetachBesideIt) {
  Start();

  const auto second = Server::Start(ConfigFor(data_dir_));
  const auto detached = Run({"detach", "--yes"});

  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, ErrorCode::kConflict);
  EXPECT_EQ(detached.exit_code, 3);
  EXPECT_TRUE(ReadEndpoints(data_dir_).has_value()) << "the first server's file must stay";
}

TEST_F(ServerTest, DetachLeavesADirectoryThatCannotBeServed) {
  Start();
  PutOne();
  server_.reset();

  const auto detached = Run({"detach", "--yes"});
  const auto again = Server::Start(ConfigFor(data_dir_));

  EXPECT_EQ(detached.exit_code, 0) << detached.err;
  EXPECT_THAT(detached.Json()["stores"]["unified"].get<std::string>(), HasSubstr("sqlite"));
  ASSERT_FALSE(again.has_value());
  EXPECT_EQ(again.error().code, ErrorCode::kRefused);
}

TEST_F(ServerTest, APortInUseClosesTheServiceAgain) {
  Start();
  ServerConfig config = ConfigFor(folder_.path() + "/other");
  config.http_port = server_->endpoints().http_port;

  const auto second = Server::Start(config);
  config.http_port = 0;
  const auto third = Server::Start(config);

  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, ErrorCode::kConflict);
  EXPECT_TRUE(third.has_value()) << "the directory is free again";
}

TEST_F(ServerTest, TheDoctorFindsAHealthyDirectoryBesideAServerAndWithoutIt) {
  Start();
  PutOne();
  const auto beside = Run({"doctor"});
  server_.reset();
  const auto alone = Run({"doctor", "--deep"});

  EXPECT_EQ(beside.exit_code, 0) << beside.out;
  EXPECT_EQ(alone.exit_code, 0) << alone.out;
  EXPECT_THAT(beside.out, HasSubstr("has the directory"));
  EXPECT_THAT(alone.out, HasSubstr("no process has the directory"));
}

TEST_F(ServerTest, TheDoctorFindsDamageInTheLog) {
  Start();
  PutOne();
  PutOne();
  server_.reset();
  const std::string log = data_dir_ + "/gen-1/log/log-00000000000000000001";
  auto fd = OpenFile(log, O_RDWR);
  ASSERT_TRUE(fd.has_value()) << fd.error().message;
  // Inside the first record, whose checksum covers it.
  ASSERT_TRUE(WriteAt(fd->get(), "damage", 4096 + 40).has_value());

  const auto result = Run({"doctor"});

  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.out, HasSubstr("batch 1 is damaged"));
}

TEST_F(ServerTest, TheDoctorFindsBrokenFlagsWrongModesAndAMissingStore) {
  Start();
  server_.reset();
  (void)folder_.Write("data/flags.json", "{broken");
  ASSERT_EQ(::chmod((data_dir_ + "/flags.json").c_str(), 0666), 0);
  std::filesystem::remove_all(data_dir_ + "/gen-1/legacy");

  const auto result = RunProgram({"doctor", "--data-dir", data_dir_});

  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.out, HasSubstr("problem flags: "));
  EXPECT_THAT(result.out, HasSubstr("problem legacy: "));
  EXPECT_THAT(result.out, HasSubstr("there are problems"));
}

TEST(Doctor, SaysWhenThereIsNoDataDirectory) {
  const ScratchFolder folder;

  const auto nothing = RunProgram({"doctor", "--data-dir", folder.path() + "/none"});
  const auto empty = RunProgram({"doctor", "--data-dir", folder.path()});

  EXPECT_EQ(nothing.exit_code, 1);
  EXPECT_EQ(empty.exit_code, 1);
  EXPECT_THAT(empty.out, HasSubstr("not a data directory"));
}

}  // namespace
}  // namespace switchback
