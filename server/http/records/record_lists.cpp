// Lists of collections and of records.
#include <charconv>
#include <functional>
#include <nlohmann/json.hpp>

#include "common/text.hpp"
#include "server/commands/values.hpp"
#include "server/http/json_response.hpp"
#include "server/http/json_text.hpp"
#include "server/http/problem.hpp"
#include "server/http/query.hpp"
#include "server/http/records/preconditions.hpp"
#include "server/http/records/record_handlers.hpp"
#include "server/http/records/record_source.hpp"
#include "server/transfer/jsonl_codec.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

struct ListRequest {
  std::string prefix;
  std::string after;  // the last key of the page before; "" = from the beginning
  std::size_t limit = Page::kLimitDefault;
  bool has_values = false;
  std::optional<Role> role;  // read this store alone
};

Result<bool> ParseBool(const std::string& text, const char* name) {
  if (text == "true") return true;
  if (text == "false") return false;
  return Fail(ErrorCode::kInvalidArgument,
              std::string("query: \"") + name + "\" must be true or false");
}

Status TakeCursor(const std::string& text, ListRequest& request) {
  auto key = DecodeBase64(text);
  if (!key || !IsPossibleKey(*key))
    return Fail(ErrorCode::kInvalidArgument,
                "query: \"cursor\" is not one that this server has given");
  request.after = *std::move(key);
  return {};
}

Status TakeRole(const std::string& text, ListRequest& request) {
  for (const Role role : kRoles)
    if (text == RoleName(role)) request.role = role;
  return request.role ? Status{}
                      : Status(Fail(ErrorCode::kInvalidArgument,
                                    "query: \"role\" must be legacy or unified"));
}

Status TakeLimit(const std::string& text, ListRequest& request) {
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), request.limit);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size() || request.limit == 0 ||
      request.limit > Page::kLimitMax)
    return Fail(ErrorCode::kInvalidArgument,
                "query: \"limit\" must be 1 to " + std::to_string(Page::kLimitMax));
  return {};
}

Result<ListRequest> ParseList(const std::string& query) {
  const auto parameters = ParseQuery(query);
  if (!parameters) return Fail(parameters.error());
  ListRequest request;
  for (const auto& [name, value] : *parameters) {
    if (name == "prefix") {
      request.prefix = value;
    } else if (name == "cursor") {
      if (!value.empty()) SB_RETURN_IF_ERROR(TakeCursor(value, request));
    } else if (name == "limit") {
      SB_RETURN_IF_ERROR(TakeLimit(value, request));
    } else if (name == "values") {
      auto has_values = ParseBool(value, "values");
      if (!has_values) return Fail(has_values.error());
      request.has_values = *has_values;
    } else if (name == "role") {
      SB_RETURN_IF_ERROR(TakeRole(value, request));
    } else {
      return Fail(ErrorCode::kInvalidArgument,
                  "the query may hold prefix, cursor, limit, values and role");
    }
  }
  if (request.prefix.size() > kKeyBytesMax)
    return Fail(ErrorCode::kInvalidArgument, "query: \"prefix\" is longer than a key can be");
  return request;
}

Json RecordJson(std::string_view key, std::string_view value, bool has_value) {
  Json record = Json::object();
  if (IsUtf8(key)) record["key"] = key;
  record["key_base64"] = EncodeBase64(key);
  record["bytes"] = value.size();
  if (!has_value) return record;
  record["is_left_out"] = value.size() > kRecordListValueBytesMax;
  if (value.size() > kRecordListValueBytesMax) return record;
  record["etag"] = EntityTagOf(value);
  if (IsUtf8(value)) record["value"] = value;
  record["value_base64"] = EncodeBase64(value);
  return record;
}

std::string NextPath(const std::string& collection, const ListRequest& request,
                     std::string_view last) {
  return "/v1/collections/" + collection + "/records?prefix=" + PercentEncode(request.prefix) +
         "&cursor=" + PercentEncode(EncodeBase64(last)) +
         "&limit=" + std::to_string(request.limit) +
         "&values=" + (request.has_values ? "true" : "false") +
         (request.role ? "&role=" + std::string(RoleName(*request.role)) : "");
}

// The page's records into `records`; the last key looked at when there is more, else "".
using AddRecord = std::function<void(std::string_view key, std::string_view value)>;

// The page's records to `add`; the last key looked at when there is more, else "". `reader` is a
// Session, or a ReadView of one store.
template <class Reader>
Result<std::string> ReadPage(Reader& reader, const Collection& collection,
                             const ListRequest& request, const AddRecord& add) {
  std::size_t bytes = 0;
  std::size_t count = 0;
  std::string last;
  bool has_more = false;
  const auto visit = [&](std::string_view key, std::string_view value) {
    if (!key.starts_with(request.prefix)) return false;
    if (key == request.after) return true;
    if (count == request.limit || (bytes >= kRecordPageBytesMax && count > 0)) {
      has_more = true;
      return false;
    }
    bytes += key.size() + value.size();
    ++count;
    last.assign(key);
    add(key, value);
    return true;
  };
  SB_RETURN_IF_ERROR(reader.Scan(collection, std::max(request.prefix, request.after), visit));
  return has_more ? last : std::string();
}

// From the store that is asked for, or from those that answer.
Result<std::string> ReadPageOf(const RecordParts& parts, const Collection& collection,
                               const ListRequest& request, const AddRecord& add) {
  if (!request.role) {
    const SessionPool::Lease session = parts.sessions.Take();
    return ReadPage(*session, collection, request, add);
  }
  const auto view = OpenStoreCopy(parts.service, *request.role, collection);
  if (!view) return Fail(view.error());
  return ReadPage(**view, collection, request, add);
}

// A value that is left out has a line of its own kind, so that nobody takes it for an empty one.
void AppendRecordLine(const std::string& collection, std::string_view key, std::string_view value,
                      std::string& out) {
  if (value.size() <= kRecordListValueBytesMax) {
    AppendJsonLine(collection, key, value, out);
  } else {
    out += JsonText({{"is_left_out", true}, {"key_base64", EncodeBase64(key)}});
  }
}

// The lines that `switchback export` writes: a fifth of the work of one large document.
HttpResponse LinesResponse(const RecordParts& parts, const Collection* collection,
                           const std::string& name, ListRequest list) {
  HttpResponse response;
  response.content_type = "application/x-ndjson";
  if (collection == nullptr) return response;
  const auto add = [&](std::string_view key, std::string_view value) {
    AppendRecordLine(name, key, value, response.body);
  };
  const auto last = ReadPageOf(parts, *collection, list, add);
  if (!last) return ProblemResponse(last.error());
  list.has_values = true;
  if (!last->empty()) response.body += JsonText({{"next", NextPath(name, list, *last)}});
  return response;
}

// What LMDB says at once; nullopt when it does not hold the collection whole.
class QuickCounts {
 public:
  explicit QuickCounts(DbService& service) {
    const FollowerStatus legacy = service.GetStatus().followers[Index(Role::kLegacy)];
    if (legacy.state != FollowerState::kInSync || legacy.engine != "lmdb") return;
    auto view = service.fill_access().NewStoreView(Role::kLegacy);
    if (view && (*view)->Begin()) view_ = *std::move(view);
  }
  std::optional<std::uint64_t> Of(const Collection& collection) {
    if (view_ == nullptr || !collection.IsHeldBy(Index(Role::kLegacy))) return std::nullopt;
    const auto count = view_->Count(collection);
    return count ? std::optional(*count) : std::nullopt;
  }

 private:
  std::unique_ptr<ReadView> view_;
};

}  // namespace

HttpResponse HandleCollectionList(const RecordParts& parts, const HttpRequest& request) {
  const auto parameters = ParseQuery(request.query);
  if (!parameters) return ProblemResponse(parameters.error());
  const bool is_exact = parameters->size() == 1 && parameters->contains("count") &&
                        parameters->at("count") == "exact";
  if (!parameters->empty() && !is_exact)
    return ProblemResponse(
        Error{ErrorCode::kInvalidArgument, "the query may hold count=exact and nothing else"});
  const auto names = parts.service.CollectionNames();
  if (!names) return ProblemResponse(names.error());
  Json document{{"collections", Json::array()}, {"is_exact", is_exact}};
  std::optional<QuickCounts> quick;
  if (!is_exact) quick.emplace(parts.service);
  const SessionPool::Lease session = parts.sessions.Take();
  for (const std::string& name : *names) {
    Json entry{{"name", name}, {"records", nullptr}};
    const Collection* collection = parts.service.catalog().Find(name);
    if (collection != nullptr && quick) {
      if (const auto count = quick->Of(*collection)) entry["records"] = *count;
    } else if (collection != nullptr) {
      const auto count = session->Count(*collection);
      session->EndTurn();  // others may have many records: no snapshot is held over all of them
      if (!count) return ProblemResponse(count.error());
      entry["records"] = *count;
    }
    document["collections"].push_back(std::move(entry));
  }
  return JsonResponse(document);
}

HttpResponse HandleRecordList(const RecordParts& parts, const HttpRequest& request,
                              const PathParameters& path) {
  const auto list = ParseList(request.query);
  if (!list) return ProblemResponse(list.error());
  if (!IsValidCollectionName(path[0]))
    return ProblemResponse(400, "invalid-argument",
                           "a collection's name has 1 to 64 of the characters A-Z a-z 0-9 _ . -");
  const Collection* collection = parts.service.catalog().Find(path[0]);
  if (request.Header("accept").find("application/x-ndjson") != std::string_view::npos)
    return LinesResponse(parts, collection, path[0], *list);
  Json document{{"records", Json::array()}, {"next", nullptr}};
  if (collection == nullptr) return JsonResponse(document);
  const auto last =
      ReadPageOf(parts, *collection, *list, [&](std::string_view key, std::string_view value) {
        document["records"].push_back(RecordJson(key, value, list->has_values));
      });
  if (!last) return ProblemResponse(last.error());
  if (!last->empty()) document["next"] = NextPath(path[0], *list, *last);
  return JsonResponse(document);
}

}  // namespace switchback
