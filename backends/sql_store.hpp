// What a store that speaks SQL offers beyond the Backend contract: versions of its schema, copies
// of itself, and read-only queries of people. SqliteBackend is the one there is; whoever wants this
// asks Backend::sql_store() and ReadView::sql(), and gets null from the other engines.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "backends/backend.hpp"
#include "common/clock.hpp"
#include "common/result.hpp"

namespace switchback {

// When to give up. Checked every few thousand instructions of SQLite's machine.
struct SqlBudget {
  SteadyTime deadline = SteadyTime::max();
  std::function<bool()> is_cancelled;  // any thread may make it true; empty = never
};

// --- Versions of the schema ---

// A version that the store has, remembered in the store itself and written in the transaction of
// its statements. It keeps the text that takes it back, so that a rollback runs what belongs to
// what was applied, even when the files are gone.
struct SchemaVersion {
  std::uint64_t version = 0;
  std::string name;
  std::string up_checksum;
  std::string down_checksum;
  std::string applied_at;  // UTC, ISO 8601
  std::string down_sql;
};

enum class SchemaDirection : std::uint8_t { kUp, kDown };

// One version, one way.
struct SchemaChange {
  SchemaDirection direction = SchemaDirection::kUp;
  SchemaVersion version;  // kUp: what is remembered; kDown: its number counts
  std::string sql;        // what runs
  std::string origin;     // for messages: the file's name
};

// One look at whether the store is as it must be.
struct StoreCheck {
  std::string name;
  bool is_ok = false;
  std::string detail;  // what is wrong; "" when nothing is
};
struct StoreReport {
  std::vector<StoreCheck> checks;
  [[nodiscard]] bool is_ok() const;
  // What is wrong, in one line; "" when nothing is.
  [[nodiscard]] std::string Problems() const;
};

// Every call is for the thread that owns the backend, between its transactions.
class SqlStore {
 public:
  virtual ~SqlStore() = default;

  // Ordered by version, from 1 without gaps.
  virtual Result<std::vector<SchemaVersion>> SchemaVersions() = 0;

  // Runs the change and remembers it, in one transaction. Before it commits it is proved that every
  // collection still takes any record: see docs/schema.md, "What is refused". Errors, after which
  // nothing has changed: kRefused (not allowed, or records could not be written any more),
  // kInvalidArgument (a statement failed; the message has its line and text), kCancelled (the
  // budget is used up), kConflict (the versions are not those this change belongs to), and those of
  // Backend::Apply, kUnknownOutcome included.
  virtual Status ChangeSchema(const SchemaChange& change, const SqlBudget& budget) = 0;

  // Looks at the whole database: pages, foreign keys, WAL mode, the service's own tables, every
  // collection's table, and whether records can be written. Errors: kCancelled, kIo, kCorruption.
  virtual Result<StoreReport> Validate(const SqlBudget& budget) = 0;

  // Writes a consistent and minimal copy of the database to a new file, reads it back, and makes
  // file and name durable. Errors, after which there is no file: kNoSpace (asked before it begins),
  // kCancelled, kConflict (the file exists), kIo, kCorruption.
  virtual Status CopyTo(const std::string& path, const SqlBudget& budget) = 0;

  // Makes the database what a copy of it holds, its StoreState included, in one transaction:
  // readers go from one snapshot to the next. Call MakeDurable after it. Errors: kCorruption (the
  // copy is not whole), else as Backend::Apply.
  virtual Status PutBack(const std::string& path) = 0;
};

// --- Queries ---

struct SqlBlob {
  std::string bytes;
  friend bool operator==(const SqlBlob&, const SqlBlob&) = default;
};
using SqlValue = std::variant<std::monostate, std::int64_t, double, std::string, SqlBlob>;

struct SqlQuery {
  std::string sql;
  std::vector<SqlValue> positional;                     // ?1, ?2, ...
  std::vector<std::pair<std::string, SqlValue>> named;  // "x" stands for :x, @x and $x
  std::size_t row_count_max = 1000;
  std::size_t result_bytes_max = std::size_t{32} << 20;
  SqlBudget budget;
};

struct SqlResult {
  std::vector<std::string> columns;
  std::vector<std::vector<SqlValue>> rows;
  bool is_truncated = false;           // there are more rows than were asked for
  std::uint64_t applied_sequence = 0;  // of the snapshot
};

// Part of a ReadView: needs its snapshot, one thread at a time.
class SqlReader {
 public:
  virtual ~SqlReader() = default;
  // Runs one statement that only reads. It is interrupted when the store wants its readers to leave
  // (kBusy). Errors besides: kInvalidArgument (SQL, parameters), kRefused (it would do more than
  // read), kTooLarge (result), kCancelled (budget), kIo, kCorruption.
  virtual Result<SqlResult> Query(const SqlQuery& query) = 0;
  virtual Result<std::vector<SchemaVersion>> SchemaVersions() = 0;
};

}  // namespace switchback
