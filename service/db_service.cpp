#include "service/db_service.hpp"

#include <sys/stat.h>

#include "backends/lmdb_backend.hpp"
#include "backends/sqlite_backend.hpp"
#include "service/db_service_impl.hpp"

namespace switchback {
namespace {

Result<std::unique_ptr<Backend>> OpenLegacy(const std::string& path, bool is_adopted,
                                            CollectionCatalog& catalog) {
  LmdbOptions options;
  options.path = path;
  options.create = !is_adopted;  // a path with a typing error must not become an empty store
  auto backend = LmdbBackend::Open(std::move(options), catalog);
  if (!backend) return Fail(backend.error());
  return std::unique_ptr<Backend>(*std::move(backend));
}

Result<std::unique_ptr<Backend>> OpenUnified(const std::string& path, bool,
                                             CollectionCatalog& catalog) {
  SqliteOptions options;
  options.path = path;
  auto backend = SqliteBackend::Open(std::move(options), catalog);
  if (!backend) return Fail(backend.error());
  return std::unique_ptr<Backend>(*std::move(backend));
}

}  // namespace

Result<std::unique_ptr<DbService>> DbService::Open(DbServiceOptions options) {
  auto service = DbServiceImpl::Open(std::move(options), OpenLegacy, OpenUnified);
  if (!service) return Fail(service.error());
  return std::unique_ptr<DbService>(*std::move(service));
}

void DbService::HoldRouting(const std::string&) {}
void DbService::HoldWrites(WriteHold, const std::string&) {}

std::vector<CollectionMetrics> DbService::GetCollectionMetrics() {
  return {};
}

const RecentErrors& DbService::recent_errors() const {
  static const RecentErrors kNone;
  return kNone;
}

Status DbService::Put(const Collection& collection, std::string_view key, std::string_view value) {
  return Write([&](Transaction& transaction) { return transaction.Put(collection, key, value); });
}

Status DbService::Delete(const Collection& collection, std::string_view key) {
  return Write([&](Transaction& transaction) { return transaction.Delete(collection, key); });
}

Status DbService::CatchUp(Role /*role*/, std::chrono::milliseconds wait_max) {
  return Drain(wait_max);
}

}  // namespace switchback
