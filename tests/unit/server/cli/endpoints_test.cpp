#include "server/endpoints.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "server/process.hpp"
#include "server/version.hpp"
#include "tests/unit/server/http/scratch_folder.hpp"

namespace switchback {
namespace {

TEST(Endpoints, AreReadAsWritten) {
  const ScratchFolder folder;
  const Endpoints written{"127.0.0.1", 6380, 8080, 42, "1.2.3", "/etc/flags.json"};

  ASSERT_TRUE(WriteEndpoints(folder.path(), written).has_value());
  const auto read = ReadEndpoints(folder.path());

  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(*read, written);
}

TEST(Endpoints, AreGoneAfterRemoval) {
  const ScratchFolder folder;
  ASSERT_TRUE(WriteEndpoints(folder.path(), {"127.0.0.1", 1, 2, 3, "", ""}).has_value());

  RemoveEndpoints(folder.path());
  RemoveEndpoints(folder.path());

  ASSERT_FALSE(ReadEndpoints(folder.path()).has_value());
  EXPECT_EQ(ReadEndpoints(folder.path()).error().code, ErrorCode::kNotFound);
}

TEST(Endpoints, RefuseForeignContent) {
  const ScratchFolder folder;
  for (const char* content : {"", "[]", "{}", R"({"http": 1})", R"({"http": {"port": 70000}})",
                              R"({"http": {"port": "80"}})"}) {
    (void)folder.Write("endpoints.json", content);
    ASSERT_FALSE(ReadEndpoints(folder.path()).has_value()) << content;
    EXPECT_EQ(ReadEndpoints(folder.path()).error().code, ErrorCode::kInvalidArgument) << content;
  }
}

TEST(Endpoints, NameAnAddressToConnectTo) {
  EXPECT_EQ(HttpUrlOf({"127.0.0.1", 1, 8080, 1, "", ""}), "http://127.0.0.1:8080");
  EXPECT_EQ(HttpUrlOf({"::1", 1, 8080, 1, "", ""}), "http://[::1]:8080");
  EXPECT_EQ(ReachableHost("0.0.0.0"), "127.0.0.1");
  EXPECT_EQ(ReachableHost("::"), "::1");
  EXPECT_EQ(ReachableHost("192.0.2.1"), "192.0.2.1");
}

TEST(Version, IsThatOfTheProject) {
  const auto lists = ReadWholeFile(SWITCHBACK_SOURCE_DIR "/CMakeLists.txt", 1u << 20);

  ASSERT_TRUE(lists.has_value());
  EXPECT_NE(lists->find("project(switchback VERSION " + std::string(kVersion) + " "),
            std::string::npos);
}

TEST(NotifyServiceManager, SendsTheStateToTheSocket) {
  const ScratchFolder folder;
  const std::string path = folder.path() + "/notify";
  const UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ::setenv("NOTIFY_SOCKET", path.c_str(), 1);

  NotifyServiceManager("READY=1");

  ::unsetenv("NOTIFY_SOCKET");
  char received[64] = {};
  const ssize_t size = ::recv(socket.get(), received, sizeof received, MSG_DONTWAIT);
  ASSERT_GT(size, 0);
  EXPECT_EQ(std::string(received, static_cast<std::size_t>(size)), "READY=1");
}

TEST(NotifyServiceManager, IsHarmlessWithoutAServiceManager) {
  ::unsetenv("NOTIFY_SOCKET");
  NotifyServiceManager("READY=1");

  ::setenv("NOTIFY_SOCKET", "/nowhere/at/all", 1);
  NotifyServiceManager("READY=1");
  ::unsetenv("NOTIFY_SOCKET");
}

TEST(StopSignal, TheFirstSignalEndsTheWaitAndItsTwinIsTheSameWish) {
  StopSignal stop;
  EXPECT_FALSE(stop.has_come());

  ::kill(::getpid(), SIGTERM);
  stop.Wait();
  ::kill(::getpid(), SIGTERM);

  EXPECT_TRUE(stop.has_come());
  EXPECT_TRUE(stop.WaitFor(std::chrono::milliseconds(0)));
}

TEST(StopSignal, EndsWithoutASignal) {
  StopSignal stop;

  EXPECT_FALSE(stop.WaitFor(std::chrono::milliseconds(0)));
}

}  // namespace
}  // namespace switchback
