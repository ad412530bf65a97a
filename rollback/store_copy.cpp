#include "rollback/store_copy.hpp"

#include "backends/lmdb_backend.hpp"
#include "backends/sqlite_backend.hpp"
#include "rollback/record_writer.hpp"

namespace switchback {
namespace {

Status CopyRecords(ReadView& view, CollectionCatalog& catalog, RecordWriter& writer) {
  const auto names = view.CollectionNames();
  if (!names) return Fail(names.error());
  for (const std::string& name : *names) {
    const auto collection = catalog.Intern(name);
    if (!collection) return Fail(collection.error());
    Status added;
    SB_RETURN_IF_ERROR(
        view.Scan(**collection, "", [&](std::string_view key, std::string_view value) {
          added = writer.Put(**collection, key, value);
          return added.has_value();
        }));
    SB_RETURN_IF_ERROR(added);
  }
  return writer.Write();
}

}  // namespace

Result<std::unique_ptr<Backend>> OpenStoreAt(std::string_view engine, const std::string& path,
                                             CollectionCatalog& catalog) {
  if (engine == "lmdb") {
    LmdbOptions options;
    options.path = path;
    options.create = true;
    auto store = LmdbBackend::Open(std::move(options), catalog);
    if (!store) return Fail(store.error());
    return std::unique_ptr<Backend>(*std::move(store));
  }
  if (engine != "sqlite")
    return Fail(ErrorCode::kUnsupported, "no engine is called " + std::string(engine));
  SqliteOptions options;
  options.path = path;
  auto store = SqliteBackend::Open(std::move(options), catalog);
  if (!store) return Fail(store.error());
  return std::unique_ptr<Backend>(*std::move(store));
}

Status AdoptStore(std::string_view engine, const std::string& path) {
  CollectionCatalog catalog;
  auto store = OpenStoreAt(engine, path, catalog);
  if (!store) return Fail(WithContext(store.error(), path));
  SB_RETURN_IF_ERROR((*store)->AcceptForeign());
  const auto state = (*store)->State();
  if (!state) return Fail(state.error());
  SB_RETURN_IF_ERROR((*store)->Apply({}, *state));
  return (*store)->MakeDurable();
}

Status CopyStore(std::string_view from_engine, const std::string& from, std::string_view to_engine,
                 const std::string& to, const ReadView::CopyStep& step) {
  CollectionCatalog catalog;
  auto source = OpenStoreAt(from_engine, from, catalog);
  if (!source) return Fail(WithContext(source.error(), from));
  auto target = OpenStoreAt(to_engine, to, catalog);
  if (!target) return Fail(WithContext(target.error(), to));
  auto view = (*source)->NewReadView();
  if (!view) return Fail(view.error());
  SB_RETURN_IF_ERROR((*view)->Begin());
  const auto state = (*view)->State();
  if (!state) return Fail(state.error());
  RecordWriter writer(**target, *state, step);
  SB_RETURN_IF_ERROR(CopyRecords(**view, catalog, writer));
  (*view)->End();
  return (*target)->MakeDurable();
}

}  // namespace switchback
