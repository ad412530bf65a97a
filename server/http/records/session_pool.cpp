#include "server/http/records/session_pool.hpp"

#include <utility>

namespace switchback {

SessionPool::Lease SessionPool::Take() {
  {
    const MutexLock lock(mutex_);
    if (!idle_.empty()) {
      std::unique_ptr<Session> session = std::move(idle_.back());
      idle_.pop_back();
      return {*this, std::move(session)};
    }
  }
  return {*this, service_.NewSession()};
}

void SessionPool::Return(std::unique_ptr<Session> session) {
  session->EndTurn();
  const MutexLock lock(mutex_);
  if (!is_closed_) idle_.push_back(std::move(session));
}

void SessionPool::Close() {
  std::vector<std::unique_ptr<Session>> idle;
  const MutexLock lock(mutex_);
  is_closed_ = true;
  idle.swap(idle_);
}

}  // namespace switchback
