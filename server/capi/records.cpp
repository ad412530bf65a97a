// Records one by one.
#include <algorithm>
#include <cstdlib>
#include <vector>

#include "server/capi/handles.hpp"

namespace switchback::capi {
namespace {

// Calls `use` with the value, nullopt when there is none. What it gets is valid for the call.
template <class Use>
Status ReadRecord(switchback_db* db, const char* name, const void* key_bytes, std::size_t key_size,
                  const Use& use) {
  const auto embedded = ServiceOf(db);
  if (!embedded) return Fail(embedded.error());
  const auto collection = CollectionToRead(**embedded, name);
  if (!collection) return Fail(collection.error());
  const auto key = KeyOf(key_bytes, key_size);
  if (!key) return Fail(key.error());
  if (*collection == nullptr) return use(std::optional<std::string_view>());
  const SessionPool::Lease session = (*embedded)->sessions().Take();
  const auto value = session->Get(**collection, *key);
  if (!value) return Fail(value.error());
  return use(*value);
}

// What a write of one record needs.
struct Target {
  DbService* service = nullptr;
  const Collection* collection = nullptr;
  std::string_view key;
};

Result<Target> TargetOf(switchback_db* db, const char* name, const void* key_bytes,
                        std::size_t key_size) {
  const auto embedded = ServiceOf(db);
  if (!embedded) return Fail(embedded.error());
  // Before the name becomes known: a write that cannot be must not make a collection.
  const auto key = KeyOf(key_bytes, key_size);
  if (!key) return Fail(key.error());
  const auto collection = CollectionToWrite(**embedded, name);
  if (!collection) return Fail(collection.error());
  return Target{&(*embedded)->service(), *collection, *key};
}

Status Get(switchback_db* db, const char* collection, const void* key, std::size_t key_size,
           void** value, std::size_t* value_size) {
  if (value != nullptr) *value = nullptr;
  SB_RETURN_IF_ERROR(CheckGiven(value, "value"));
  SB_RETURN_IF_ERROR(CheckGiven(value_size, "value_size"));
  return ReadRecord(db, collection, key, key_size,
                    [&](std::optional<std::string_view> found) -> Status {
                      *value_size = found ? found->size() : 0;
                      if (!found) return {};
                      const auto copy = CopyOut(*found);
                      if (!copy) return Fail(copy.error());
                      *value = *copy;
                      return {};
                    });
}

constexpr std::size_t kManyKeysMax = 65536;

// Where the caller wants many values: all NULL until they are handed over.
struct Outputs {
  std::size_t count;
  void** values;
  std::size_t* sizes;

  void Clear() const {
    std::fill_n(values, count, nullptr);
    std::fill_n(sizes, count, 0);
  }
  Status Give(const std::vector<std::optional<std::string>>& found) const {
    for (std::size_t i = 0; i < count; ++i) {
      if (!found[i]) continue;
      const auto copy = CopyOut(*found[i]);
      if (!copy) {
        for (std::size_t given = 0; given < i; ++given) std::free(values[given]);
        Clear();
        return Fail(copy.error());
      }
      values[i] = *copy;
      sizes[i] = found[i]->size();
    }
    return {};
  }
};

Result<std::vector<std::string_view>> KeysOf(std::size_t count, const void* const* keys,
                                             const std::size_t* key_sizes) {
  std::vector<std::string_view> views;
  views.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto key = KeyOf(keys[i], key_sizes[i]);
    if (!key) return Fail(WithContext(key.error(), "keys[" + std::to_string(i) + "]"));
    views.push_back(*key);
  }
  return views;
}

Status GetMany(switchback_db* db, const char* name, const void* const* keys,
               const std::size_t* key_sizes, const Outputs& outputs) {
  if (outputs.count == 0) return {};
  if (outputs.count > kManyKeysMax)
    return Fail(ErrorCode::kTooLarge, "at most " + std::to_string(kManyKeysMax) + " keys at once");
  SB_RETURN_IF_ERROR(CheckGiven(outputs.values, "values"));
  SB_RETURN_IF_ERROR(CheckGiven(outputs.sizes, "value_sizes"));
  outputs.Clear();
  SB_RETURN_IF_ERROR(CheckGiven(keys, "keys"));
  SB_RETURN_IF_ERROR(CheckGiven(key_sizes, "key_sizes"));
  const auto embedded = ServiceOf(db);
  if (!embedded) return Fail(embedded.error());
  const auto collection = CollectionToRead(**embedded, name);
  if (!collection) return Fail(collection.error());
  const auto views = KeysOf(outputs.count, keys, key_sizes);
  if (!views || *collection == nullptr) return views ? Status{} : Status(Fail(views.error()));
  const SessionPool::Lease session = (*embedded)->sessions().Take();
  const auto found = session->MultiGet(**collection, *views);
  if (!found) return Fail(found.error());
  return outputs.Give(*found);
}

Status Put(switchback_db* db, const char* collection, const void* key, std::size_t key_size,
           const void* value, std::size_t value_size) {
  const auto bytes = BytesOf(value, value_size, "value");
  if (!bytes) return Fail(bytes.error());
  const auto target = TargetOf(db, collection, key, key_size);
  if (!target) return Fail(target.error());
  return target->service->Put(*target->collection, target->key, *bytes);
}

Status Delete(switchback_db* db, const char* collection, const void* key, std::size_t key_size,
              int* existed) {
  const auto target = TargetOf(db, collection, key, key_size);
  if (!target) return Fail(target.error());
  bool found = false;
  SB_RETURN_IF_ERROR(target->service->Write([&](Transaction& transaction) -> Status {
    const auto value = transaction.Get(*target->collection, target->key);
    if (!value) return Fail(value.error());
    found = value->has_value();
    return found ? transaction.Delete(*target->collection, target->key) : Status{};
  }));
  if (existed != nullptr) *existed = found ? 1 : 0;
  return {};
}

Status Count(switchback_db* db, const char* name, std::uint64_t* count) {
  const auto embedded = ServiceOf(db);
  if (!embedded) return Fail(embedded.error());
  SB_RETURN_IF_ERROR(CheckGiven(count, "count"));
  const auto collection = CollectionToRead(**embedded, name);
  if (!collection) return Fail(collection.error());
  if (*collection == nullptr) {
    *count = 0;
    return {};
  }
  const SessionPool::Lease session = (*embedded)->sessions().Take();
  const auto counted = session->Count(**collection);
  if (!counted) return Fail(counted.error());
  *count = *counted;
  return {};
}

}  // namespace
}  // namespace switchback::capi

using switchback::capi::Answer;

extern "C" {

switchback_code switchback_get(switchback_db* db, const char* collection, const void* key,
                               size_t key_size, void** value, size_t* value_size) {
  return Answer(
      [&] { return switchback::capi::Get(db, collection, key, key_size, value, value_size); });
}

switchback_code switchback_get_many(switchback_db* db, const char* collection, size_t count,
                                    const void* const* keys, const size_t* key_sizes, void** values,
                                    size_t* value_sizes) {
  return Answer([&] {
    return switchback::capi::GetMany(db, collection, keys, key_sizes, {count, values, value_sizes});
  });
}

switchback_code switchback_exists(switchback_db* db, const char* collection, const void* key,
                                  size_t key_size, int* exists) {
  return Answer([&]() -> switchback::Status {
    SB_RETURN_IF_ERROR(switchback::capi::CheckGiven(exists, "exists"));
    return switchback::capi::ReadRecord(db, collection, key, key_size,
                                        [&](std::optional<std::string_view> found) {
                                          *exists = found ? 1 : 0;
                                          return switchback::Status{};
                                        });
  });
}

switchback_code switchback_put(switchback_db* db, const char* collection, const void* key,
                               size_t key_size, const void* value, size_t value_size) {
  return Answer(
      [&] { return switchback::capi::Put(db, collection, key, key_size, value, value_size); });
}

switchback_code switchback_delete(switchback_db* db, const char* collection, const void* key,
                                  size_t key_size, int* existed) {
  return Answer([&] { return switchback::capi::Delete(db, collection, key, key_size, existed); });
}

switchback_code switchback_count(switchback_db* db, const char* collection, uint64_t* count) {
  return Answer([&] { return switchback::capi::Count(db, collection, count); });
}

}  // extern "C"
