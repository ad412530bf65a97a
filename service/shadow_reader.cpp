#include "service/shadow_reader.hpp"

#include <pthread.h>
#include <sched.h>
#include <time.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "common/check.hpp"
#include "common/log.hpp"

namespace switchback {
namespace {

using WaitClock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kIntervalMin{20};
// The thread works at most a hundredth of its time, in short turns: on a machine whose processors
// are all wanted, what it takes is felt by the real reads, and fewer than one in a hundred of them
// must feel it. That is still some 2,000 keys a second.
constexpr int kIdleParts = 99;
constexpr std::size_t kTurnCountMax = 64;
constexpr std::size_t kSuspectCountMax = 4096;
// How often suspects that cannot be judged just now are tried again.
constexpr int kSuspectAttemptsMax = 100;

// From now on this thread runs only where nothing else wants to: a burst of comparing must not
// keep a client's answer from a core. On a machine that has no time left keys are dropped, counted.
void RunWhenIdle() {
  const sched_param none{};
  if (const int error = pthread_setschedparam(pthread_self(), SCHED_IDLE, &none); error != 0)
    LogInfo("shadow reads run at ordinary priority: {}", std::strerror(error));
}

std::chrono::nanoseconds ThreadTime() {
  timespec time{};
  SB_CHECK(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time) == 0, "every thread has a clock");
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

// Cheap and different in every thread; good enough to pick a share.
std::uint32_t NextRandom() {
  thread_local std::uint64_t state = 0;
  if (state == 0)
    state = static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(&state)) |
            1;  // NOLINT(cppcoreguidelines-pro-type-reinterpret-cast): only a seed
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return static_cast<std::uint32_t>(state >> 32);
}

}  // namespace

ShadowReader::ShadowReader(FillAccess& access, std::function<bool()> may_compare)
    : access_(access),
      may_compare_(std::move(may_compare)),
      queue_(std::make_unique<std::array<Slot, kQueueCountMax>>()),
      pair_(access) {}

void ShadowReader::SetShare(std::uint32_t share) {
  SB_CHECK(share <= kShareTotal, "a share is a part of the whole");
  MutexLock lock(mutex_);
  share_.store(share, std::memory_order_relaxed);
  if (is_stopping_) return;
  if (share > 0 && !thread_.joinable()) thread_ = std::thread([this] { Run(); });
  wake_.NotifyAll();
}

void ShadowReader::Stop() {
  std::thread thread;
  {
    MutexLock lock(mutex_);
    is_stopping_ = true;
    share_.store(0, std::memory_order_relaxed);
    thread = std::move(thread_);
    wake_.NotifyAll();
  }
  if (thread.joinable()) thread.join();
}

void ShadowReader::OfferSome(std::uint32_t share, const Collection& collection,
                             std::string_view key) {
  if (share < kShareTotal && NextRandom() % kShareTotal >= share) return;
  if (key.empty() || key.size() > kKeyBytesMax) return;  // no store has it
  if (!collection.IsHeldBy(Index(Role::kLegacy)) || !collection.IsHeldBy(Index(Role::kUnified)))
    return;  // one has nothing to compare
  if (is_queue_taken_.test_and_set(std::memory_order_acquire)) {
    dropped_.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  const bool has_room = queue_count_ < kQueueCountMax;
  if (has_room) {
    Slot& slot = (*queue_)[queue_count_++];
    slot.collection = &collection;
    slot.key_size = static_cast<std::uint16_t>(key.size());
    std::memcpy(slot.key.data(), key.data(), key.size());
  }
  is_queue_taken_.clear(std::memory_order_release);
  if (!has_room) dropped_.fetch_add(1, std::memory_order_relaxed);
}

void ShadowReader::Run() {
  RunWhenIdle();
  while (true) {
    const auto before = ThreadTime();
    CompareQueued();
    const auto pause =
        std::max<SteadyTime::duration>(kIntervalMin, kIdleParts * (ThreadTime() - before));
    const SteadyTime ended = WaitClock::now();
    MutexLock lock(mutex_);
    while (!is_stopping_ && share() == 0 && suspects_.empty()) wake_.Wait(mutex_);
    while (!is_stopping_ && wake_.WaitUntil(mutex_, ended + pause)) {
    }
    if (is_stopping_) return;
  }
}

void ShadowReader::CompareQueued() {
  std::vector<Name> names = TakeQueued();
  if (!may_compare_()) {
    dropped_ += names.size() + suspects_.size();
    suspects_.clear();
    return;
  }
  if (!names.empty()) {
    const std::size_t count = names.size();
    auto differing = FindSuspects(std::move(names));
    if (!differing) return CountError(count);
    checked_ += count - differing->size();
    for (Name& name : *differing) {
      if (suspects_.size() < kSuspectCountMax) {
        suspects_.push_back(std::move(name));
      } else {
        ++dropped_;
      }
    }
  }
  if (suspects_.empty()) return;
  if (JudgeSuspects() || ++suspect_attempts_ >= kSuspectAttemptsMax) {
    dropped_ += suspects_.size();  // none after a judgement
    suspects_.clear();
    suspect_attempts_ = 0;
  }
}

std::vector<ShadowReader::Name> ShadowReader::TakeQueued() {
  std::vector<Name> names;
  while (is_queue_taken_.test_and_set(std::memory_order_acquire)) std::this_thread::yield();
  names.reserve(kTurnCountMax);
  while (queue_count_ > 0 && names.size() < kTurnCountMax) {
    const Slot& slot = (*queue_)[--queue_count_];
    names.push_back({slot.collection, std::string(slot.key.data(), slot.key_size)});
  }
  is_queue_taken_.clear(std::memory_order_release);
  return names;
}

Status ShadowReader::OpenViews() {
  for (const Role role : kRoles) {
    auto& view = views_[Index(role)];
    if (!view) {
      auto made = access_.NewStoreView(role);
      if (!made) return Fail(made.error());
      view = *std::move(made);
    }
    SB_RETURN_IF_ERROR(view->Begin());
  }
  return {};
}

void ShadowReader::CloseViews() noexcept {
  for (auto& view : views_) {
    if (view) view->End();
  }
}

Result<std::vector<ShadowReader::Name>> ShadowReader::FindSuspects(std::vector<Name> names) {
  Status outcome = OpenViews();
  std::vector<Name> suspects;
  for (std::size_t i = 0; outcome && i < names.size(); ++i) {
    Name& name = names[i];
    const auto legacy = views_[Index(Role::kLegacy)]->Get(*name.collection, name.key);
    const auto unified = views_[Index(Role::kUnified)]->Get(*name.collection, name.key);
    if (!legacy) outcome = Fail(legacy.error());
    if (!unified) outcome = Fail(unified.error());
    if (legacy && unified && *legacy != *unified) suspects.push_back(std::move(name));
  }
  CloseViews();
  if (!outcome) return Fail(outcome.error());
  return suspects;
}

bool ShadowReader::JudgeSuspects() {
  std::set<std::pair<const Collection*, std::string_view>> wanted;
  for (const Name& name : suspects_) wanted.emplace(name.collection, name.key);
  const auto is_needed = [&](const Effect& effect) {
    return wanted.count({effect.collection, effect.key}) > 0;
  };
  if (auto opened = pair_.Begin(is_needed); !opened) return false;
  for (const Name& name : suspects_) {
    const auto values = pair_.GetDigests(*name.collection, name.key);
    if (!values) {
      CountError(1);
      continue;
    }
    ++checked_;
    if (values->is_equal()) continue;
    MutexLock lock(mutex_);
    ++mismatches_;  // with its sample: who sees the one sees the other
    samples_.push_front({name.collection->name, name.key, *values, pair_.sequence()});
    if (samples_.size() > kSampleCountMax) samples_.pop_back();
  }
  pair_.End();
  suspects_.clear();
  return true;
}

void ShadowReader::CountError(std::size_t names) {
  errors_ += names;
}

ShadowStatus ShadowReader::GetStatus() const {
  MutexLock lock(mutex_);
  ShadowStatus status;
  status.percentage = share() / 1000.0;
  status.checked = checked_;
  status.mismatches = mismatches_;
  status.dropped = dropped_;
  status.errors = errors_;
  status.samples.assign(samples_.begin(), samples_.end());
  return status;
}

}  // namespace switchback
