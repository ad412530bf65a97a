#include "server/http/history_json.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "migration/history_record.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

// What somebody else has written into the file may be anything.
Json ParsedOrText(const std::string& text) {
  Json json = Json::parse(text, nullptr, false);
  return json.is_object() ? json : Json{{"text", text}};
}

Json EntryJson(const HistoryEntry& entry) {
  return {{"number", entry.number},
          {"time", entry.time},
          {"kind", entry.kind},
          {"record", ParsedOrText(entry.json)},
          {"previous_hash", entry.previous_hash},
          {"hash", entry.hash}};
}

}  // namespace

Result<Json> HistoryPageJson(Journal& journal, HistoryQuery query) {
  const std::size_t wanted = query.count_max;
  ++query.count_max;  // one more tells whether there are more
  auto entries = journal.ReadHistory(query);
  if (!entries) return Fail(entries.error());
  const auto newest = journal.ReadHistory({"", 0, 0, 1});
  if (!newest) return Fail(newest.error());
  const bool has_more = entries->size() > wanted;
  if (has_more) entries->resize(wanted);
  Json list = Json::array();
  for (const HistoryEntry& entry : *entries) list.push_back(EntryJson(entry));
  Json page{{"entries", std::move(list)}};
  page["next_before"] = has_more ? Json(entries->back().number) : Json();
  page["head"] = {{"number", newest->empty() ? 0 : newest->front().number},
                  {"hash", newest->empty() ? std::string(kHistoryRoot) : newest->front().hash}};
  return page;
}

Result<Json> HistoryOperationJson(Journal& journal, std::int64_t id) {
  const auto operation = journal.Operation(id);
  if (!operation) return Fail(operation.error());
  auto entries = journal.ReadHistory({"", 0, id, kHistoryPageMax});
  if (!entries) return Fail(entries.error());
  std::reverse(entries->begin(), entries->end());
  Json list = Json::array();
  for (const HistoryEntry& entry : *entries) list.push_back(EntryJson(entry));
  return Json{{"operation", ParsedOrText(OperationHistoryJson(*operation))},
              {"entries", std::move(list)}};
}

Result<Json> HistoryVerdictJson(Journal& journal, std::string_view expected_head) {
  if (!expected_head.empty() && !IsHistoryHash(expected_head))
    return Fail(ErrorCode::kInvalidArgument,
                "a head is the 64 hexadecimal digits that `switchback history verify` prints");
  const auto verdict = journal.VerifyHistory(expected_head);
  if (!verdict) return Fail(verdict.error());
  return Json{{"is_intact", verdict->is_intact},
              {"entries", verdict->entries},
              {"head", verdict->head},
              {"broken_at", verdict->broken_at == 0 ? Json() : Json(verdict->broken_at)},
              {"problem", verdict->problem},
              {"expected_head_at",
               verdict->expected_head_at == 0 ? Json() : Json(verdict->expected_head_at)}};
}

}  // namespace switchback
