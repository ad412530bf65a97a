#include "rollback/notify/spool.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "common/check.hpp"
#include "common/log.hpp"

namespace switchback {
namespace {

constexpr const char* kTables =
    "BEGIN IMMEDIATE;"
    "CREATE TABLE IF NOT EXISTS notifications(number INTEGER PRIMARY KEY AUTOINCREMENT,"
    " json TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS deliveries(sink TEXT NOT NULL, number INTEGER NOT NULL,"
    " attempts INTEGER NOT NULL, PRIMARY KEY(sink, number)) WITHOUT ROWID;"
    "PRAGMA user_version=1;"
    "COMMIT";

constexpr std::string_view kForgetDelivered =
    "DELETE FROM notifications WHERE number NOT IN (SELECT number FROM deliveries)";

SqliteHandle OpenFile(const std::string& path) {
  auto db = OpenSqliteDurable(path);
  Status made = db ? Status() : Status(Fail(db.error()));
  if (made) {
    const auto version = QuerySqliteText(db->get(), "PRAGMA user_version");
    if (!version) made = Fail(version.error());
    if (version && *version != "0" && *version != "1")
      made = Fail(ErrorCode::kUnsupported, "a newer version of switchback made it");
  }
  if (made) made = ExecuteSqlite(db->get(), kTables);
  if (made) return *std::move(db);
  LogError("notifications: {}: {}; those of before wait there, new ones are lost at a restart",
           path, made.error().message);
  return nullptr;
}

SqliteHandle OpenMemory() {
  sqlite3* raw = nullptr;
  const int error = sqlite3_open(":memory:", &raw);
  SqliteHandle db(raw);
  SB_CHECK(error == SQLITE_OK, "memory for notifications");
  SB_CHECK(ExecuteSqlite(db.get(), kTables).has_value(), "tables in memory");
  return db;
}

// Undoes what was begun and not committed.
struct Rollback {
  sqlite3* const db;
  ~Rollback() {
    if (sqlite3_get_autocommit(db) == 0) static_cast<void>(ExecuteSqlite(db, "ROLLBACK"));
  }
};

}  // namespace

Spool::Spool(const std::string& path, const std::vector<std::string>& sinks, std::size_t count_max)
    : count_max_(count_max), file_(OpenFile(path)), memory_(OpenMemory()) {
  MutexLock lock(mutex_);
  if (file_ != nullptr) DropOthers(sinks);
  CountAnew();
}

void Spool::DropOthers(const std::vector<std::string>& sinks) {
  const auto known = Run(file_.get(), "SELECT sink, count(*) FROM deliveries GROUP BY sink", {});
  if (!known) return LogWarning("notifications: {}", known.error().message);
  for (const Row& row : *known) {
    if (std::find(sinks.begin(), sinks.end(), row[0]) != sinks.end()) continue;
    LogWarning(
        "notifications: {} that waited for {} are dropped: the configuration names no such "
        "sink any more",
        row[1], row[0]);
    for (const auto& done : {Run(file_.get(), "DELETE FROM deliveries WHERE sink = ?1", {row[0]}),
                             Run(file_.get(), kForgetDelivered, {})}) {
      if (!done) LogWarning("notifications: {}", done.error().message);
    }
  }
}

Result<Spool::Rows> Spool::Run(sqlite3* db, std::string_view sql,
                               const std::vector<std::string>& parameters) {
  const auto statement = PrepareSqlite(db, sql);
  if (!statement) return Fail(statement.error());
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    sqlite3_bind_text(statement->get(), static_cast<int>(i) + 1, parameters[i].data(),
                      static_cast<int>(parameters[i].size()), SQLITE_STATIC);
  }
  Rows rows;
  int error = SQLITE_ROW;
  while ((error = sqlite3_step(statement->get())) == SQLITE_ROW) {
    Row row;
    for (int i = 0; i < sqlite3_column_count(statement->get()); ++i)
      row.emplace_back(SqliteColumnBytes(statement->get(), i));
    rows.push_back(std::move(row));
  }
  if (error != SQLITE_DONE) return FailSqlite(db, "notifications", error);
  return rows;
}

Result<Spool::Dropped> Spool::Trim(sqlite3* db, std::size_t count_max) {
  // Behind the newest `count_max`.
  const std::string old =
      "number <= (SELECT max(number) FROM notifications) - " + std::to_string(count_max);
  const auto rows =
      Run(db, "SELECT sink, count(*) FROM deliveries WHERE " + old + " GROUP BY sink", {});
  if (!rows) return Fail(rows.error());
  Dropped dropped;
  for (const Row& row : *rows) dropped[row[0]] = std::stoull(row[1]);
  for (const char* table : {"deliveries", "notifications"}) {
    if (auto gone = Run(db, "DELETE FROM " + std::string(table) + " WHERE " + old, {}); !gone)
      return Fail(gone.error());
  }
  return dropped;
}

Result<Spool::Dropped> Spool::AppendTo(sqlite3* db, const Notification& notification,
                                       const std::vector<std::string>& sinks,
                                       std::size_t count_max) {
  SB_RETURN_IF_ERROR(ExecuteSqlite(db, "BEGIN IMMEDIATE"));
  const Rollback undo{db};
  const auto added =
      Run(db, "INSERT INTO notifications(json) VALUES(?1)", {NotificationJson(notification)});
  if (!added) return Fail(added.error());
  const std::string number = std::to_string(sqlite3_last_insert_rowid(db));
  for (const std::string& sink : sinks) {
    const auto owed =
        Run(db, "INSERT INTO deliveries VALUES(?1, CAST(?2 AS INTEGER), 0)", {sink, number});
    if (!owed) return Fail(owed.error());
  }
  auto dropped = Trim(db, count_max);
  if (!dropped) return dropped;
  SB_RETURN_IF_ERROR(ExecuteSqlite(db, "COMMIT"));
  return dropped;
}

Spool::Dropped Spool::Append(const Notification& notification,
                             const std::vector<std::string>& sinks) {
  MutexLock lock(mutex_);
  Result<Dropped> dropped = Fail(ErrorCode::kUnavailable, "there is no file");
  if (file_ != nullptr) {
    dropped = AppendTo(file_.get(), notification, sinks, count_max_);
    if (!dropped)
      LogError("notifications: {}; this one is kept in memory only", dropped.error().message);
  }
  if (!dropped) dropped = AppendTo(memory_.get(), notification, sinks, count_max_);
  SB_CHECK(dropped.has_value(), "rows in memory");
  CountAnew();
  return *std::move(dropped);
}

std::vector<sqlite3*> Spool::Places() {
  if (file_ == nullptr) return {memory_.get()};
  return {file_.get(), memory_.get()};
}

std::optional<Delivery> Spool::Next(std::string_view sink) {
  MutexLock lock(mutex_);
  std::optional<Delivery> next;
  for (sqlite3* place : Places()) {
    const auto rows =
        Run(place,
            "SELECT d.number, d.attempts, n.json FROM deliveries d JOIN"
            " notifications n ON n.number = d.number WHERE d.sink = ?1" +
                NotSettled(std::string(sink), place) + " ORDER BY d.attempts, d.number LIMIT 1",
            {std::string(sink)});
    if (!rows || rows->empty()) continue;
    const Row& row = rows->front();
    Delivery found;
    found.number = std::stoll(row[0]);
    found.attempts = static_cast<std::uint32_t>(std::stoul(row[1]));
    found.is_durable = place != memory_.get();
    if (auto notification = ParseNotification(row[2])) {
      found.notification = *std::move(notification);
    } else {  // as old as can be, so that it is given up
      LogError("notifications: number {} cannot be read", found.number);
      found.notification.kind = "unreadable";
    }
    if (!next || found.attempts < next->attempts) next = std::move(found);
  }
  return next;
}

Status Spool::Change(std::string_view sink, const Delivery& delivery, std::string_view sql) {
  sqlite3* place = delivery.is_durable ? file_.get() : memory_.get();
  const auto done = Run(place, sql, {std::string(sink), std::to_string(delivery.number)});
  if (!done) return Fail(done.error());
  if (const auto forgotten = Run(place, kForgetDelivered, {}); !forgotten)
    return Fail(forgotten.error());
  return {};
}

void Spool::AddAttempt(std::string_view sink, const Delivery& delivery) {
  MutexLock lock(mutex_);
  const Status counted = Change(sink, delivery,
                                "UPDATE deliveries SET attempts = attempts + 1 WHERE sink = ?1 AND"
                                " number = CAST(?2 AS INTEGER)");
  if (!counted) LogWarning("notifications: {}", counted.error().message);
}

void Spool::Remove(std::string_view sink, const Delivery& delivery) {
  MutexLock lock(mutex_);
  const Status removed = Change(
      sink, delivery, "DELETE FROM deliveries WHERE sink = ?1 AND number = CAST(?2 AS INTEGER)");
  // Not again by this process, at least.
  if (!removed && delivery.is_durable) settled_[std::string(sink)].insert(delivery.number);
  CountAnew();
  if (removed) return;
  LogWarning("notifications: {}; {} has {} and gets it again after a restart",
             removed.error().message, sink, delivery.notification.id);
}

std::string Spool::NotSettled(const std::string& sink, const sqlite3* place) const {
  const auto found = settled_.find(sink);
  if (place != file_.get() || found == settled_.end()) return "";
  return fmt::format(" AND d.number NOT IN ({})", fmt::join(found->second, ","));
}

void Spool::CountAnew() {
  std::map<std::string, std::uint64_t> counts;
  for (sqlite3* place : Places()) {
    const auto rows = Run(place, "SELECT sink, count(*) FROM deliveries GROUP BY sink", {});
    if (!rows) continue;
    for (const Row& row : *rows) counts[row[0]] += std::stoull(row[1]);
  }
  for (const auto& [sink, numbers] : settled_)
    counts[sink] -= std::min<std::uint64_t>(counts[sink], numbers.size());
  MutexLock lock(counts_mutex_);
  counts_ = std::move(counts);
}

std::uint64_t Spool::Count(const std::string& sink) const {
  MutexLock lock(counts_mutex_);
  const auto found = counts_.find(sink);
  return found == counts_.end() ? 0 : found->second;
}

}  // namespace switchback
