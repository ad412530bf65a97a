// Scans by pages: each shows one moment, and no snapshot is held between calls.
#include <utility>
#include <vector>

#include "server/capi/handles.hpp"

struct switchback_cursor {
  std::weak_ptr<switchback::Embedded> embedded;  // gone once the db was closed
  std::string collection;
  std::string prefix;
  std::string from;           // the next page begins here ...
  bool is_from_seen = false;  // ... and this key itself was given already
  std::uint64_t left = UINT64_MAX;
  bool is_ended = false;  // no page comes after this one
  std::vector<std::pair<std::string, std::string>> page;
  std::size_t next = 0;  // in the page
};

namespace switchback::capi {
namespace {

constexpr std::size_t kPageRecordCountMax = 256;
constexpr std::size_t kPageBytesMax = 1u << 20;

Result<std::string_view> BoundOf(const void* bytes, std::size_t size, const char* name) {
  if (size > kKeyBytesMax)
    return Fail(ErrorCode::kInvalidArgument,
                std::string(name) + " has at most " + std::to_string(kKeyBytesMax) + " bytes");
  return BytesOf(bytes, size, name);
}

Status Scan(switchback_db* db, const char* collection, const void* prefix_bytes,
            std::size_t prefix_size, const void* from_bytes, std::size_t from_size,
            std::uint64_t limit, switchback_cursor** cursor) {
  SB_RETURN_IF_ERROR(CheckGiven(cursor, "cursor"));
  *cursor = nullptr;
  SB_RETURN_IF_ERROR(CheckGiven(db, "db"));
  SB_RETURN_IF_ERROR(CheckCollectionName(collection));
  const auto prefix = BoundOf(prefix_bytes, prefix_size, "prefix");
  if (!prefix) return Fail(prefix.error());
  const auto from = BoundOf(from_bytes, from_size, "from");
  if (!from) return Fail(from.error());
  auto made = std::make_unique<switchback_cursor>();
  made->embedded = db->embedded;
  made->collection = collection;
  made->prefix = *prefix;
  made->from = std::max(*prefix, *from);
  if (limit != 0) made->left = limit;
  *cursor = made.release();
  return {};
}

// Leaves the cursor as it was on an error.
Status ReadPage(switchback_cursor& cursor) {
  const std::shared_ptr<Embedded> embedded = cursor.embedded.lock();
  if (embedded == nullptr)
    return Fail(ErrorCode::kCancelled, "the data directory was closed: open it and scan anew");
  const auto collection = CollectionToRead(*embedded, cursor.collection.c_str());
  if (!collection) return Fail(collection.error());
  std::vector<std::pair<std::string, std::string>> page;
  bool is_ended = true;
  if (*collection != nullptr) {
    std::size_t bytes = 0;
    const SessionPool::Lease session = embedded->sessions().Take();
    SB_RETURN_IF_ERROR(
        session->Scan(**collection, cursor.from, [&](std::string_view key, std::string_view value) {
          if (cursor.is_from_seen && key == cursor.from) return true;
          if (!key.starts_with(cursor.prefix)) return false;
          if (page.size() >= cursor.left) return false;
          is_ended = page.size() < kPageRecordCountMax && bytes < kPageBytesMax;
          if (!is_ended) return false;
          page.emplace_back(key, value);
          bytes += key.size() + value.size();
          return true;
        }));
  }
  cursor.page = std::move(page);
  cursor.next = 0;
  cursor.is_ended = is_ended;
  cursor.left -= cursor.page.size();
  if (!cursor.page.empty()) {
    cursor.from = cursor.page.back().first;
    cursor.is_from_seen = true;
  }
  return {};
}

Status Next(switchback_cursor* cursor, const void** key, std::size_t* key_size, const void** value,
            std::size_t* value_size) {
  if (key != nullptr) *key = nullptr;
  if (value != nullptr) *value = nullptr;
  SB_RETURN_IF_ERROR(CheckGiven(cursor, "cursor"));
  SB_RETURN_IF_ERROR(CheckGiven(key, "key"));
  SB_RETURN_IF_ERROR(CheckGiven(key_size, "key_size"));
  *key_size = 0;
  if (value_size != nullptr) *value_size = 0;
  if (cursor->next == cursor->page.size() && !cursor->is_ended)
    SB_RETURN_IF_ERROR(ReadPage(*cursor));
  if (cursor->next == cursor->page.size()) return {};
  const auto& [found, stored] = cursor->page[cursor->next++];
  *key = found.data();
  *key_size = found.size();
  if (value != nullptr) *value = stored.data();
  if (value_size != nullptr) *value_size = stored.size();
  return {};
}

}  // namespace
}  // namespace switchback::capi

using switchback::capi::Answer;

extern "C" {

switchback_code switchback_scan(switchback_db* db, const char* collection, const void* prefix,
                                size_t prefix_size, const void* from, size_t from_size,
                                uint64_t limit, switchback_cursor** cursor) {
  return Answer([&] {
    return switchback::capi::Scan(db, collection, prefix, prefix_size, from, from_size, limit,
                                  cursor);
  });
}

switchback_code switchback_cursor_next(switchback_cursor* cursor, const void** key,
                                       size_t* key_size, const void** value, size_t* value_size) {
  return Answer([&] { return switchback::capi::Next(cursor, key, key_size, value, value_size); });
}

void switchback_cursor_free(switchback_cursor* cursor) {
  delete cursor;
}

}  // extern "C"
