// The contract of a storage engine behind a role: named collections of records, applied to in whole
// transactions by one thread, read by many through snapshots. Three implementations: LmdbBackend,
// SqliteBackend, MemoryBackend. One test suite for all (tests/contract/backend_contract_test.cpp).
//
// Invariants it keeps: I2 (effects and position change together, all or nothing), I8 (foreign
// commits are noticed), I9 (what it adds to a store lives under kReservedName and Detach removes
// it).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backends/collection.hpp"
#include "common/result.hpp"

namespace switchback {

class SqlReader;  // backends/sql_store.hpp
class SqlStore;

// What a write came to. Views point into memory of whoever made the effect.
enum class EffectKind : std::uint8_t { kPut = 1, kDelete = 2, kClear = 3 };
struct Effect {
  EffectKind kind;
  const Collection* collection;
  std::string_view key;    // empty for kClear
  std::string_view value;  // kPut only
};

// What a store remembers about itself, changed in the same transaction as its records. Persisted
// under kReservedName.
struct StoreState {
  std::string log_id;  // the commit log this store follows; "" = never attached (adopted or new)
  std::uint64_t epoch = 0;
  std::uint64_t applied_sequence =
      0;  // content = fold(effects 1..applied_sequence), restricted to the filled range
  bool is_filling = false;  // a first fill is under way; the filled range is every record <=
                            // (fill_collection, fill_key)
  std::string fill_collection;
  std::string fill_key;
  // The collections that the store holds, sorted, and effects on others pass it by; empty = all.
  std::vector<std::string> collections;

  [[nodiscard]] bool is_partial() const { return !collections.empty(); }
  friend bool operator==(const StoreState&, const StoreState&) = default;
};

// A named database or table that cannot be served, and why. It is left alone.
struct UnservableCollection {
  std::string name;
  std::string reason;
};

struct BackendStats {
  std::uint64_t file_bytes = 0;   // space taken on disk by the main file
  std::uint64_t map_bytes = 0;    // LMDB: size of the map; 0 elsewhere
  std::uint64_t wal_bytes = 0;    // SQLite: size of the -wal file; 0 elsewhere
  std::uint64_t map_growths = 0;  // LMDB: times the map was grown online since open
};

// Reads of one thread at a time. Between Begin and End it holds one snapshot: End it soon, a
// forgotten one makes the store grow. Any error ends the snapshot's usefulness: End, and Begin
// again later.
class ReadView {
 public:
  using Visitor =
      std::function<bool(std::string_view key, std::string_view value)>;  // return false to stop
  virtual ~ReadView() = default;

  // Opens a snapshot of the newest committed state. May wait some milliseconds while the backend
  // grows or reopens. Errors: kUnavailable (closed or reopening for too long), kIo, kCorruption.
  // Must not be active already.
  virtual Status Begin() = 0;
  // Gives the snapshot back. Harmless when there is none.
  virtual void End() noexcept = 0;
  [[nodiscard]] virtual bool is_active() const noexcept = 0;

  // The rest needs an active snapshot. A collection that does not exist is empty.

  // The value, or nullopt when absent. The view is valid until the next call on this ReadView.
  virtual Result<std::optional<std::string_view>> Get(const Collection& collection,
                                                      std::string_view key) = 0;
  // Visits records with key >= `from` in key order (bytewise, memcmp) until the visitor returns
  // false. The visitor must not call this ReadView.
  virtual Status Scan(const Collection& collection, std::string_view from,
                      const Visitor& visit) = 0;
  // Exact. LMDB: O(1). SQLite: reads the table's pages.
  virtual Result<std::uint64_t> Count(const Collection& collection) = 0;
  // Names of the collections that exist in this snapshot, sorted bytewise. The main collection is
  // named when it holds a record.
  virtual Result<std::vector<std::string>> CollectionNames() = 0;
  // The state as of this snapshot.
  virtual Result<StoreState> State() = 0;

  // Told how many bytes were copied since the last call, some hundred kilobytes. May block to slow
  // the copy down; an error ends it.
  using CopyStep = std::function<Status(std::uint64_t bytes)>;
  // Writes this snapshot, the state and what is not served included, as one ordinary file of the
  // engine. Nothing must be at `path`; on an error something may be. Not durable: sync it. Errors
  // besides those of `step`: kUnsupported (this engine has no files), kNoSpace, kIo, kCorruption.
  virtual Status CopyTo(const std::string& path, const CopyStep& /*step*/) {
    return Fail(ErrorCode::kUnsupported, "no file can be made at " + path);
  }

  // SQL on this view's snapshots; null where the engine speaks none. Ask before the first Begin: it
  // makes the view one for statements of people, which keep their intermediate results in a file.
  [[nodiscard]] virtual SqlReader* sql() { return nullptr; }
};

// Thread-safety: NewReadView and Stats from any thread; everything else from the one thread that
// owns the store's writes (calls may move between threads, never overlap).
class Backend {
 public:
  virtual ~Backend() = default;

  // "lmdb", "sqlite", "memory".
  [[nodiscard]] virtual std::string_view engine() const = 0;

  // One transaction: the effects in order, then the state. On success both are visible to snapshots
  // opened from now on, and survive kill -9; they survive power loss after the next MakeDurable.
  // Collections come into being with their first put. Effects are limited in size by the caller
  // (limits.hpp). Grows an LMDB map before it is full. Errors: kNoSpace (nothing applied, go on
  // once there is space), kBusy (nothing applied, try again soon: readers keep an LMDB map from
  // growing, or another process writes), kForeignWrite (another process has committed; nothing
  // applied), kInvalidArgument / kRefused / kTooLarge (no store can hold this; nothing applied),
  // kUnknownOutcome / kIo / kCorruption: call Reopen, then ask State: never apply again blindly
  // (I5).
  virtual Status Apply(std::span<const Effect> effects, const StoreState& state) = 0;

  // After success everything applied so far survives power loss. LMDB: mdb_env_sync; SQLite: sync
  // of the WAL, and a checkpoint when one is due. May take long: it is where the device is busy.
  // Error: as Apply.
  virtual Status MakeDurable() = 0;

  // The state in the newest committed transaction.
  virtual Result<StoreState> State() = 0;

  // kForeignWrite when a process other than this one has committed since this backend last did
  // (LMDB transaction id, SQLite data_version), or did so while the store was closed, as far as the
  // engine lets us know. Call it about once a second: it is cheap but for the first call after
  // writes have paused, when SQLite runs a checkpoint (errors then as MakeDurable), and it clears
  // what killed readers left in LMDB.
  virtual Status CheckAlone() = 0;
  // The operator has decided to live with a foreign commit: from now on the store counts as ours
  // again.
  virtual Status AcceptForeign() = 0;

  // Closes and opens again. Existing ReadViews stay usable: their next Begin uses the new handle.
  // Waits up to a limit for active snapshots to end (kBusy when they don't).
  virtual Status Reopen() = 0;

  // Removes every record and the state, as if new; what migrations of the schema made stays. Only
  // for a store that can be filled again. Waits like Reopen. Errors: kRefused when the store holds
  // databases or tables that are neither collections nor a migration's.
  virtual Status Reset() = 0;

  // Leaves the store's files as they are and goes on with the store at `path`, made when there is
  // none. Waits like Reopen. On an error it goes on where it was. kUnsupported: this engine cannot.
  virtual Status MoveTo(const std::string& path) {
    return Fail(ErrorCode::kUnsupported, "cannot move a store to " + path);
  }

  // Removes every trace of Switchback and makes the rest durable: what stays is the records and
  // nothing else. After it only destruction is allowed.
  virtual Status Detach() = 0;

  // Databases or tables found at open that cannot be served.
  [[nodiscard]] virtual const std::vector<UnservableCollection>& unservable() const = 0;

  // What only a store that speaks SQL can do; null elsewhere. For the owner's thread.
  [[nodiscard]] virtual SqlStore* sql_store() { return nullptr; }

  virtual Result<std::unique_ptr<ReadView>> NewReadView() = 0;
  virtual BackendStats Stats() = 0;
};

}  // namespace switchback
