#include "server/bench/sqlite_target.hpp"

namespace switchback::bench {
namespace {

std::string_view ColumnBlob(sqlite3_stmt* statement, int column) {
  const void* bytes = sqlite3_column_blob(statement, column);
  return {static_cast<const char*>(bytes),
          static_cast<std::size_t>(sqlite3_column_bytes(statement, column))};
}

// The reads of one thread: its own connection, which never checkpoints.
class SqliteReader {
 public:
  static Result<SqliteReader> Open(const std::string& path) {
    auto connection = OpenSqlite(path, SQLITE_OPEN_READONLY);
    if (!connection) return Fail(connection.error());
    sqlite3_db_config(connection->get(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    SB_RETURN_IF_ERROR(Execute(connection->get(), "PRAGMA mmap_size=68719476736"));
    SqliteReader reader;
    auto begin = Prepare(connection->get(), "BEGIN");
    auto commit = Prepare(connection->get(), "COMMIT");
    auto get = Prepare(connection->get(), "SELECT value FROM bench WHERE key = ?1");
    auto scan = Prepare(connection->get(),
                        "SELECT key, value FROM bench WHERE key >= ?1 ORDER BY key LIMIT ?2");
    for (const auto* statement : {&begin, &commit, &get, &scan}) {
      if (!*statement) return Fail(statement->error());
    }
    reader.connection_ = std::move(*connection);
    reader.begin_ = std::move(*begin);
    reader.commit_ = std::move(*commit);
    reader.get_ = std::move(*get);
    reader.scan_ = std::move(*scan);
    return reader;
  }

  Result<std::optional<std::string_view>> Get(std::string_view key) {
    SB_RETURN_IF_ERROR(BeginTurn());
    sqlite3_reset(get_.get());  // here, so that the last value stayed valid until now
    BindBlob(get_.get(), 1, key);
    const int code = sqlite3_step(get_.get());
    if (code == SQLITE_ROW) return std::optional(ColumnBlob(get_.get(), 0));
    if (code != SQLITE_DONE) return FailSqlite("get", connection_.get());
    return std::optional<std::string_view>();
  }

  Result<std::size_t> Scan(std::string_view from, std::size_t count) {
    SB_RETURN_IF_ERROR(BeginTurn());
    BindBlob(scan_.get(), 1, from);
    sqlite3_bind_int64(scan_.get(), 2, static_cast<sqlite3_int64>(count));
    std::size_t visited = 0;
    std::size_t bytes = 0;
    int code = sqlite3_step(scan_.get());
    for (; code == SQLITE_ROW; code = sqlite3_step(scan_.get()), ++visited)
      bytes += ColumnBlob(scan_.get(), 0).size() + ColumnBlob(scan_.get(), 1).size();
    sqlite3_reset(scan_.get());
    if (code != SQLITE_DONE || (visited > 0 && bytes == 0))
      return FailSqlite("scan", connection_.get());
    return visited;
  }

  void EndTurn() noexcept {
    sqlite3_reset(get_.get());
    if (is_reading_) (void)Step(commit_.get());  // ending a read transaction writes nothing
    is_reading_ = false;
  }

 private:
  Status BeginTurn() {
    if (is_reading_) return {};
    SB_RETURN_IF_ERROR(Step(begin_.get()));
    is_reading_ = true;
    return {};
  }

  SqliteConnection connection_;  // outlives its statements
  SqliteStatement begin_;
  SqliteStatement commit_;
  SqliteStatement get_;
  SqliteStatement scan_;
  bool is_reading_ = false;
};

class SqliteClient : public Client {
 public:
  SqliteClient(SqliteStore& store, SqliteReader reader)
      : store_(store), reader_(std::move(reader)) {}
  ~SqliteClient() override { reader_.EndTurn(); }

  Result<std::optional<std::string_view>> Read(std::string_view key) override {
    return reader_.Get(key);
  }
  Result<std::size_t> Scan(std::string_view from, std::size_t count) override {
    return reader_.Scan(from, count);
  }
  Status Write(std::span<const RecordView> records) override {
    reader_.EndTurn();
    return store_.Write(records);
  }
  Status ReadModifyWrite(const RecordView& record) override {
    reader_.EndTurn();
    return store_.ReadModifyWrite(record);
  }
  void EndTurn() noexcept override { reader_.EndTurn(); }

 private:
  SqliteStore& store_;
  SqliteReader reader_;
};

}  // namespace

Result<std::unique_ptr<Client>> SqliteTarget::NewClient() {
  auto reader = SqliteReader::Open(store_->path());
  if (!reader) return Fail(reader.error());
  return std::unique_ptr<Client>(std::make_unique<SqliteClient>(*store_, std::move(*reader)));
}

}  // namespace switchback::bench
