#include "backends/reader_gate.hpp"

#include <algorithm>
#include <thread>

#include "common/check.hpp"

namespace switchback {
namespace {

// Readers leave within a turn of an event loop, so the owner looks again soon. Polling keeps Leave
// down to one plain store.
constexpr std::chrono::microseconds kLookAgainAfter{50};

}  // namespace

void ReaderGate::Register(ParkableReader& reader) {
  MutexLock lock(mutex_);
  SB_CHECK(std::find(readers_.begin(), readers_.end(), &reader) == readers_.end(),
           "a reader registers once");
  readers_.push_back(&reader);
}

void ReaderGate::Unregister(ParkableReader& reader) {
  MutexLock lock(mutex_);
  SB_CHECK(!reader.is_inside_.load(std::memory_order_relaxed), "a snapshot ends before its reader");
  // Under the mutex: the owner may be about to close what these handles belong to.
  reader.DropHandles();
  const auto removed = std::erase(readers_, &reader);
  SB_CHECK(removed == 1, "only registered readers unregister");
}

Status ReaderGate::EnterSlowly(ParkableReader& reader) {
  const auto deadline = std::chrono::steady_clock::now() + kGateEnterWaitMax;
  while (true) {
    reader.is_inside_.store(false, std::memory_order_release);
    {
      MutexLock lock(mutex_);
      while (is_closed_.load(std::memory_order_relaxed)) {
        if (is_shut_) return Fail(ErrorCode::kUnavailable, "read: the store is closed");
        if (!opened_.WaitUntil(mutex_, deadline)) {
          return Fail(ErrorCode::kUnavailable, "read: the store has been reopening for too long");
        }
      }
    }
    reader.is_inside_.store(true, std::memory_order_seq_cst);
    if (!is_closed_.load(std::memory_order_seq_cst)) return {};
  }
}

bool ReaderGate::IsEmpty() const {
  MutexLock lock(mutex_);
  return std::none_of(readers_.begin(), readers_.end(), [](const ParkableReader* reader) {
    return reader->is_inside_.load(std::memory_order_seq_cst);
  });
}

Status ReaderGate::Close(std::chrono::milliseconds wait_max) {
  const bool was_closed = is_closed_.exchange(true, std::memory_order_seq_cst);
  SB_CHECK(!was_closed, "the gate has one owner, who closes it once");
  const auto deadline = std::chrono::steady_clock::now() + wait_max;
  while (!IsEmpty()) {
    if (std::chrono::steady_clock::now() >= deadline) {
      Open();
      return Fail(ErrorCode::kBusy, "readers did not end their snapshots in time");
    }
    std::this_thread::sleep_for(kLookAgainAfter);
  }
  return {};
}

void ReaderGate::Open() {
  MutexLock lock(mutex_);
  SB_CHECK(is_closed_.load(std::memory_order_relaxed), "only a closed gate opens");
  if (is_shut_) return;
  is_closed_.store(false, std::memory_order_seq_cst);
  opened_.NotifyAll();
}

void ReaderGate::DropAllHandles() {
  MutexLock lock(mutex_);
  SB_CHECK(is_closed_.load(std::memory_order_relaxed), "handles drop behind a closed gate");
  // A raised flag is no broken invariant here: Close saw everyone out, and whoever has come since
  // raises it only until it sees the gate closed.
  for (ParkableReader* reader : readers_) reader->DropHandles();
}

void ReaderGate::Shut() {
  MutexLock lock(mutex_);
  SB_CHECK(is_closed_.load(std::memory_order_relaxed), "a gate closes before it is shut");
  is_shut_ = true;
  opened_.NotifyAll();
}

}  // namespace switchback
