// An LMDB environment that is anybody's, read as it is: one snapshot, nothing changed. Programs
// that use it go on meanwhile.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "backends/backend.hpp"
#include "backends/lmdb_handles.hpp"
#include "common/result.hpp"

namespace switchback {

// One thread. The snapshot lasts as long as this: pages that others free meanwhile are not used
// again, so that the file grows.
class LmdbFileReader {
 public:
  // `path` is a directory or the data file. LMDB makes a lock file beside it where there is none
  // and it may. Errors: kNotFound, kCorruption, kTooLarge (too many databases), kIo.
  static Result<LmdbFileReader> Open(const std::string& path);

  // Names of the databases that are collections, sorted; the main one, when it holds a record, as
  // kMainCollectionName.
  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }
  // Databases that are no plain records in byte order, or that no collection can be called.
  [[nodiscard]] const std::vector<UnservableCollection>& unservable() const { return unservable_; }

  // Both take one of names(). Records of the main database only, not what LMDB keeps there about
  // the others; Count may count some of these as well.
  Result<std::uint64_t> Count(const std::string& name);
  using Visitor = std::function<Status(std::string_view key, std::string_view value)>;
  // In key order from `from` on, until the visitor gives an error, which is the answer then.
  Status Scan(const std::string& name, std::string_view from, const Visitor& visit);

 private:
  LmdbFileReader(MdbEnvHandle env, MdbTxnHandle txn) : env_(std::move(env)), txn_(std::move(txn)) {}
  Status FindDatabases();
  Status AddDatabase(const std::string& name);
  [[nodiscard]] bool IsDatabase(std::string_view key) const;
  Result<MDB_dbi> OpenDatabase(const std::string& name);

  MdbEnvHandle env_;
  MdbTxnHandle txn_;
  std::vector<std::string> databases_;  // every named one, sorted
  std::vector<std::string> names_;
  std::vector<UnservableCollection> unservable_;
};

}  // namespace switchback
