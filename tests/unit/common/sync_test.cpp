#include "common/sync.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <thread>
#include <vector>

namespace switchback {
namespace {

using namespace std::chrono_literals;

TEST(Sync, AMutexLetsOneInAtATime) {
  Mutex mutex;
  int count = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int k = 0; k < 5000; ++k) {
        MutexLock lock(mutex);
        ++count;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(count, 20000);
}

TEST(Sync, AWaitEndsByANotificationOrTheDeadline) {
  Mutex mutex;
  CondVar condition;
  bool is_set = false;
  std::thread setter([&] {
    MutexLock lock(mutex);
    is_set = true;
    condition.NotifyAll();
  });
  {
    MutexLock lock(mutex);
    while (!is_set) condition.Wait(mutex);
  }
  setter.join();
  MutexLock lock(mutex);
  // Wake-ups for no reason are allowed: sooner or later the deadline ends it.
  while (condition.WaitUntil(mutex, std::chrono::steady_clock::now())) {
  }
  EXPECT_TRUE(is_set);
}

TEST(Sync, ManyReadersShareALock) {
  SharedMutex mutex;
  std::latch all_inside(3);
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&] {
      SharedLock lock(mutex);
      all_inside.arrive_and_wait();  // hangs if they exclude each other
    });
  }
  for (std::thread& reader : readers) reader.join();
}

TEST(Sync, AWriterExcludesReadersAndIsNotStarved) {
  SharedMutex mutex;
  std::atomic<bool> stop{false};
  long a = 0, b = 0;
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&] {
      while (!stop) {
        SharedLock lock(mutex);
        EXPECT_EQ(a, b);
      }
    });
  }
  for (int i = 0; i < 200; ++i) {  // never ends when readers in a loop keep it out
    ExclusiveLock lock(mutex);
    ++a;
    ++b;
  }
  stop = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(a, 200);
}

}  // namespace
}  // namespace switchback
