#include "server/cli/top/top_feed.hpp"

namespace switchback {

TopFeed::TopFeed(ServerOptions options, std::chrono::milliseconds interval,
                 std::function<void()> on_news)
    : interval_(interval),
      on_news_(std::move(on_news)),
      source_(std::move(options), SystemClock()),
      thread_([this] { Run(); }) {}

TopFeed::~TopFeed() {
  {
    const MutexLock lock(mutex_);
    is_ending_ = true;
    changed_.NotifyAll();
  }
  thread_.join();
}

TopFeed::News TopFeed::Newest() const {
  const MutexLock lock(mutex_);
  return news_;
}

void TopFeed::SetPaused(bool is_paused) {
  const MutexLock lock(mutex_);
  is_paused_ = is_paused;
  changed_.NotifyAll();
}

bool TopFeed::WaitForTurn() {
  const auto deadline = std::chrono::steady_clock::now() + interval_;
  const MutexLock lock(mutex_);
  bool is_due = false;
  while (!is_ending_ && (!is_due || is_paused_)) {
    if (is_due) {
      changed_.Wait(mutex_);
    } else {
      is_due = !changed_.WaitUntil(mutex_, deadline);
    }
  }
  return !is_ending_;
}

void TopFeed::Run() {
  do {
    auto sample = source_.Take();
    {
      const MutexLock lock(mutex_);
      if (sample) news_.sample = std::make_shared<const TopSample>(*std::move(sample));
      news_.trouble = sample ? "" : sample.error().message;
    }
    on_news_();
  } while (WaitForTurn());
}

}  // namespace switchback
