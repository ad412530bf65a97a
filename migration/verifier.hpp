// Compares both stores under live writes, once or for ever, names every record that differs, and
// repairs them when asked to. The thread, the pace, the memory of it in the journal; what is
// compared and why that is a proof: comparison.hpp.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "common/clock.hpp"
#include "common/result.hpp"
#include "common/sync.hpp"
#include "migration/comparison.hpp"
#include "migration/journal.hpp"
#include "migration/rate_meter.hpp"
#include "migration/verify_findings.hpp"
#include "migration/verify_record.hpp"
#include "migration/verify_status.hpp"
#include "service/db_service.hpp"

namespace switchback {

struct VerifierOptions {
  ComparisonOptions comparison;  // its `collections` are those of VerifyOptions
  WindowBudget window;
  // How long a pass waits for stores that cannot be compared just now; a continuous one: for ever.
  std::chrono::milliseconds busy_max{60000};
  // At most this much of the comparing is done again after a crash.
  std::chrono::milliseconds store_interval{2000};
  std::uint64_t named_count_max = 1000000;  // differences past it are only counted
};

// Thread-safe; one verify at a time. `service`, `journal` and `clock` outlive it. Stop it before
// the service is closed.
class Verifier {
 public:
  Verifier(DbService& service, Journal& journal, const Clock& clock, VerifierOptions options = {});
  ~Verifier() { Stop(); }
  Verifier(const Verifier&) = delete;
  Verifier& operator=(const Verifier&) = delete;

  // Called with the status at the end of each pass, on the verifier's thread. Set it before the
  // first Start. It must not call the verifier.
  using OnEnd = std::function<void(const VerifyStatus&)>;
  void SetOnEnd(OnEnd on_end) { on_end_ = std::move(on_end); }

  // Begins a verify and returns. It goes on where an interrupted, cancelled or failed one of the
  // same collections stopped, unless a fill began since or `is_fresh`. Errors: kConflict (one is
  // running: the message says whose), kRefused (a store is not filled; the role to repair from is
  // not in sync), kNotFound (no store has such a collection), else the journal's.
  Status Start(VerifyOptions options, std::string actor) SB_EXCLUDES(mutex_);
  // For the start of the server: goes on with what a stop or a crash has interrupted. Nothing to
  // do is no error.
  Status ResumeIfInterrupted() SB_EXCLUDES(mutex_);
  // Ends it after the window at hand, in the background. kNotFound when none is running.
  Status Cancel() SB_EXCLUDES(mutex_);
  // From now on, 0 = as fast as it goes. kNotFound when none is running.
  Status SetRate(std::uint64_t bytes_per_second) SB_EXCLUDES(mutex_);
  [[nodiscard]] VerifyStatus GetStatus() const SB_EXCLUDES(mutex_);
  // The records that the newest verify found to differ and that are not repaired. At most
  // `count_max`, in order, beginning after (collection, key). Errors: the journal's.
  Result<std::vector<NamedDifference>> Differences(std::string_view after_collection,
                                                   std::string_view after_key,
                                                   std::size_t count_max);
  // Ends the thread after the window at hand and leaves the verify to be resumed. Idempotent.
  void Stop() SB_EXCLUDES(mutex_);

 private:
  enum class Ending : std::uint8_t { kNo, kCancel, kStop };

  // --- verifier.cpp: any thread ---
  Status StartLocked(VerifyOptions options, std::string actor) SB_REQUIRES(mutex_);
  Status CheckFit(const VerifyOptions& options) const;
  Status CheckCollections(const std::vector<std::string>& wanted);
  Result<VerifyRecord> NewRecord(VerifyOptions options, std::string actor);
  Result<bool> MayResume(const VerifyRecord& last, const VerifyOptions& options);
  void StartThread(VerifyRecord record) SB_REQUIRES(mutex_);

  // --- verifier_thread.cpp: the verifier's thread only ---
  void Run();
  Status RunPass();
  Status CompareAll();
  Status AddWindow(const Comparison& comparison, const Window& window);
  Status AddDifferences(const std::vector<Difference>& differences);
  Status Repair();
  Status RepairPage(std::span<const RecordName> records);
  Result<std::vector<Difference>> RecheckWhenPossible(std::span<const RecordName> records,
                                                      std::uint64_t sequence_min);
  void EndPass(const Status& outcome);
  void EndOperation(const std::string& status);
  Status StoreRecord();
  // Waits a little after an error that may pass; returns it when it does not.
  Status WaitOut(const Error& error);
  void Throttle(std::uint64_t bytes);
  [[nodiscard]] WindowBudget Budget() const;
  [[nodiscard]] Status CheckEnding() const;
  void Wait(std::chrono::milliseconds time) SB_EXCLUDES(mutex_);
  void Publish(bool is_end = false) SB_EXCLUDES(mutex_);
  [[nodiscard]] VerifyStatus StatusOf(const VerifyRecord& record) const;

  DbService& service_;
  Journal& journal_;
  VerifyFindings findings_;
  const Clock& clock_;
  const VerifierOptions options_;
  OnEnd on_end_;

  std::atomic<Ending> ending_{Ending::kNo};
  std::atomic<std::uint64_t> bytes_per_second_{0};

  mutable Mutex mutex_;
  CondVar wake_;
  VerifyStatus status_ SB_GUARDED_BY(mutex_);
  bool is_running_ SB_GUARDED_BY(mutex_) = false;
  std::thread thread_ SB_GUARDED_BY(mutex_);

  // The verifier's thread only, while it runs.
  VerifyRecord record_;
  ComparisonProgress reached_;  // at or past the record's: what people are shown
  std::uint64_t records_total_ = 0;
  RateMeter records_rate_;
  RateMeter bytes_rate_;
  std::optional<SteadyTime> busy_since_;
  SteadyTime stored_at_{};
  std::uint64_t records_since_start_ = 0;
  std::uint64_t bytes_since_start_ = 0;
  std::uint64_t differences_since_start_ = 0;
  std::uint64_t passes_since_start_ = 0;
  std::string waiting_;
  std::string repair_refusal_;
};

}  // namespace switchback
