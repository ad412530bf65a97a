#include "migration/store_check.hpp"

#include <thread>

#include "common/check.hpp"

namespace switchback {
namespace {

constexpr std::uint64_t kChunkRecords = 65536;
constexpr std::chrono::milliseconds kPoll{5};

// Where a pass stands.
struct Position {
  std::string collection;
  std::string key;  // the last one read
};

class Pass {
 public:
  Pass(DbService& service, ReadView& view) : service_(service), view_(view) {}

  Result<std::uint64_t> CountAll() {
    SB_RETURN_IF_ERROR(view_.Begin());
    auto total = CountNow();
    view_.End();
    return total;
  }

  // Reads the next chunk in a snapshot of its own; false when none is left.
  Result<bool> Step(StoreCheckResult& result) {
    SB_RETURN_IF_ERROR(view_.Begin());
    auto more = ReadChunk(result);
    auto state = view_.State();
    view_.End();
    if (!more) return more;
    if (!state) return Fail(state.error());
    result.sequence = state->applied_sequence;
    return more;
  }

 private:
  Result<std::uint64_t> CountNow() {
    auto names = view_.CollectionNames();
    if (!names) return Fail(names.error());
    std::uint64_t total = 0;
    for (const std::string& name : *names) {
      auto collection = service_.catalog().Intern(name);
      if (!collection) return Fail(collection.error());
      auto count = view_.Count(**collection);
      if (!count) return count;
      total += *count;
    }
    return total;
  }

  Result<bool> ReadChunk(StoreCheckResult& result) {
    auto names = view_.CollectionNames();
    if (!names) return Fail(names.error());
    std::uint64_t left = kChunkRecords;
    for (const std::string& name : *names) {
      if (name < at_.collection) continue;
      if (name > at_.collection) at_ = {name, ""};
      SB_RETURN_IF_ERROR(ReadCollection(name, left, result));
      if (left == 0) return true;
    }
    return false;
  }

  Status ReadCollection(const std::string& name, std::uint64_t& left, StoreCheckResult& result) {
    auto collection = service_.catalog().Intern(name);
    if (!collection) return Fail(collection.error());
    const std::string after = at_.key;
    const auto visit = [&](std::string_view key, std::string_view value) {
      if (!after.empty() && key <= after) return true;
      if (left == 0) return false;
      at_.key = key;
      result.records += 1;
      result.bytes += key.size() + value.size();
      left -= 1;
      return true;
    };
    return view_.Scan(**collection, after, visit);
  }

  DbService& service_;
  ReadView& view_;
  Position at_;
};

Status WaitUntilApplied(DbService& service, Role role, std::uint64_t sequence,
                        std::chrono::milliseconds wait_max) {
  const SteadyTime deadline = std::chrono::steady_clock::now() + wait_max;
  while (true) {
    const FollowerStatus store = service.GetStatus().followers[Index(role)];
    if (store.applied_sequence >= sequence) return {};
    if (std::chrono::steady_clock::now() >= deadline) {
      return Fail(ErrorCode::kBusy, std::string(RoleName(role)) + " is at batch " +
                                        std::to_string(store.applied_sequence) + " of " +
                                        std::to_string(sequence));
    }
    std::this_thread::sleep_for(kPoll);
  }
}

}  // namespace

Result<StoreCheckResult> CheckStore(DbService& service, Role role,
                                    std::chrono::milliseconds wait_max,
                                    const std::atomic<bool>& stop,
                                    const std::function<void(double)>& on_progress) {
  SB_RETURN_IF_ERROR(WaitUntilApplied(service, role, service.GetStatus().last_sequence, wait_max));
  auto view = service.fill_access().NewStoreView(role);
  if (!view) return Fail(view.error());
  Pass pass(service, **view);
  const auto total = pass.CountAll();
  if (!total) return Fail(total.error());
  const std::uint64_t begun_at = service.GetStatus().followers[Index(role)].applied_sequence;
  StoreCheckResult result;
  while (true) {
    if (stop) return Fail(ErrorCode::kCancelled, "the service is stopping");
    auto more = pass.Step(result);
    if (!more) return Fail(more.error());
    if (*total > 0 && on_progress)
      on_progress(std::min(1.0, static_cast<double>(result.records) / static_cast<double>(*total)));
    if (!*more) break;
  }
  result.is_still = result.sequence == begun_at;
  if (result.is_still && result.records != *total) {
    // The count may be of before begun_at.
    const auto again = pass.CountAll();
    if (!again) return Fail(again.error());
    const bool has_moved =
        service.GetStatus().followers[Index(role)].applied_sequence != result.sequence;
    if (!has_moved && result.records != *again) {
      return Fail(ErrorCode::kCorruption, std::string(RoleName(role)) + " gives " +
                                              std::to_string(result.records) +
                                              " records and counts " + std::to_string(*again));
    }
  }
  return result;
}

}  // namespace switchback
