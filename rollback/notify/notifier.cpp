#include "rollback/notify/notifier.hpp"

#include <future>

#include "common/log.hpp"

namespace switchback {

Notifier::Notifier(NotifierOptions options, std::vector<NotifierSink> sinks, const Clock& clock)
    : options_(std::move(options)), clock_(clock) {
  if (sinks.empty()) return;
  std::vector<std::string> names;
  for (const NotifierSink& sink : sinks) names.push_back(sink.name);
  spool_ = std::make_unique<Spool>(options_.path, names, options_.waiting_max);
  for (NotifierSink& sink : sinks) {
    workers_.push_back(std::make_unique<SinkWorker>(std::move(sink.name), std::move(sink.sink),
                                                    std::move(sink.filter), *spool_, clock_,
                                                    options_.retry));
  }
}

void Notifier::Start() {
  if (workers_.empty()) return;
  thread_ = std::thread([this] { Run(); });
  for (const auto& worker : workers_) worker->Start();
}

void Notifier::Stop() {
  CancelTests();
  {
    MutexLock lock(mutex_);
    is_stopping_ = true;
    changed_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
  for (const auto& worker : workers_) worker->Stop();
}

void Notifier::Publish(Notification notification) {
  if (workers_.empty()) return;
  if (notification.id.empty()) notification.id = NewNotificationId();
  if (notification.time == WallTime{}) notification.time = clock_.WallNow();
  if (notification.source.empty()) notification.source = options_.source;
  MutexLock lock(mutex_);
  published_.push_back(std::move(notification));
  if (published_.size() > options_.waiting_max) {
    const Notification& oldest = published_.front();
    LogWarning("notification {} ({}) is dropped: there are too many", oldest.id, oldest.kind);
    Spool::Dropped dropped;
    for (const auto& worker : workers_) {
      if (worker->Wants(oldest.kind)) ++dropped[worker->name()];
    }
    CountDropped(dropped);
    published_.pop_front();
  }
  changed_.NotifyAll();
}

void Notifier::Run() {
  while (true) {
    Notification next;
    {
      MutexLock lock(mutex_);
      while (!is_stopping_ && published_.empty()) changed_.Wait(mutex_);
      if (published_.empty()) return;  // only then, so that a stop loses nothing
      next = std::move(published_.front());
      published_.pop_front();
      is_keeping_ = true;
    }
    Keep(next);
    MutexLock lock(mutex_);
    is_keeping_ = false;
    changed_.NotifyAll();
  }
}

void Notifier::Keep(const Notification& notification) {
  std::vector<std::string> names;
  for (const auto& worker : workers_) {
    if (worker->Wants(notification.kind)) names.push_back(worker->name());
  }
  if (names.empty()) return;
  const auto dropped = spool_->Append(notification, names);
  if (!dropped.empty())
    LogWarning("notifications: more than {} wait; the oldest are dropped", options_.waiting_max);
  CountDropped(dropped);
  for (const auto& worker : workers_) worker->Wake();
}

void Notifier::CountDropped(const Spool::Dropped& dropped) {
  for (const auto& worker : workers_) {
    if (const auto found = dropped.find(worker->name()); found != dropped.end())
      worker->AddDropped(found->second);
  }
}

void Notifier::Flush() {
  MutexLock lock(mutex_);
  while (!published_.empty() || is_keeping_) changed_.Wait(mutex_);
}

Result<std::vector<TestOutcome>> Notifier::Test(const std::string& sink) {
  Notification test;
  test.id = NewNotificationId();
  test.time = clock_.WallNow();
  test.kind = kTestNotification;
  test.title = "A test of switchback's notifications";
  test.text = "Somebody has asked for it; nothing has happened.";
  test.source = options_.source;
  const auto is_cancelled = [this] { return is_test_cancelled_.load(); };
  std::vector<std::pair<std::string, std::future<SinkOutcome>>> tests;
  for (const auto& worker : workers_) {
    if (!sink.empty() && sink != worker->name()) continue;
    tests.emplace_back(worker->name(), std::async(std::launch::async, [&, raw = worker.get()] {
                         return raw->Test(test, is_cancelled);
                       }));
  }
  if (tests.empty())
    return Fail(ErrorCode::kNotFound,
                workers_.empty()
                    ? "nobody is notified: name sinks as \"notifications\" in the configuration"
                    : "there is no sink of that name: see `switchback notify status`");
  std::vector<TestOutcome> outcomes;
  for (auto& [name, outcome] : tests) outcomes.push_back({name, outcome.get()});
  return outcomes;
}

std::vector<SinkStatus> Notifier::GetStatus() const {
  std::vector<SinkStatus> statuses;
  for (const auto& worker : workers_) statuses.push_back(worker->GetStatus());
  return statuses;
}

}  // namespace switchback
