#include "migration/schema/sql_queries.hpp"

#include <fmt/format.h>

#include "common/check.hpp"

namespace switchback {
namespace {

class Slot {
 public:
  explicit Slot(std::atomic<int>& running)
      : running_(running), is_free_(++running <= kQueryCountMax) {}
  ~Slot() {
    const int left = --running_;
    SB_CHECK(left >= 0, "a slot is given back once");
  }
  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;
  [[nodiscard]] bool is_free() const { return is_free_; }

 private:
  std::atomic<int>& running_;
  const bool is_free_;
};

}  // namespace

Status SqlQueries::WaitUntilFresh() {
  const FollowerStatus unified = service_.GetStatus().followers[Index(Role::kUnified)];
  if (unified.state == FollowerState::kInSync)
    return service_.CatchUp(Role::kUnified, kQueryCatchUpMax);
  return Fail(ErrorCode::kRefused,
              fmt::format("unified is {}{}{}: ask with \"is_fresh\": false to see what it holds",
                          FollowerStateName(unified.state), unified.reason.empty() ? "" : ": ",
                          unified.reason));
}

Result<SqlResult> SqlQueries::Run(SqlQuery query, std::chrono::milliseconds time_max,
                                  bool is_fresh) {
  const Slot slot(running_);
  if (!slot.is_free())
    return Fail(ErrorCode::kBusy, fmt::format("{} queries are running already", kQueryCountMax));
  if (is_fresh) SB_RETURN_IF_ERROR(WaitUntilFresh());
  auto view = service_.fill_access().NewStoreView(Role::kUnified);
  if (!view) return Fail(view.error());
  SqlReader* sql = (*view)->sql();
  if (sql == nullptr) return Fail(ErrorCode::kUnsupported, "the unified store speaks no SQL");
  query.budget = {std::chrono::steady_clock::now() + time_max,
                  [this] { return is_stopping_.load(); }};
  SB_RETURN_IF_ERROR((*view)->Begin());
  auto result = sql->Query(query);
  (*view)->End();
  return result;
}

}  // namespace switchback
