// kill -9 at every named step of an append, a transaction, a sync and a recovery: a child process
// serves and dies, the parent opens what is left. No acknowledged write is missing, and at most the
// one write that was under way is there without an answer (I1, I3).
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <random>

#include "common/failpoint.hpp"
#include "tests/fault/real_world.hpp"
#include "tests/support/temp_dir.hpp"

namespace switchback {
namespace {

using test::Content;
using test::Must;

constexpr const char* kDirectoryVariable = "SWITCHBACK_KILL_TEST_DIRECTORY";
constexpr const char* kFirstVariable = "SWITCHBACK_KILL_TEST_FIRST";
constexpr const char* kFailpointVariable = "SWITCHBACK_FAILPOINTS";
constexpr int kAnswerFd = 9;
constexpr int kWritesPerChild = 80;

// The write of that number: the same for whoever computes it.
struct NumberedWrite {
  explicit NumberedWrite(int number) {
    std::mt19937 random(static_cast<unsigned>(number));
    name = std::string(1, static_cast<char>('a' + random() % 3));
    const auto kind = random() % 20;
    is_clear = kind == 0;
    is_delete = kind > 0 && kind < 5;
    const std::size_t count = kind > 15 ? 5 : 1;
    for (std::size_t i = 0; i < count; ++i) keys.push_back("k" + std::to_string(random() % 30));
    value = std::to_string(number) + std::string(random() % 2000, 'v');
  }
  Status Run(DbService& service) const {
    const Collection* collection = Must(service.catalog().Intern(name));
    return service.Write([&](Transaction& transaction) -> Status {
      if (is_clear) return transaction.Clear(*collection);
      for (const std::string& key : keys) {
        SB_RETURN_IF_ERROR(is_delete ? transaction.Delete(*collection, key)
                                     : transaction.Put(*collection, key, value));
      }
      return {};
    });
  }
  void Apply(Content& content) const {
    if (is_clear) content[name].clear();
    for (const std::string& key : keys) {
      if (is_delete) content[name].erase(key);
      if (!is_clear && !is_delete) content[name][key] = value;
    }
    if (content[name].empty()) content.erase(name);
  }

  std::string name, value;
  std::vector<std::string> keys;
  bool is_clear = false, is_delete = false;
};

// The child's life; it does not return.
[[noreturn]] void ServeAndDie(const std::string& directory, int first) {
  Must(SetFailpointsFromEnvironment());
  auto service = DbService::Open(test::RealOptions(directory));
  if (!service) ::_exit(3);
  for (int number = first; number < first + kWritesPerChild; ++number) {
    if (number % 20 == 0)
      (void)test::FlipTo(**service, number % 40 == 0 ? 100 : 0,
                         static_cast<std::uint64_t>(number) + 1);
    if (!NumberedWrite(number).Run(**service)) ::_exit(4);
    if (::write(kAnswerFd, &number, sizeof number) != sizeof number) ::_exit(5);
    if (number % 16 == 15) (void)(*service)->Drain(std::chrono::seconds(20));
  }
  (void)(*service)->Close();
  ::_exit(0);
}

class ChildRole : public ::testing::Environment {
 public:
  void SetUp() override {
    const char* directory = std::getenv(kDirectoryVariable);
    if (directory != nullptr) ServeAndDie(directory, std::atoi(std::getenv(kFirstVariable)));
  }
};
[[maybe_unused]] const auto* const child_role = ::testing::AddGlobalTestEnvironment(new ChildRole);

struct ChildResult {
  int last_answered = -1;
  int wait_status = 0;
};

ChildResult RunChild(const std::string& directory, int first, const std::string& failpoint) {
  int answers[2];
  EXPECT_EQ(::pipe(answers), 0);
  const std::string first_text = std::to_string(first);
  const pid_t child = ::fork();
  if (child == 0) {
    ::setenv(kDirectoryVariable, directory.c_str(), 1);
    ::setenv(kFirstVariable, first_text.c_str(), 1);
    ::setenv(kFailpointVariable, failpoint.c_str(), 1);
    ::dup2(answers[1], kAnswerFd);
    ::execl("/proc/self/exe", "fault_test", nullptr);
    ::_exit(6);
  }
  ::close(answers[1]);
  ChildResult result;
  result.last_answered = first - 1;
  int number = 0;
  while (::read(answers[0], &number, sizeof number) == sizeof number) result.last_answered = number;
  ::close(answers[0]);
  EXPECT_EQ(::waitpid(child, &result.wait_status, 0), child);
  return result;
}

TEST(Kill, AtEveryStepLosesNoAnsweredWrite) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const test::TempDir dir;
  const std::string data = dir.File("data");
  Content expected;
  int next = 0;
  int killed = 0;
  for (const char* point :
       {"log.append", "log.sync", "log.create", "lmdb.begin", "lmdb.put", "lmdb.commit",
        "lmdb.committed", "lmdb.sync", "sqlite.begin", "sqlite.put", "sqlite.commit",
        "sqlite.committed", "sqlite.sync", "follower.apply"}) {
    const std::string failpoint = std::string(point) + "=abort@" + std::to_string(1 + random() % 4);
    SCOPED_TRACE(failpoint);

    const ChildResult child = RunChild(data, next, failpoint);
    const bool is_killed = WIFSIGNALED(child.wait_status) && WTERMSIG(child.wait_status) == SIGKILL;
    ASSERT_TRUE(is_killed || child.wait_status == 0) << child.wait_status;
    killed += is_killed ? 1 : 0;
    for (; next <= child.last_answered; ++next) NumberedWrite(next).Apply(expected);

    auto service = Must(DbService::Open(test::RealOptions(data)));
    const Content found = test::Served(*service);
    if (found != expected) {  // then the write under way has made it, all of it
      NumberedWrite(next++).Apply(expected);
      ASSERT_EQ(found, expected) << "after answer " << child.last_answered;
    }
    Must(service->Drain(std::chrono::minutes(1)));
    ASSERT_EQ(test::StoredIn(*service, Role::kLegacy), expected);
    ASSERT_EQ(test::StoredIn(*service, Role::kUnified), expected);
    ASSERT_TRUE(test::IsOk(service->Close()));
  }
  EXPECT_GE(killed, 8) << "most of the points are on the way";
}

}  // namespace
}  // namespace switchback
