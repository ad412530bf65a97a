// Records over HTTP: the handlers behind /v1/collections. Writes are answered once they are
// durable, as over RESP; reads see every write that was answered before. All of them may wait for a
// disk. Any thread may call them.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "server/http/message.hpp"
#include "server/http/records/session_pool.hpp"
#include "server/http/router.hpp"
#include "service/db_service.hpp"

namespace switchback {

// A list ends a page here, whatever `limit` says: keys and values together.
inline constexpr std::size_t kRecordPageBytesMax = 4u << 20;
// A list leaves out values above that; they are got one by one.
inline constexpr std::size_t kRecordListValueBytesMax = 1u << 20;
inline constexpr std::size_t kRecordBatchBytesMax = 16u << 20;
inline constexpr std::size_t kRecordBatchCountMax = 10'000;

// What the handlers need. Both outlive them.
struct RecordParts {
  DbService& service;
  SessionPool& sessions;
};

// GET /v1/collections?count=exact: names, and how many records each has.
HttpResponse HandleCollectionList(const RecordParts& parts, const HttpRequest& request);

// GET /v1/collections/{c}/records/{key}?role=legacy|unified: the octets of the value. If-None-Match
// gives 304, If-Match 412. `role` reads what that store alone holds.
HttpResponse HandleRecordGet(const RecordParts& parts, const HttpRequest& request,
                             const PathParameters& path);
// PUT: stores the body as it is; 201 when there was none, else 204. If-Match and If-None-Match are
// checked in the one order of all writes, so that two that compare and set cannot both win.
HttpResponse HandleRecordPut(const RecordParts& parts, const HttpRequest& request,
                             const PathParameters& path);
// DELETE: 204, 404 when there is none. If-Match and If-None-Match as for PUT.
HttpResponse HandleRecordDelete(const RecordParts& parts, const HttpRequest& request,
                                const PathParameters& path);

// GET /v1/collections/{c}/records?prefix=&cursor=&limit=&values=&role=: a page in key order. `role`
// reads what that store alone holds.
HttpResponse HandleRecordList(const RecordParts& parts, const HttpRequest& request,
                              const PathParameters& path);

// POST /v1/collections/{c}/batch {"operations": [{"op": "put", "delete" or "insert", "key" or
// "key_base64", of a put or insert "value", "value_base64" or "value_json", "if_match"?,
// "if_none_match"?, of an insert "on_conflict"?}]}: all of them at one point in time, or, with 412,
// none.
HttpResponse HandleRecordBatch(const RecordParts& parts, const HttpRequest& request,
                               const PathParameters& path);

}  // namespace switchback
