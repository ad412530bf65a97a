// DbService: one set of collections over two stores. Reads are answered by the role the flag routes
// a key to; writes go through one commit log that both stores follow. This is the library's front
// door; docs/architecture.md explains what is behind it.
//
//   auto service = DbService::Open({.data_dir = "/var/lib/app"});
//   auto session = (*service)->NewSession();
//   const Collection* users = *(*service)->catalog().Intern("users");
//   (*service)->Put(*users, "alice", "1");
//   auto value = session->Get(*users, "alice");
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backends/backend.hpp"
#include "common/clock.hpp"
#include "common/limits.hpp"
#include "common/result.hpp"
#include "flags/flag_snapshot.hpp"
#include "flags/flag_store.hpp"
#include "service/fill.hpp"
#include "service/metrics.hpp"
#include "service/pinned_stores.hpp"
#include "service/role.hpp"
#include "service/shadow_status.hpp"
#include "service/transaction.hpp"

namespace switchback {

enum class AckMode : std::uint8_t {
  kLog,     // a write is answered when its batch is durable in the log
  kStores,  // ... and durable in every store that is in service
};

struct DbServiceOptions {
  std::string data_dir;
  std::string
      legacy_path;  // adopt this LMDB environment (directory or file); "" = <generation>/legacy
  std::string unified_path;  // "" = <generation>/unified.sqlite
  AckMode ack = AckMode::kLog;
  std::size_t value_bytes_max = kValueBytesMaxDefault;
  std::size_t memtable_bytes_max = kMemtableBytesMaxDefault;
  std::size_t memtable_record_count_max = kMemtableRecordCountMaxDefault;
  std::uint64_t log_file_bytes = kLogFileBytesDefault;
  std::uint64_t log_bytes_max = kLogBytesMaxDefault;
  // Given each file of the commit log that nothing here needs any more, on a thread of the service:
  // it has to take it away, quickly. Empty: they are used again or removed.
  std::function<void(const std::string& path)> take_log_file = {};
  const Clock* clock = &SystemClock();
};

// States of a follower; docs/architecture.md has the diagram, service/follower_state.hpp the table.
enum class FollowerState : std::uint8_t { kDetached, kBackfilling, kCatchingUp, kInSync, kFailed };
const char* FollowerStateName(
    FollowerState state);  // "detached" "backfilling" "catching-up" "in-sync" "failed"

struct FollowerStatus {
  FollowerState state = FollowerState::kDetached;
  std::string engine;  // "lmdb", "sqlite"
  std::string path;
  std::string reason;              // why it is not in sync; "" when it is
  bool is_fill_under_way = false;  // asked for or running
  std::uint64_t applied_sequence = 0;
  std::uint64_t durable_sequence = 0;
  std::uint64_t lag_batches = 0;     // last_sequence - applied_sequence
  std::chrono::milliseconds lag{0};  // age of the oldest batch it has not applied
  std::uint64_t apply_failures = 0;
  BackendStats store;
  std::vector<UnservableCollection> unservable;
  std::vector<std::string> collections;  // those it holds; none = all
};

// Who may have writes refused, each on its own.
enum class WriteHold : std::uint8_t { kSafeMode, kReadOnlyFlag };
inline constexpr std::size_t kWriteHoldCount = 2;

// How the flag stands: what is asked for, and what is in effect.
struct RoutingStatus {
  std::uint64_t flag_revision = 0;
  double desired_percentage = 0;    // of keys that the flag sends to unified
  double effective_percentage = 0;  // 0 while a flip is refused or unified is not in sync
  // The same of collections that have a flag of their own.
  std::map<std::string, double> overrides = {};
  bool is_refused =
      false;  // the newest flag asked for unified when it could not serve; set it again once it can
  std::string hold_reason;  // why every key goes to legacy whatever the flags say; "" = none does
  std::string reason;       // why effective differs from desired; "" when it does not
  std::uint64_t flips = 0;  // changes of the effective routing since start
};

struct ServiceStatus {
  std::string generation;           // "gen-1"
  std::string previous_generation;  // in use before, and still there; "" = none
  std::string stage;                // off dualwrite shadow live rampdown complete
  std::string log_id;
  std::uint64_t epoch = 0;
  std::uint64_t last_sequence = 0;
  RoutingStatus routing;
  std::array<FollowerStatus, kRoleCount> followers;
  bool is_legacy_retired = false;          // it was let go; what serves as legacy is another one
  std::vector<std::string> kept_legacies;  // where those lie that were let go
  std::uint64_t memtable_bytes = 0, memtable_records = 0, memtable_segments = 0;
  std::uint64_t memtable_bytes_max = 0, memtable_records_max = 0;
  std::uint64_t log_bytes = 0, log_files = 0, log_first_sequence = 0;
  bool is_log_failed = false;  // writes are refused; reads go on
  std::string log_error;
  std::string write_hold_reason;  // why writes are refused with kReadOnly; "" = they are not
  std::uint64_t queue_bytes = 0;
  std::uint64_t writes = 0, write_errors = 0, batches = 0;
  std::uint64_t backpressure_waits = 0, backpressure_refusals = 0;
  HistogramSnapshot write_latency;  // Submit to Done
  HistogramSnapshot log_sync;       // one append and fdatasync
  ShadowStatus shadow_reads;
};

// Reads of one thread. Snapshots are held from the first read of a turn until EndTurn: call EndTurn
// when the event loop turns, or after each use, and before a write that blocks: a restore waits for
// snapshots while it lets writes wait. A forgotten turn makes both store files grow.
class Session : public RecordReader {
 public:
  virtual void EndTurn() noexcept = 0;
};

// Thread-safe, except that Close and the destructor come last.
class DbService {
 public:
  // Takes the lock of the data directory (I8), opens both stores, recovers from the log, starts the
  // threads. Ready on return. Errors: kConflict (another process has the directory; message names
  // its pid), kRefused (the stores do not belong to this directory), kCorruption, kIo, kNoSpace.
  // Nothing is changed on kConflict and kRefused.
  static Result<std::unique_ptr<DbService>> Open(DbServiceOptions options);
  virtual ~DbService() = default;

  // Answers what is queued, then leaves both stores complete and durable on their own. Idempotent;
  // the destructor calls it.
  virtual Status Close() = 0;

  [[nodiscard]] virtual CollectionCatalog& catalog() = 0;
  // Publish flags here; routing follows at once. Whoever publishes calls JudgeFlags afterwards.
  [[nodiscard]] virtual FlagStore& flags() = 0;
  // Decides whether the newest flag snapshot may take effect: a flip to a store that is not filled
  // is refused and stays refused until flags are published again. Returns kRefused with what is
  // missing, for the caller's user.
  virtual Status JudgeFlags() = 0;
  // Sends every key to legacy whatever the flags say: no read that begins after the return asks
  // unified, as long as legacy may serve. "" ends that. What is in force does not outlive the
  // process.
  virtual void HoldRouting(const std::string& reason);
  // Refuses every write that is submitted after the return and would change something, with
  // kReadOnly and `reason`; reads go on. "" ends it, once no other holder has a reason. Does not
  // outlive the process.
  virtual void HoldWrites(WriteHold holder, const std::string& reason);
  // The same question as JudgeFlags' without an effect: may `rule` be put into force now?
  virtual Status MayApply(const FlagRule& rule) = 0;

  [[nodiscard]] virtual std::unique_ptr<Session> NewSession() = 0;

  // Hands a write to the pipeline. Never blocks; `op` must live until its Done.
  virtual void Submit(WriteOp& op) = 0;
  // The same, blocking until Done. `run` is WriteOp::Run.
  virtual Status Write(const std::function<Status(Transaction&)>& run) = 0;
  Status Put(const Collection& collection, std::string_view key, std::string_view value);
  Status Delete(const Collection& collection, std::string_view key);

  [[nodiscard]] virtual std::unique_ptr<WatchSet> NewWatchSet() = 0;

  // Names of the collections that exist now, sorted. From a store that holds them all.
  virtual Result<std::vector<std::string>> CollectionNames() = 0;

  // Waits until every attached store has applied and made durable all that was acknowledged before
  // the call. kBusy when `wait_max` passes first; the message names the store that holds it up.
  virtual Status Drain(std::chrono::milliseconds wait_max) = 0;

  // Waits until that role's store has applied all that was acknowledged before the call; cheaper
  // than Drain. kBusy when `wait_max` passes first.
  virtual Status CatchUp(Role role, std::chrono::milliseconds wait_max);

  // Removes every trace of Switchback from both stores; afterwards only destruction is allowed, and
  // the data directory says that it is detached. kRefused when a store is not in sync and `force`
  // is false.
  virtual Status Detach(bool force) = 0;

  [[nodiscard]] virtual ServiceStatus GetStatus() = 0;
  [[nodiscard]] virtual MetricsSnapshot GetMetrics() = 0;
  // By collection; sums more than GetMetrics does.
  [[nodiscard]] virtual std::vector<CollectionMetrics> GetCollectionMetrics();
  // What reads and followers met of late.
  [[nodiscard]] virtual const RecentErrors& recent_errors() const;

  // The operator's word that the legacy store, changed by another process (I8), is to be used as it
  // is. It catches up from the log and serves; unified, which may differ now, needs a new fill.
  // kRefused when it was not changed.
  virtual Status AcceptForeignLegacy() = 0;

  // Runs `task` on the thread that writes to that role's store, between two of its transactions,
  // and returns what it returned; the service goes on meanwhile, from the log and the memtable. The
  // task may use the backend as its owner does, and must leave the StoreState and the effects
  // applied so far as they are, or the store detached from service beforehand. kBusy when the
  // thread does not get to it within `wait_max` (it will not run then), kConflict when another
  // task is under way, kCancelled when stopping.
  using StoreTask = std::function<Status(Backend&)>;
  virtual Status RunOnStore(Role role, StoreTask task, std::chrono::milliseconds wait_max) = 0;

  // Shows every store in service at one batch, by letting each apply the log up to there and no
  // further until its snapshot is open; writers and readers notice nothing. Until the result is
  // destroyed the stores apply nothing more as long as the memtable has room for it: a held
  // snapshot then hardly makes them grow. One at a time (kConflict). kBusy when the stores do not
  // get there within `wait_max`, kUnavailable when none is in service.
  virtual Result<PinnedStores> PinStores(std::chrono::milliseconds wait_max);

  // Lets legacy go: takes it out of service, complete up to some batch and durable, removes every
  // trace of Switchback from it and leaves it where it is. From then on legacy is an empty store
  // elsewhere, to be filled when the way back is wanted. Calling it again after an error or a crash
  // goes on with it. Gives the path of what was kept. kRefused when unified is not in sync or holds
  // some collections only, kBusy when legacy did not keep up for `wait_max`.
  virtual Result<std::string> RetireLegacy(std::chrono::milliseconds wait_max) = 0;

  // --- Going over to other stores (a restore) ---
  // A name for a generation that is to be built beside the one in use, and its directory. What is
  // built there: the stores, which nobody has open, each with a StoreState that follows this log or
  // none (a store without one has to be filled), and stores.json by DescribeGeneration.
  struct GenerationPlace {
    std::string name;
    std::string path;
  };
  virtual GenerationPlace NewGeneration();
  // Where that generation's stores are; made durable. `has_legacy` false: legacy was let go.
  virtual Status DescribeGeneration(const std::string& name, const std::string& legacy_path,
                                    const std::string& unified_path, bool has_legacy);
  // Goes on with the stores of that generation, as a new epoch of the log. Clients wait meanwhile,
  // for some tens of milliseconds. After an error it goes on with the stores of before, and what
  // was built may be removed; after a crash it is the one or the other. The generation of before
  // stays as it was: its stores, and its log with what they lack. kBusy: a reader holds a snapshot
  // for too long, or a store does not answer; try again.
  virtual Status SwitchGeneration(const std::string& name, std::chrono::milliseconds wait_max);
  // Brings the stores of a generation that is not in use up to the end of its own log, and builds
  // one that has the same stores: what SwitchGeneration wants for going back to it. Errors: those
  // of opening its log and stores.
  virtual Result<std::string> ReviveGeneration(const std::string& name);
  // Removes generations that are of no use any more; keeps the previous one.
  virtual Status RemoveUnusedGenerations();

  // Takes that role out of service for good: its records count for nothing from now on, durably. A
  // fill of it ends. kRefused when the other role is not in sync, or holds some collections only;
  // kBusy as RunOnStore.
  virtual Status ForgetStore(Role role, const std::string& reason,
                             std::chrono::milliseconds wait_max) = 0;
  // Takes that role out of service and removes all that it holds: a store as if never filled.
  // kRefused when the other role is not in sync; kBusy as RunOnStore: it is out of service then,
  // and what it holds counts for something still: call again.
  virtual Status ClearStore(Role role, const std::string& reason,
                            std::chrono::milliseconds wait_max) = 0;

  // Asked whenever a flag wants unified to answer, after the store's own state: an error refuses
  // the flip with its message. Call it before flags are published; thread-safe afterwards. Called
  // from any thread, must be quick.
  virtual void SetFlipGate(std::function<Status()> gate) = 0;

  // The seam for the migrator (service/fill.hpp). kRefused when `target` is in sync already, or
  // when the source is not; but a fill that was interrupted may be resumed at any time, and waits
  // for its source by itself.
  virtual Status StartFill(Role target, FillMode mode, std::unique_ptr<FillSource> source) = 0;
  [[nodiscard]] virtual FillAccess& fill_access() = 0;
};

}  // namespace switchback
