#include "rollback/store_copy.hpp"

#include <deque>
#include <vector>

#include "backends/lmdb_backend.hpp"
#include "backends/sqlite_backend.hpp"

namespace switchback {
namespace {

constexpr std::size_t kChunkBytesMax = 8u << 20;
constexpr std::size_t kChunkRecordCountMax = 65536;

// Gathers records for one transaction of the target.
class Chunk {
 public:
  Chunk(Backend& target, StoreState state, const ReadView::CopyStep& step)
      : target_(target), state_(std::move(state)), step_(step) {}

  Status Add(const Collection& collection, std::string_view key, std::string_view value) {
    const std::string& kept_key = kept_.emplace_back(key);
    const std::string& kept_value = kept_.emplace_back(value);
    effects_.push_back({EffectKind::kPut, &collection, kept_key, kept_value});
    bytes_ += key.size() + value.size();
    const bool is_full = bytes_ >= kChunkBytesMax || effects_.size() >= kChunkRecordCountMax;
    return is_full ? Write() : Status{};
  }
  Status Write() {
    SB_RETURN_IF_ERROR(target_.Apply(effects_, state_));
    SB_RETURN_IF_ERROR(step_(bytes_));
    effects_.clear();
    kept_.clear();
    bytes_ = 0;
    return {};
  }

 private:
  Backend& target_;
  const StoreState state_;
  const ReadView::CopyStep& step_;
  std::deque<std::string> kept_;  // what the effects point to
  std::vector<Effect> effects_;
  std::size_t bytes_ = 0;
};

Status CopyRecords(ReadView& view, CollectionCatalog& catalog, Chunk& chunk) {
  const auto names = view.CollectionNames();
  if (!names) return Fail(names.error());
  for (const std::string& name : *names) {
    const auto collection = catalog.Intern(name);
    if (!collection) return Fail(collection.error());
    Status added;
    SB_RETURN_IF_ERROR(
        view.Scan(**collection, "", [&](std::string_view key, std::string_view value) {
          added = chunk.Add(**collection, key, value);
          return added.has_value();
        }));
    SB_RETURN_IF_ERROR(added);
  }
  return chunk.Write();
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
  Chunk chunk(**target, *state, step);
  SB_RETURN_IF_ERROR(CopyRecords(**view, catalog, chunk));
  (*view)->End();
  return (*target)->MakeDurable();
}

}  // namespace switchback
