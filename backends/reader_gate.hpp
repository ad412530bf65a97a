// Lets a backend's owner park all readers for a moment: LMDB may change its map size, and either
// engine may close and open again, only while no snapshot is open in the process, and the engines
// do not check that themselves (STORES.md, LMDB).
//
// A reader passes the gate at Begin and leaves it at End. That costs one atomic exchange and one
// load, since each reader has a flag of its own and nothing is shared that readers write (Dekker:
// the reader raises its flag, then looks whether the gate is closing; the owner closes the gate,
// then looks at the flags; with sequentially consistent order at least one of them sees the other).
#pragma once

#include <atomic>
#include <chrono>
#include <vector>

#include "common/result.hpp"
#include "common/sync.hpp"

namespace switchback {

// How long a reader waits in front of a closed gate before kUnavailable.
inline constexpr std::chrono::milliseconds kGateEnterWaitMax{3000};
// How long the owner waits for readers to leave, when it must (kBusy after it).
inline constexpr std::chrono::milliseconds kGateCloseWaitMax{1000};
// The same where it would merely be nice, such as growing a map well before it is full.
inline constexpr std::chrono::milliseconds kGateCloseWaitShort{20};

// A reader that can be parked: one thread at a time uses it.
class ParkableReader {
 public:
  virtual ~ParkableReader() = default;
  // Ends every engine handle the reader owns. Called with the gate closed, or by Unregister.
  virtual void DropHandles() noexcept = 0;

 private:
  friend class ReaderGate;
  std::atomic<bool> is_inside_{false};
};

// Enter and Leave: from readers' threads. Close, Open, Shut, DropAllHandles: from the owner's
// thread. Register and Unregister: from any.
class ReaderGate {
 public:
  // The reader is known from here to Unregister, which drops its handles.
  void Register(ParkableReader& reader) SB_EXCLUDES(mutex_);
  void Unregister(ParkableReader& reader) SB_EXCLUDES(mutex_);

  // Waits up to kGateEnterWaitMax while the gate is closed. Error: kUnavailable.
  Status Enter(ParkableReader& reader) SB_EXCLUDES(mutex_) {
    reader.is_inside_.store(true, std::memory_order_seq_cst);
    if (!is_closed_.load(std::memory_order_seq_cst)) [[likely]]
      return {};
    return EnterSlowly(reader);
  }
  void Leave(ParkableReader& reader) noexcept {
    reader.is_inside_.store(false, std::memory_order_release);
  }

  // Whether readers are wanted out: one that takes long looks now and then, and leaves.
  [[nodiscard]] bool is_closed() const { return is_closed_.load(std::memory_order_relaxed); }

  // On success no reader is inside and none gets in until Open. Error: kBusy, and the gate is open.
  // Must not be closed.
  Status Close(std::chrono::milliseconds wait_max) SB_EXCLUDES(mutex_);
  void Open() SB_EXCLUDES(mutex_);
  // Needs a closed gate.
  void DropAllHandles() SB_EXCLUDES(mutex_);
  // Closed for good: from now on Enter fails at once. Needs a closed gate.
  void Shut() SB_EXCLUDES(mutex_);

 private:
  Status EnterSlowly(ParkableReader& reader) SB_EXCLUDES(mutex_);
  bool IsEmpty() const SB_EXCLUDES(mutex_);

  std::atomic<bool> is_closed_{false};
  mutable Mutex mutex_;
  CondVar opened_;
  bool is_shut_ SB_GUARDED_BY(mutex_) = false;
  std::vector<ParkableReader*> readers_ SB_GUARDED_BY(mutex_);
};

// Closes the gate and opens it again on every path out of a scope.
class ClosedGate {
 public:
  ClosedGate(ReaderGate& gate, std::chrono::milliseconds wait_max)
      : gate_(gate), status_(gate.Close(wait_max)) {}
  ~ClosedGate() {
    if (status_) gate_.Open();
  }
  ClosedGate(const ClosedGate&) = delete;
  ClosedGate& operator=(const ClosedGate&) = delete;

  // Whether it worked; kBusy when readers did not leave in time.
  [[nodiscard]] const Status& status() const { return status_; }

 private:
  ReaderGate& gate_;
  const Status status_;
};

}  // namespace switchback
