// Sessions of the service for requests that come and go: making one opens a connection to SQLite,
// so they are used again.
#pragma once

#include <memory>
#include <vector>

#include "common/sync.hpp"
#include "service/db_service.hpp"

namespace switchback {

// Thread-safe. Holds as many idle sessions as were ever in use at the same time: the threads of the
// lane that reads records.
class SessionPool {
 public:
  // `service` outlives this, or Close comes before its end.
  explicit SessionPool(DbService& service) : service_(service) {}
  SessionPool(const SessionPool&) = delete;
  SessionPool& operator=(const SessionPool&) = delete;

  // A session for one request. Its end gives the snapshot back.
  class Lease {
   public:
    Lease(SessionPool& pool, std::unique_ptr<Session> session)
        : pool_(pool), session_(std::move(session)) {}
    ~Lease() { pool_.Return(std::move(session_)); }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    Session& operator*() const { return *session_; }
    Session* operator->() const { return session_.get(); }

   private:
    SessionPool& pool_;
    std::unique_ptr<Session> session_;
  };

  [[nodiscard]] Lease Take() SB_EXCLUDES(mutex_);
  // Ends the idle sessions, and those in use when they come back.
  void Close() SB_EXCLUDES(mutex_);

 private:
  void Return(std::unique_ptr<Session> session) SB_EXCLUDES(mutex_);

  DbService& service_;
  Mutex mutex_;
  std::vector<std::unique_ptr<Session>> idle_ SB_GUARDED_BY(mutex_);
  bool is_closed_ SB_GUARDED_BY(mutex_) = false;
};

}  // namespace switchback
