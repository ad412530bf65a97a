#include "server/cli/history_source.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "server/cli/lock_owner.hpp"
#include "server/http/history_json.hpp"
#include "server/http/query.hpp"
#include "server/process.hpp"
#include "service/data_directory.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

std::string JournalPath(const std::string& data_dir) {
  return data_dir + "/control.sqlite";
}

}  // namespace

Result<HistorySource> HistorySource::Find(const ServerOptions& options) {
  HistorySource source;
  source.data_dir_ = options.data_dir;
  const bool is_offline =
      options.url.empty() && !options.data_dir.empty() && !LockOwner(options.data_dir + "/LOCK");
  if (is_offline) {
    auto journal = Journal::OpenToRead(JournalPath(options.data_dir), SystemClock());
    if (!journal) return Fail(journal.error());
    source.journal_ = *std::move(journal);
    return source;
  }
  auto api = ServerApi::Find(options);
  if (!api) return Fail(api.error());
  source.api_ = *std::move(api);
  return source;
}

Result<Json> HistorySource::Page(const HistoryQuery& query) {
  if (journal_) return HistoryPageJson(*journal_, query);
  std::string path = "/v1/history?limit=" + std::to_string(query.count_max);
  if (!query.kind.empty()) path += "&kind=" + PercentEncode(query.kind);
  if (query.before != 0) path += "&before=" + std::to_string(query.before);
  return api_->Get(path);
}

Result<Json> HistorySource::List(HistoryQuery query) {
  const std::size_t wanted = query.count_max;
  Json whole;
  while (true) {
    const std::size_t have = whole.is_null() ? 0 : whole["entries"].size();
    query.count_max = wanted == 0 ? kHistoryPageMax : std::min(wanted - have, kHistoryPageMax);
    auto page = Page(query);
    if (!page) return page;
    const Json next = page->value("next_before", Json());
    if (whole.is_null()) {
      whole = *std::move(page);
    } else {
      for (Json& entry : (*page)["entries"]) whole["entries"].push_back(std::move(entry));
      whole["next_before"] = next;
    }
    if (!next.is_number_integer() || (wanted != 0 && whole["entries"].size() >= wanted))
      return whole;
    query.before = next.get<std::int64_t>();
  }
}

Result<Json> HistorySource::Show(std::int64_t operation) {
  if (journal_) return HistoryOperationJson(*journal_, operation);
  return api_->Get("/v1/history/" + std::to_string(operation));
}

Result<Json> HistorySource::Verify(const std::string& expected_head) {
  if (journal_) return HistoryVerdictJson(*journal_, expected_head);
  return api_->Get("/v1/history/verify?head=" + PercentEncode(expected_head),
                   std::chrono::minutes(10));
}

Result<Json> HistorySource::AddNote(const OperationNote& note) {
  if (api_)
    return api_->Send("POST", "/v1/history/" + std::to_string(note.operation) + "/notes",
                      {{"text", note.text}, {"kind", note.kind}, {"actor", note.actor}});
  SB_RETURN_IF_ERROR(ActAsOwner(data_dir_));
  const auto lock = DataDirectory::OpenForRepair(data_dir_, "");
  if (!lock) return Fail(lock.error());
  journal_.reset();
  auto journal = Journal::Open(JournalPath(data_dir_), SystemClock());
  if (!journal) return Fail(journal.error());
  const auto number = (*journal)->AddNote(note);
  if (!number) return Fail(number.error());
  return Json{{"number", *number}, {"operation", note.operation}};
}

}  // namespace switchback
