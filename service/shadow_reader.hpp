// Shadow reads: a share of the keys that clients read is compared in both stores, off the answers'
// path. The reader of a key puts its name into a bounded queue and goes on; one thread looks the
// keys up in both stores.
//
// Why a mismatch is never a false one: two snapshots at different positions of the log may differ
// because of a write that one store has yet to apply. So what differs in a first, cheap look is
// read again with both stores at one position (service/store_pair.hpp), and only what differs there
// counts.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "common/clock.hpp"
#include "common/limits.hpp"
#include "common/sync.hpp"
#include "flags/bucket.hpp"
#include "service/shadow_status.hpp"
#include "service/store_pair.hpp"

namespace switchback {

// Thread-safe, but for Stop, which comes last.
class ShadowReader {
 public:
  static constexpr std::size_t kQueueCountMax = 1024;
  static constexpr std::size_t kSampleCountMax = 100;  // the newest

  // `may_compare`: whether both stores are filled and follow the log. `access` outlives it.
  ShadowReader(FillAccess& access, std::function<bool()> may_compare);
  ~ShadowReader() { Stop(); }
  ShadowReader(const ShadowReader&) = delete;
  ShadowReader& operator=(const ShadowReader&) = delete;

  // Of kShareTotal; 0 = off. The thread is begun with the first share.
  void SetShare(std::uint32_t share) SB_EXCLUDES(mutex_);
  [[nodiscard]] std::uint32_t share() const { return share_.load(std::memory_order_relaxed); }
  // Ends the thread; what is queued is dropped.
  void Stop() SB_EXCLUDES(mutex_);

  // On the path of a read. Off, this is one relaxed load. Never waits.
  void Offer(const Collection& collection, std::string_view key) {
    if (const std::uint32_t share = this->share(); share != 0) [[unlikely]]
      OfferSome(share, collection, key);
  }

  [[nodiscard]] ShadowStatus GetStatus() const SB_EXCLUDES(mutex_);

  // Takes some of what is queued, the newest first, and compares it; the thread does that again and
  // again. Tests call it without a thread.
  void CompareQueued() SB_EXCLUDES(mutex_);

 private:
  struct Name {
    const Collection* collection = nullptr;
    std::string key;
  };
  struct Slot {
    const Collection* collection = nullptr;
    std::uint16_t key_size = 0;
    std::array<char, kKeyBytesMax> key;
  };
  void OfferSome(std::uint32_t share, const Collection& collection, std::string_view key);
  void Run() SB_EXCLUDES(mutex_);
  std::vector<Name> TakeQueued();
  // The names whose values differ in two snapshots, whatever their positions.
  Result<std::vector<Name>> FindSuspects(std::vector<Name> names);
  Status OpenViews();
  void CloseViews() noexcept;
  // Compares the suspects at one position. True when it could.
  bool JudgeSuspects() SB_EXCLUDES(mutex_);
  void CountError(std::size_t names);

  FillAccess& access_;
  const std::function<bool()> may_compare_;
  std::atomic<std::uint32_t> share_{0};
  std::atomic<std::uint64_t> checked_{0}, mismatches_{0}, dropped_{0}, errors_{0};

  // The queue: whoever finds it taken drops its key instead of waiting.
  std::atomic_flag is_queue_taken_ = ATOMIC_FLAG_INIT;
  std::unique_ptr<std::array<Slot, kQueueCountMax>> queue_;
  std::size_t queue_count_ = 0;

  // CompareQueued's only.
  std::array<std::unique_ptr<ReadView>, kRoleCount> views_;
  StorePair pair_;
  std::vector<Name> suspects_;
  int suspect_attempts_ = 0;

  mutable Mutex mutex_;
  CondVar wake_;
  std::deque<ShadowMismatch> samples_ SB_GUARDED_BY(mutex_);
  bool is_stopping_ SB_GUARDED_BY(mutex_) = false;
  std::thread thread_ SB_GUARDED_BY(mutex_);
};

}  // namespace switchback
