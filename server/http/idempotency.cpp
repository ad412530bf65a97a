#include "server/http/idempotency.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "common/log.hpp"
#include "common/sha256.hpp"
#include "flags/strict_json.hpp"
#include "server/http/problem.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kList = "idempotency";
constexpr std::size_t kLoadCount = 500;

bool IsKey(std::string_view key) {
  return !key.empty() && key.size() <= kIdempotencyKeyBytesMax &&
         std::all_of(key.begin(), key.end(), [](char c) { return c >= ' ' && c < 127; });
}

std::string DigestOfParts(const std::vector<std::string_view>& parts) {
  Sha256 digest;
  for (const std::string_view part : parts) {
    digest.Add(std::to_string(part.size()) + ":");
    digest.Add(part);
  }
  return digest.FinishHex();
}

// Answers that say that nothing was done: the same request may succeed later, with the same key.
bool WasNothingDone(unsigned status) {
  constexpr std::array<unsigned, 10> kStatuses{400, 401, 403, 404, 405, 409, 413, 415, 429, 503};
  return std::find(kStatuses.begin(), kStatuses.end(), status) != kStatuses.end();
}

HttpResponse UnderWay() {
  return ProblemResponse(409, "idempotency-under-way",
                         "the request with this Idempotency-Key is under way, or was when the "
                         "server stopped: look at the status of what it asked for; if it was not "
                         "done, ask again with another key");
}

}  // namespace

HttpResponse IdempotencyBook::Run(std::string_view owner, const HttpRequest& request,
                                  const std::function<HttpResponse()>& act) {
  const std::string_view key = request.Header("idempotency-key");
  if (!IsKey(key))
    return ProblemResponse(400, "idempotency-key",
                           "Idempotency-Key must have 1 to 255 visible characters");
  const std::string id = DigestOfParts({owner, key});
  const std::string fingerprint =
      DigestOfParts({request.method, request.path, request.query, request.body});
  auto known = Begin(id, fingerprint);
  if (!known) return ProblemResponse(known.error());
  if (*known) return *std::move(*known);
  HttpResponse answer = act();
  End(id, answer);
  return answer;
}

Result<std::optional<HttpResponse>> IdempotencyBook::Begin(const std::string& id,
                                                           const std::string& fingerprint) {
  const MutexLock lock(mutex_);
  SB_RETURN_IF_ERROR(Load());
  const std::int64_t now = std::chrono::system_clock::to_time_t(clock_.WallNow());
  SB_RETURN_IF_ERROR(Trim(now));
  if (const auto found = by_id_.find(id); found != by_id_.end()) {
    const Entry& entry = *found->second;
    if (entry.fingerprint != fingerprint)
      return std::optional(
          ProblemResponse(422, "idempotency-key-reused",
                          "this Idempotency-Key was used for another request: take a new one"));
    if (!entry.is_done) return std::optional(UnderWay());
    HttpResponse again = entry.answer;
    again.headers.emplace_back("Idempotency-Replayed", "true");
    return std::optional(std::move(again));
  }
  Entry entry;
  entry.id = id;
  entry.fingerprint = fingerprint;
  entry.at = now;
  SB_RETURN_IF_ERROR(Store(entry));
  Insert(std::move(entry));
  return std::optional<HttpResponse>();
}

void IdempotencyBook::End(const std::string& id, const HttpResponse& answer) {
  const MutexLock lock(mutex_);
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return;
  Status ended;
  if (WasNothingDone(answer.status)) {
    ended = Remove(found->second);
  } else {
    Entry& entry = *found->second;
    entry.is_done = true;
    entry.answer = answer;
    entry.answer.headers.clear();
    entry.answer.stream = nullptr;
    if (entry.answer.body.size() > kIdempotentAnswerBytesMax)
      entry.answer = ProblemResponse(409, "idempotency-answer-too-long",
                                     "the request was done; its answer was too long to be kept");
    bytes_ += entry.answer.body.size();
    ended = Store(entry);
  }
  // It was done in any case, and is answered; after a restart the key counts as under way.
  if (!ended) LogWarning("the answer to an Idempotency-Key is not kept: {}", ended.error().message);
}

Status IdempotencyBook::Load() {
  if (is_loaded_) return {};
  std::vector<Entry> loaded;
  std::string after;
  while (true) {
    const auto page = journal_.Findings(kList, "", after, kLoadCount);
    if (!page) return Fail(page.error());
    for (const Finding& finding : *page) {
      const auto document = ParseStrictJson(finding.detail);
      if (!document || !document->is_object()) continue;
      Entry entry;
      entry.id = finding.key;
      entry.fingerprint = document->value("fingerprint", "");
      entry.at = document->value("at", std::int64_t{0});
      entry.is_done = document->value("done", false);
      entry.answer.status = document->value("status", 0u);
      entry.answer.content_type = document->value("content_type", "");
      entry.answer.body = document->value("body", "");
      loaded.push_back(std::move(entry));
    }
    if (page->size() < kLoadCount) break;
    after = page->back().key;
  }
  std::sort(loaded.begin(), loaded.end(),
            [](const Entry& a, const Entry& b) { return a.at < b.at; });
  for (Entry& entry : loaded) Insert(std::move(entry));
  is_loaded_ = true;
  return {};
}

void IdempotencyBook::Insert(Entry entry) {
  bytes_ += entry.bytes();
  entries_.push_back(std::move(entry));
  by_id_[entries_.back().id] = std::prev(entries_.end());
}

Status IdempotencyBook::Store(const Entry& entry) {
  const Json document{{"fingerprint", entry.fingerprint},
                      {"at", entry.at},
                      {"done", entry.is_done},
                      {"status", entry.answer.status},
                      {"content_type", entry.answer.content_type},
                      {"body", entry.answer.body}};
  const Finding finding{"", entry.id,
                        document.dump(-1, ' ', false, Json::error_handler_t::replace)};
  return journal_.AddFindings(kList, std::span(&finding, 1));
}

Status IdempotencyBook::Remove(Entries::iterator entry) {
  SB_RETURN_IF_ERROR(journal_.RemoveFinding(kList, "", entry->id));
  bytes_ -= entry->bytes();
  by_id_.erase(entry->id);
  entries_.erase(entry);
  return {};
}

Status IdempotencyBook::Trim(std::int64_t now) {
  const std::int64_t window = std::chrono::seconds(kIdempotencyWindow).count();
  while (!entries_.empty()) {
    const std::int64_t age = now - entries_.front().at;
    // A clock that jumped back must not keep entries for ever.
    const bool is_old = age > window || age < -window;
    const bool is_full = entries_.size() >= kIdempotencyCountMax || bytes_ > kIdempotencyBytesMax;
    if (!is_old && !is_full) return {};
    SB_RETURN_IF_ERROR(Remove(entries_.begin()));
  }
  return {};
}

}  // namespace switchback
