#include "server/watchdog/watchdog.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <latch>
#include <thread>

#include "server/process.hpp"
#include "server/resp/resp_server.hpp"
#include "server/watchdog/liveness.hpp"
#include "tests/unit/server/http/scratch_folder.hpp"

namespace switchback {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLong{20'000};
constexpr milliseconds kShort{20};

TEST(Watchdog, PingsWhileEverythingAnswers) {
  int pings = 0;
  bool is_alive = true;
  const auto answers = [&](milliseconds wait_max) {
    EXPECT_EQ(wait_max, milliseconds(100));
    return is_alive;
  };
  Watchdog watchdog({{"one", [](milliseconds) { return true; }}, {"two", answers}},
                    milliseconds(600), [&] { ++pings; });

  watchdog.CheckOnce();
  EXPECT_EQ(pings, 1);

  is_alive = false;
  watchdog.CheckOnce();
  watchdog.CheckOnce();
  EXPECT_EQ(pings, 1);

  is_alive = true;
  watchdog.CheckOnce();
  EXPECT_EQ(pings, 2);
}

TEST(Watchdog, ItsThreadChecksAtOnceAndStopsWithoutWaiting) {
  Mutex mutex;
  CondVar changed;
  int pings = 0;
  Watchdog watchdog({}, std::chrono::hours(3), [&] {
    const MutexLock lock(mutex);
    ++pings;
    changed.NotifyAll();
  });

  watchdog.Start();
  {
    const MutexLock lock(mutex);
    while (pings == 0) changed.Wait(mutex);
  }
  watchdog.Stop();

  EXPECT_EQ(pings, 1);
}

TEST(WatchdogPeriod, IsThatOfTheServiceManagerForThisProcess) {
  ::unsetenv("WATCHDOG_PID");
  ::unsetenv("WATCHDOG_USEC");
  EXPECT_EQ(WatchdogPeriod(), std::nullopt);

  ::setenv("WATCHDOG_USEC", "30000000", 1);
  EXPECT_EQ(WatchdogPeriod(), milliseconds(30'000));
  ::setenv("WATCHDOG_PID", std::to_string(::getpid()).c_str(), 1);
  EXPECT_EQ(WatchdogPeriod(), milliseconds(30'000));

  ::setenv("WATCHDOG_PID", "1", 1);
  EXPECT_EQ(WatchdogPeriod(), std::nullopt);
  ::unsetenv("WATCHDOG_PID");
  for (const char* nonsense : {"", "0", "x", "999", "-1", "99999999999999999999"}) {
    ::setenv("WATCHDOG_USEC", nonsense, 1);
    EXPECT_EQ(WatchdogPeriod(), std::nullopt) << nonsense;
  }
  ::unsetenv("WATCHDOG_USEC");
}

class LivenessTest : public testing::Test {
 protected:
  LivenessTest() {
    DbServiceOptions options;
    options.data_dir = folder_.path() + "/data";
    auto opened = DbService::Open(std::move(options));
    EXPECT_TRUE(opened.has_value()) << opened.error().message;
    service_ = *std::move(opened);
  }

  const ScratchFolder folder_;
  std::unique_ptr<DbService> service_;
};

// The pipeline's thread hangs from the construction on until the release.
class HungPipeline {
 public:
  explicit HungPipeline(DbService& service) {
    writer_ = std::thread([this, &service] {
      const Status written = service.Write([this](Transaction&) -> Status {
        hung_.count_down();
        released_.wait();
        return {};
      });
      EXPECT_TRUE(written.has_value());
    });
    hung_.wait();
  }
  void Release() {
    released_.count_down();
    writer_.join();
  }

 private:
  std::latch hung_{1}, released_{1};
  std::thread writer_;
};

TEST_F(LivenessTest, ThePipelineAnswersAndNothingIsWritten) {
  PipelineProbe probe(*service_);

  EXPECT_TRUE(probe.Answers(kLong));
  EXPECT_TRUE(probe.Answers(kLong));

  EXPECT_EQ(service_->GetStatus().last_sequence, 0u);
}

TEST_F(LivenessTest, APipelineThatHangsDoesNotAnswerAndOneThatGoesOnDoes) {
  HungPipeline pipeline(*service_);
  PipelineProbe probe(*service_);

  EXPECT_FALSE(probe.Answers(kShort));
  EXPECT_FALSE(probe.Answers(kShort)) << "the same write still waits";
  pipeline.Release();

  EXPECT_TRUE(probe.Answers(kLong));
}

TEST_F(LivenessTest, AProbeMayGoWhileItsWriteWaits) {
  HungPipeline pipeline(*service_);
  auto probe = std::make_unique<PipelineProbe>(*service_);
  EXPECT_FALSE(probe->Answers(kShort));

  probe.reset();
  pipeline.Release();

  EXPECT_TRUE(service_->Close().has_value());
}

TEST_F(LivenessTest, ADoorAnswersAndOneThatIsClosedDoesNot) {
  RespServerOptions options;
  options.port = 0;
  options.threads = 1;
  options.password = "secret";  // refusing strangers is an answer
  RespServer server(*service_, options);
  ASSERT_TRUE(server.Start().has_value());
  const std::uint16_t port = server.port();

  EXPECT_TRUE(DoorAnswers("127.0.0.1", port, "PING\r\n", kLong));
  EXPECT_FALSE(DoorAnswers("127.0.0.1", port, "", kShort)) << "nobody has asked for anything";
  server.Stop(milliseconds(0));

  EXPECT_FALSE(DoorAnswers("127.0.0.1", port, "PING\r\n", kLong));
  EXPECT_FALSE(DoorAnswers("nowhere", port, "PING\r\n", kLong));
}

}  // namespace
}  // namespace switchback
