#include "server/bench/lmdb_target.hpp"

namespace switchback::bench {
namespace {

MDB_val ToMdb(std::string_view bytes) {
  // LMDB does not write through it; its API has no const.
  return {bytes.size(), const_cast<char*>(bytes.data())};
}

class LmdbClient : public Client {
 public:
  LmdbClient(const LmdbStore& store, MdbTxn reader) : store_(store), reader_(std::move(reader)) {}

  Result<std::optional<std::string_view>> Read(std::string_view key) override {
    SB_RETURN_IF_ERROR(BeginTurn());
    return Get(reader_.get(), key);
  }

  Result<std::size_t> Scan(std::string_view from, std::size_t count) override {
    SB_RETURN_IF_ERROR(BeginTurn());
    if (const int code = OpenCursor(); code != 0) return FailMdb("cursor", code);
    MDB_val key = ToMdb(from);
    MDB_val value{};
    std::size_t visited = 0;
    int code = mdb_cursor_get(cursor_.get(), &key, &value, MDB_SET_RANGE);
    while (code == 0 && ++visited < count)
      code = mdb_cursor_get(cursor_.get(), &key, &value, MDB_NEXT);
    if (code != 0 && code != MDB_NOTFOUND) return FailMdb("scan", code);
    return visited;
  }

  Status Write(std::span<const RecordView> records) override {
    EndTurn();
    auto txn = store_.Begin(0);
    if (!txn) return Fail(txn.error());
    for (const RecordView& record : records) SB_RETURN_IF_ERROR(Put(txn->get(), record));
    return LmdbStore::Commit(std::move(*txn));
  }

  Status ReadModifyWrite(const RecordView& record) override {
    EndTurn();
    auto txn = store_.Begin(0);
    if (!txn) return Fail(txn.error());
    if (auto value = Get(txn->get(), record.key); !value) return Fail(value.error());
    SB_RETURN_IF_ERROR(Put(txn->get(), record));
    return LmdbStore::Commit(std::move(*txn));
  }

  void EndTurn() noexcept override {
    if (is_reading_) mdb_txn_reset(reader_.get());
    is_reading_ = false;
  }

 private:
  Status BeginTurn() {
    if (is_reading_) return {};
    if (const int code = mdb_txn_renew(reader_.get()); code != 0) return FailMdb("renew", code);
    is_reading_ = true;
    if (cursor_ != nullptr) mdb_cursor_renew(reader_.get(), cursor_.get());
    return {};
  }

  int OpenCursor() {
    if (cursor_ != nullptr) return 0;
    MDB_cursor* cursor = nullptr;
    const int code = mdb_cursor_open(reader_.get(), store_.dbi(), &cursor);
    cursor_.reset(cursor);
    return code;
  }

  Result<std::optional<std::string_view>> Get(MDB_txn* txn, std::string_view key) const {
    MDB_val mdb_key = ToMdb(key);
    MDB_val value{};
    const int code = mdb_get(txn, store_.dbi(), &mdb_key, &value);
    if (code == MDB_NOTFOUND) return std::optional<std::string_view>();
    if (code != 0) return FailMdb("get", code);
    return std::optional(std::string_view(static_cast<const char*>(value.mv_data), value.mv_size));
  }

  Status Put(MDB_txn* txn, const RecordView& record) const {
    MDB_val key = ToMdb(record.key);
    MDB_val value = ToMdb(record.value);
    if (const int code = mdb_put(txn, store_.dbi(), &key, &value, 0); code != 0)
      return FailMdb("put", code);
    return {};
  }

  const LmdbStore& store_;
  MdbTxn reader_;
  MdbCursor cursor_;  // a read-only cursor outlives resets; it is closed before its transaction
  bool is_reading_ = false;
};

}  // namespace

Result<std::unique_ptr<Client>> LmdbTarget::NewClient() {
  auto reader = store_->Begin(MDB_RDONLY);
  if (!reader) return Fail(reader.error());
  mdb_txn_reset(reader->get());  // only renewed transactions are measured
  return std::unique_ptr<Client>(std::make_unique<LmdbClient>(*store_, std::move(*reader)));
}

}  // namespace switchback::bench
