#include "backends/sqlite_effect_writer.hpp"

#include <utility>

#include "backends/effect_check.hpp"
#include "common/check.hpp"
#include "common/failpoint.hpp"
#include "common/periodic_yield.hpp"

namespace switchback {

// An upsert and not INSERT OR REPLACE, which deletes first: up to 1.36 times as fast.
std::string SqliteUpsert(const std::string& table) {
  return "INSERT INTO " + QuoteSqlite(table) +
         "(key, value) VALUES(?1, ?2) ON CONFLICT(key) DO UPDATE SET value = excluded.value";
}

std::string SqliteErase(const std::string& table) {
  return "DELETE FROM " + QuoteSqlite(table) + " WHERE key = ?1";
}

std::string SqliteClear(const std::string& table) {
  return "DELETE FROM " + QuoteSqlite(table);
}

SqliteEffectWriter::TableStatements& SqliteEffectWriter::StatementsOf(
    const Collection& collection) {
  SB_CHECK(collection.index < kCollectionCountMax, "the catalog hands out bounded indexes");
  if (statements_.size() <= collection.index) statements_.resize(collection.index + std::size_t{1});
  return statements_[collection.index];
}

Status SqliteEffectWriter::Step(sqlite3_stmt* statement, const char* doing) {
  const int error = sqlite3_step(statement);
  // Reset gives the error again; the bound bytes are the caller's and stay valid until then.
  sqlite3_reset(statement);
  if (error != SQLITE_DONE) [[unlikely]]
    return FailSqlite(db_, doing, error);
  return {};
}

Status SqliteEffectWriter::Put(const Effect& effect) {
  TableStatements& statements = StatementsOf(*effect.collection);
  if (statements.upsert == nullptr) [[unlikely]] {
    auto table = tables_.OpenForWrite(db_, *effect.collection);
    if (!table) return Fail(table.error());
    auto upsert = PrepareSqlite(db_, SqliteUpsert(**table));
    if (!upsert) return Fail(upsert.error());
    statements.upsert = *std::move(upsert);
  }
  sqlite3_stmt* upsert = statements.upsert.get();
  int error = BindSqliteBlob(upsert, 1, effect.key);
  if (error == SQLITE_OK) error = BindSqliteBlob(upsert, 2, effect.value);
  if (error != SQLITE_OK) return FailSqlite(db_, "put", error);
  return Step(upsert, "put");
}

Status SqliteEffectWriter::Delete(const Effect& effect) {
  const std::string* table = tables_.Existing(*effect.collection);
  if (table == nullptr) return {};
  TableStatements& statements = StatementsOf(*effect.collection);
  if (statements.erase == nullptr) [[unlikely]] {
    auto erase = PrepareSqlite(db_, SqliteErase(*table));
    if (!erase) return Fail(erase.error());
    statements.erase = *std::move(erase);
  }
  const int error = BindSqliteBlob(statements.erase.get(), 1, effect.key);
  if (error != SQLITE_OK) return FailSqlite(db_, "delete", error);
  return Step(statements.erase.get(), "delete");
}

Status SqliteEffectWriter::Clear(const Effect& effect) {
  const std::string* table = tables_.Existing(*effect.collection);
  if (table == nullptr) return {};
  TableStatements& statements = StatementsOf(*effect.collection);
  if (statements.clear == nullptr) {
    auto clear = PrepareSqlite(db_, SqliteClear(*table));
    if (!clear) return Fail(clear.error());
    statements.clear = *std::move(clear);
  }
  return Step(statements.clear.get(), "clear");
}

Status SqliteEffectWriter::WriteAll(std::span<const Effect> effects) {
  SB_CHECK(sqlite3_get_autocommit(db_) == 0, "effects belong to a transaction");
  PeriodicYield turns;
  for (const Effect& effect : effects) {
    turns.Step();
    SB_RETURN_IF_ERROR(Failpoint("sqlite.put"));
    SB_RETURN_IF_ERROR(CheckEffect(effect));
    switch (effect.kind) {
      case EffectKind::kPut: SB_RETURN_IF_ERROR(Put(effect)); break;
      case EffectKind::kDelete: SB_RETURN_IF_ERROR(Delete(effect)); break;
      case EffectKind::kClear: SB_RETURN_IF_ERROR(Clear(effect)); break;
    }
  }
  return {};
}

void SqliteEffectWriter::ForgetMade() {
  for (const std::uint32_t index : tables_.made()) {
    if (index < statements_.size()) statements_[index] = TableStatements();
  }
}

}  // namespace switchback
