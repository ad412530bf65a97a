// All connected clients, for CLIENT LIST, CLIENT KILL and INFO, which one connection asks about
// others on other threads.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/clock.hpp"
#include "common/sync.hpp"

namespace switchback {

struct Command;

// What others may see of a client. Thread-safe: written by its own io thread, read by any.
class ClientInfo {
 public:
  // `kill` asks the connection to close, from any thread; it must not block.
  ClientInfo(std::uint64_t id, std::string address, std::string local_address, int descriptor,
             SteadyTime connected_at, std::function<void()> kill)
      : id_(id),
        address_(std::move(address)),
        local_address_(std::move(local_address)),
        descriptor_(descriptor),
        connected_at_(connected_at),
        kill_(std::move(kill)),
        last_active_(connected_at) {}

  [[nodiscard]] std::uint64_t id() const { return id_; }
  [[nodiscard]] const std::string& address() const { return address_; }
  [[nodiscard]] const std::string& local_address() const { return local_address_; }
  [[nodiscard]] SteadyTime last_active() const { return last_active_.load(kRelaxed); }
  void Kill() const { kill_(); }

  void SetName(std::string name) SB_EXCLUDES(mutex_);
  [[nodiscard]] std::string Name() const SB_EXCLUDES(mutex_);
  void SetLibrary(std::string name, std::string version) SB_EXCLUDES(mutex_);
  [[nodiscard]] std::string LibraryName() const SB_EXCLUDES(mutex_);
  [[nodiscard]] std::string LibraryVersion() const SB_EXCLUDES(mutex_);
  void SetCollection(std::string name, int number) SB_EXCLUDES(mutex_);

  void SetLastCommand(const Command* command) { last_command_.store(command, kRelaxed); }
  void SetLastActive(SteadyTime now) { last_active_.store(now, kRelaxed); }
  void SetResp(int version) { resp_.store(version, kRelaxed); }
  // -1 outside MULTI.
  void SetQueuedCount(int count) { queued_count_.store(count, kRelaxed); }
  void SetWatchedCount(int count) { watched_count_.store(count, kRelaxed); }

  // One line of CLIENT LIST, without a line end, in the fields of Redis 7.0.
  [[nodiscard]] std::string Describe(SteadyTime now) const SB_EXCLUDES(mutex_);

 private:
  static constexpr std::memory_order kRelaxed = std::memory_order_relaxed;

  const std::uint64_t id_;
  const std::string address_;
  const std::string local_address_;
  const int descriptor_;
  const SteadyTime connected_at_;
  const std::function<void()> kill_;
  std::atomic<SteadyTime> last_active_;
  std::atomic<const Command*> last_command_{nullptr};
  std::atomic<int> resp_{2};
  std::atomic<int> queued_count_{-1};
  std::atomic<int> watched_count_{0};
  mutable Mutex mutex_;
  std::string name_ SB_GUARDED_BY(mutex_);
  std::string library_name_ SB_GUARDED_BY(mutex_);
  std::string library_version_ SB_GUARDED_BY(mutex_);
  std::string collection_ SB_GUARDED_BY(mutex_);
  int collection_number_ SB_GUARDED_BY(mutex_) = 0;
};

// Thread-safe.
class ClientRegistry {
 public:
  std::uint64_t NextId() { return next_id_.fetch_add(1, std::memory_order_relaxed); }
  void Add(std::shared_ptr<ClientInfo> client) SB_EXCLUDES(mutex_);
  void Remove(std::uint64_t id) SB_EXCLUDES(mutex_);
  // By id, which is the order of connecting.
  [[nodiscard]] std::vector<std::shared_ptr<ClientInfo>> All() const SB_EXCLUDES(mutex_);
  [[nodiscard]] std::size_t count() const SB_EXCLUDES(mutex_);

 private:
  std::atomic<std::uint64_t> next_id_{1};
  mutable Mutex mutex_;
  std::map<std::uint64_t, std::shared_ptr<ClientInfo>> clients_ SB_GUARDED_BY(mutex_);
};

}  // namespace switchback
