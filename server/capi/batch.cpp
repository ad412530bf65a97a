#include "server/capi/batch.hpp"

#include <algorithm>

#include "common/limits.hpp"

namespace switchback::capi {

std::uint32_t WriteList::IndexOf(std::string_view name) {
  const auto index =
      static_cast<std::uint32_t>(std::find(names_.begin(), names_.end(), name) - names_.begin());
  if (index == names_.size()) names_.emplace_back(name);
  return index;
}

Status WriteList::Add(Kind kind, const char* collection, std::string_view key,
                      std::string_view value) {
  SB_RETURN_IF_ERROR(CheckCollectionName(collection));
  if (entries_.size() >= kTransactionEffectCountMax)
    return Fail(ErrorCode::kTooLarge,
                "a batch has at most " + std::to_string(kTransactionEffectCountMax) + " entries");
  const std::size_t size = key.size() + value.size();
  if (size > kTransactionBytesMax - byte_count_)
    return Fail(ErrorCode::kTooLarge,
                "a batch has at most " + std::to_string(kTransactionBytesMax) + " bytes");
  entries_.push_back({kind, IndexOf(collection), std::string(key), std::string(value)});
  byte_count_ += size;
  has_conditions_ |= kind == Kind::kExpectValue || kind == Kind::kExpectAbsent;
  return {};
}

Result<bool> WriteList::Holds(const Entry& entry, const Collection& collection,
                              Transaction& transaction) const {
  const auto value = transaction.Get(collection, entry.key);
  if (!value) return Fail(value.error());
  if (entry.kind == Kind::kExpectAbsent) return !value->has_value();
  return *value == std::string_view(entry.value);
}

// Conditions first: they are about what was there before the batch.
Result<bool> WriteList::Resolve(const std::vector<const Collection*>& collections,
                                Transaction& transaction) const {
  for (const Entry& entry : entries_) {
    if (entry.kind != Kind::kExpectValue && entry.kind != Kind::kExpectAbsent) continue;
    auto holds = Holds(entry, *collections[entry.collection], transaction);
    if (!holds || !*holds) return holds;
  }
  for (const Entry& entry : entries_) {
    const Collection& collection = *collections[entry.collection];
    if (entry.kind == Kind::kPut)
      SB_RETURN_IF_ERROR(transaction.Put(collection, entry.key, entry.value));
    if (entry.kind == Kind::kDelete) SB_RETURN_IF_ERROR(transaction.Delete(collection, entry.key));
  }
  return true;
}

Result<bool> WriteList::WriteTo(Embedded& embedded) const {
  std::vector<const Collection*> collections;
  for (const std::string& name : names_) {
    auto collection = CollectionToWrite(embedded, name.c_str());
    if (!collection) return Fail(collection.error());
    collections.push_back(*collection);
  }
  bool is_written = false;
  const Status done = embedded.service().Write([&](Transaction& transaction) -> Status {
    const auto resolved = Resolve(collections, transaction);
    if (!resolved) return Fail(resolved.error());
    is_written = *resolved;
    return {};
  });
  if (!done) return Fail(done.error());
  return is_written;
}

namespace {

using Kind = WriteList::Kind;

Status Add(switchback_batch* batch, Kind kind, const char* collection, const void* key_bytes,
           std::size_t key_size, const void* value, std::size_t value_size) {
  SB_RETURN_IF_ERROR(CheckGiven(batch, "batch"));
  const auto key = KeyOf(key_bytes, key_size);
  if (!key) return Fail(key.error());
  const bool is_expected = kind == Kind::kExpectValue || kind == Kind::kExpectAbsent;
  const auto bytes = BytesOf(value, value_size, is_expected ? "expected" : "value");
  if (!bytes) return Fail(bytes.error());
  return batch->list.Add(kind, collection, *key, *bytes);
}

Kind KindOfExpected(const void* expected) {
  return expected == nullptr ? Kind::kExpectAbsent : Kind::kExpectValue;
}

Status Write(switchback_db* db, const switchback_batch* batch, int* written) {
  const auto embedded = ServiceOf(db);
  if (!embedded) return Fail(embedded.error());
  SB_RETURN_IF_ERROR(CheckGiven(batch, "batch"));
  if (batch->list.has_conditions()) SB_RETURN_IF_ERROR(CheckGiven(written, "written"));
  const auto done = batch->list.WriteTo(**embedded);
  if (!done) return Fail(done.error());
  if (written != nullptr) *written = *done ? 1 : 0;
  return {};
}

Status CompareAndSet(switchback_db* db, const char* collection, const void* key,
                     std::size_t key_size, const void* expected, std::size_t expected_size,
                     const void* value, std::size_t value_size, int* swapped) {
  SB_RETURN_IF_ERROR(CheckGiven(swapped, "swapped"));
  switchback_batch batch;
  SB_RETURN_IF_ERROR(
      Add(&batch, KindOfExpected(expected), collection, key, key_size, expected, expected_size));
  SB_RETURN_IF_ERROR(Add(&batch, value == nullptr ? Kind::kDelete : Kind::kPut, collection, key,
                         key_size, value, value_size));
  return Write(db, &batch, swapped);
}

}  // namespace
}  // namespace switchback::capi

using switchback::capi::Answer;
using switchback::capi::Kind;

extern "C" {

switchback_code switchback_batch_create(switchback_batch** batch) {
  return Answer([&]() -> switchback::Status {
    SB_RETURN_IF_ERROR(switchback::capi::CheckGiven(batch, "batch"));
    *batch = nullptr;
    *batch = new switchback_batch;
    return {};
  });
}

switchback_code switchback_batch_put(switchback_batch* batch, const char* collection,
                                     const void* key, size_t key_size, const void* value,
                                     size_t value_size) {
  return Answer([&] {
    return switchback::capi::Add(batch, Kind::kPut, collection, key, key_size, value, value_size);
  });
}

switchback_code switchback_batch_delete(switchback_batch* batch, const char* collection,
                                        const void* key, size_t key_size) {
  return Answer([&] {
    return switchback::capi::Add(batch, Kind::kDelete, collection, key, key_size, nullptr, 0);
  });
}

switchback_code switchback_batch_expect(switchback_batch* batch, const char* collection,
                                        const void* key, size_t key_size, const void* expected,
                                        size_t expected_size) {
  return Answer([&] {
    return switchback::capi::Add(batch, switchback::capi::KindOfExpected(expected), collection, key,
                                 key_size, expected, expected_size);
  });
}

switchback_code switchback_batch_write(switchback_db* db, const switchback_batch* batch,
                                       int* written) {
  return Answer([&] { return switchback::capi::Write(db, batch, written); });
}

void switchback_batch_free(switchback_batch* batch) {
  delete batch;
}

switchback_code switchback_compare_and_set(switchback_db* db, const char* collection,
                                           const void* key, size_t key_size, const void* expected,
                                           size_t expected_size, const void* value,
                                           size_t value_size, int* swapped) {
  return Answer([&] {
    return switchback::capi::CompareAndSet(db, collection, key, key_size, expected, expected_size,
                                           value, value_size, swapped);
  });
}

}  // extern "C"
