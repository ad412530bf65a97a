// Requests that may be sent again: what was answered to an Idempotency-Key is answered again, and
// nothing is done twice.
//
// A key is remembered before anything is done, and its answer before that is sent, both durably, in
// the journal. After a crash in between nobody knows whether it was done: the key stays taken and
// the client is told to look.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

#include "common/clock.hpp"
#include "common/result.hpp"
#include "common/sync.hpp"
#include "migration/journal.hpp"
#include "server/http/message.hpp"

namespace switchback {

inline constexpr std::chrono::hours kIdempotencyWindow{24};
inline constexpr std::size_t kIdempotencyKeyBytesMax = 255;
// The oldest give way.
inline constexpr std::size_t kIdempotencyCountMax = 10'000;
inline constexpr std::size_t kIdempotencyBytesMax = 32u << 20;
// A longer answer is not kept; the key is, and says so.
inline constexpr std::size_t kIdempotentAnswerBytesMax = 256u << 10;

// Thread-safe. Blocks for the journal's disk.
class IdempotencyBook {
 public:
  // Both outlive it.
  IdempotencyBook(Journal& journal, const Clock& clock) : journal_(journal), clock_(clock) {}

  // Answers a request that carries the header: by `act`, or as before. `owner` is whose key it is:
  // two owners' keys have nothing to do with each other. 400 for a key that is none, 422 for one
  // that another request has, 409 while that request is under way.
  HttpResponse Run(std::string_view owner, const HttpRequest& request,
                   const std::function<HttpResponse()>& act) SB_EXCLUDES(mutex_);

 private:
  struct Entry {
    std::string id;           // a digest of owner and key
    std::string fingerprint;  // a digest of method, path, query and body
    std::int64_t at = 0;      // seconds since 1970
    bool is_done = false;
    HttpResponse answer;
    [[nodiscard]] std::size_t bytes() const { return answer.body.size() + 512; }
  };
  using Entries = std::list<Entry>;

  Status Load() SB_REQUIRES(mutex_);
  void Insert(Entry entry) SB_REQUIRES(mutex_);
  Status Store(const Entry& entry) SB_REQUIRES(mutex_);
  Status Remove(Entries::iterator entry) SB_REQUIRES(mutex_);
  // Those that are too old or too many.
  Status Trim(std::int64_t now) SB_REQUIRES(mutex_);
  // The answer to a key that is known, nullopt: go on, it is taken for this request now.
  Result<std::optional<HttpResponse>> Begin(const std::string& id, const std::string& fingerprint)
      SB_EXCLUDES(mutex_);
  void End(const std::string& id, const HttpResponse& answer) SB_EXCLUDES(mutex_);

  Journal& journal_;
  const Clock& clock_;
  Mutex mutex_;
  bool is_loaded_ SB_GUARDED_BY(mutex_) = false;
  Entries entries_ SB_GUARDED_BY(mutex_);  // the oldest first
  std::unordered_map<std::string, Entries::iterator> by_id_ SB_GUARDED_BY(mutex_);
  std::size_t bytes_ SB_GUARDED_BY(mutex_) = 0;
};

}  // namespace switchback
