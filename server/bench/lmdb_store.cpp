#include "server/bench/lmdb_store.hpp"

#include <algorithm>
#include <string_view>
#include <vector>

#include "common/file.hpp"
#include "server/bench/record.hpp"

namespace switchback::bench {
namespace {

// Sparse: it costs address space, not disk.
constexpr std::size_t kMapBytes = 64ULL << 30;
// One load transaction; LMDB holds its dirty pages in memory.
constexpr std::size_t kLoadRecordCount = 100'000;

}  // namespace

tl::unexpected<Error> FailMdb(const char* doing, int code) {
  return Fail(code == MDB_MAP_FULL ? ErrorCode::kNoSpace : ErrorCode::kIo,
              std::string("bare LMDB, ") + doing + ": " + mdb_strerror(code));
}

Result<std::unique_ptr<LmdbStore>> LmdbStore::Open(const std::string& directory) {
  SB_RETURN_IF_ERROR(MakeDirectories(directory));
  MDB_env* raw = nullptr;
  if (const int code = mdb_env_create(&raw); code != 0) return FailMdb("create", code);
  MdbEnv env(raw);
  mdb_env_set_maxdbs(raw, 4);
  mdb_env_set_maxreaders(raw, 1024);
  if (const int code = mdb_env_set_mapsize(raw, kMapBytes); code != 0)
    return FailMdb("set map size", code);
  if (const int code = mdb_env_open(raw, directory.c_str(), MDB_NOTLS, 0600); code != 0)
    return FailMdb("open", code);
  MDB_txn* begun = nullptr;
  if (const int code = mdb_txn_begin(raw, nullptr, 0, &begun); code != 0)
    return FailMdb("begin", code);
  MdbTxn txn(begun);
  MDB_dbi dbi = 0;
  if (const int code = mdb_dbi_open(begun, kBenchCollection, MDB_CREATE, &dbi); code != 0)
    return FailMdb("open database", code);
  SB_RETURN_IF_ERROR(Commit(std::move(txn)));
  return std::unique_ptr<LmdbStore>(new LmdbStore(std::move(env), dbi));
}

Result<MdbTxn> LmdbStore::Begin(unsigned flags) const {
  MDB_txn* txn = nullptr;
  if (const int code = mdb_txn_begin(env_.get(), nullptr, flags, &txn); code != 0)
    return FailMdb("begin", code);
  return MdbTxn(txn);
}

Status LmdbStore::Commit(MdbTxn txn) {
  if (const int code = mdb_txn_commit(txn.release()); code != 0) return FailMdb("commit", code);
  return {};
}

Status LmdbStore::Load(std::uint64_t count, std::size_t value_bytes) {
  const std::vector<std::uint64_t> indexes = IndexesInKeyOrder(count);
  for (std::size_t first = 0; first < indexes.size(); first += kLoadRecordCount) {
    const std::size_t last = std::min(indexes.size(), first + kLoadRecordCount);
    SB_RETURN_IF_ERROR(LoadSome(indexes.data() + first, indexes.data() + last, value_bytes));
  }
  return {};
}

Status LmdbStore::LoadSome(const std::uint64_t* first, const std::uint64_t* last,
                           std::size_t value_bytes) {
  auto txn = Begin(0);
  if (!txn) return Fail(txn.error());
  for (; first != last; ++first) {
    Key key = KeyOf(*first);
    MDB_val mdb_key{key.size(), key.data()};
    MDB_val mdb_value{value_bytes, nullptr};
    const int code = mdb_put(txn->get(), dbi_, &mdb_key, &mdb_value, MDB_APPEND | MDB_RESERVE);
    if (code != 0) return FailMdb("load", code);
    FillValue({static_cast<char*>(mdb_value.mv_data), value_bytes}, *first, 0);
  }
  return Commit(std::move(*txn));
}

}  // namespace switchback::bench
