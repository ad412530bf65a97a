// Asks for samples on a thread of its own, so that the screen answers keys while a server does not
// answer.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "common/sync.hpp"
#include "server/cli/top/top_sample.hpp"

namespace switchback {

// Thread-safe.
class TopFeed {
 public:
  struct News {
    std::shared_ptr<const TopSample> sample;  // the newest; null before the first
    std::string trouble;                      // why there is no newer one; "" = it is the newest
  };

  // `on_news` is called on the feed's thread after each attempt.
  TopFeed(ServerOptions options, std::chrono::milliseconds interval, std::function<void()> on_news);
  // Waits for an answer that is under way, kTopAnswerMax at most.
  ~TopFeed();
  TopFeed(const TopFeed&) = delete;
  TopFeed& operator=(const TopFeed&) = delete;

  [[nodiscard]] News Newest() const SB_EXCLUDES(mutex_);
  // Paused it asks for nothing.
  void SetPaused(bool is_paused) SB_EXCLUDES(mutex_);

 private:
  void Run() SB_EXCLUDES(mutex_);
  // False at the end.
  bool WaitForTurn() SB_EXCLUDES(mutex_);

  const std::chrono::milliseconds interval_;
  const std::function<void()> on_news_;
  TopSource source_;  // of the thread
  mutable Mutex mutex_;
  CondVar changed_;
  bool is_ending_ SB_GUARDED_BY(mutex_) = false;
  bool is_paused_ SB_GUARDED_BY(mutex_) = false;
  News news_ SB_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace switchback
