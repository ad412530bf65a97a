// Notifications that have not reached everybody yet, in <data-dir>/notifications.sqlite: what a
// restart must not forget. One row a notification and one for each sink that still has to have it.
//
// Where the file cannot be written (a full disk is something to tell of) they are kept in memory,
// and are lost with the process.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "backends/sqlite_handles.hpp"
#include "common/result.hpp"
#include "common/sync.hpp"
#include "rollback/notify/notification.hpp"

namespace switchback {

// Of one notification that one sink has to have.
struct Delivery {
  std::int64_t number = 0;
  bool is_durable = true;
  std::uint32_t attempts = 0;  // that failed
  Notification notification;
};

// Thread-safe; calls take turns and block for the disk.
class Spool {
 public:
  // So many of `sink` were let go.
  using Dropped = std::map<std::string, std::uint64_t>;

  // Makes the file when there is none. Deliveries to sinks that are not among `sinks` are dropped,
  // with a warning. One that cannot be opened is done without, with an error in the log.
  Spool(const std::string& path, const std::vector<std::string>& sinks, std::size_t count_max);

  // Durable on return, unless the file cannot be written. Past `count_max` the oldest ones go:
  // gives how many each sink has lost by it.
  Dropped Append(const Notification& notification, const std::vector<std::string>& sinks)
      SB_EXCLUDES(mutex_);
  // The one with the fewest attempts, of these the oldest: one that a receiver always fails on does
  // not hold up the rest. nullopt: none.
  std::optional<Delivery> Next(std::string_view sink) SB_EXCLUDES(mutex_);
  void AddAttempt(std::string_view sink, const Delivery& delivery) SB_EXCLUDES(mutex_);
  // It has it, or never will.
  void Remove(std::string_view sink, const Delivery& delivery) SB_EXCLUDES(mutex_);
  // How many wait for it. At once, whatever the disk does.
  [[nodiscard]] std::uint64_t Count(const std::string& sink) const SB_EXCLUDES(counts_mutex_);

 private:
  // What a query gives, by row and column.
  using Row = std::vector<std::string>;
  using Rows = std::vector<Row>;
  // Binds `parameters` as the texts ?1, ?2 ...
  static Result<Rows> Run(sqlite3* db, std::string_view sql,
                          const std::vector<std::string>& parameters);
  static Result<Dropped> AppendTo(sqlite3* db, const Notification& notification,
                                  const std::vector<std::string>& sinks, std::size_t count_max);
  static Result<Dropped> Trim(sqlite3* db, std::size_t count_max);
  // The file, if there is one, and the memory.
  std::vector<sqlite3*> Places() SB_REQUIRES(mutex_);
  Status Change(std::string_view sink, const Delivery& delivery, std::string_view sql)
      SB_REQUIRES(mutex_);
  [[nodiscard]] std::string NotSettled(const std::string& sink, const sqlite3* place) const
      SB_REQUIRES(mutex_);
  void CountAnew() SB_REQUIRES(mutex_) SB_EXCLUDES(counts_mutex_);
  void DropOthers(const std::vector<std::string>& sinks) SB_REQUIRES(mutex_);

  const std::size_t count_max_;
  Mutex mutex_;
  SqliteHandle file_ SB_GUARDED_BY(mutex_);  // null: it could not be opened
  SqliteHandle memory_ SB_GUARDED_BY(mutex_);
  // By sink, what is done with and could not be removed from the file.
  std::map<std::string, std::set<std::int64_t>> settled_ SB_GUARDED_BY(mutex_);
  mutable Mutex counts_mutex_;
  std::map<std::string, std::uint64_t> counts_ SB_GUARDED_BY(counts_mutex_);
};

}  // namespace switchback
