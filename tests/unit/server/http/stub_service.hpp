// A DbService that holds no records: its status, its answers about flips and drains are what a test
// says. One thread at a time, but for flags().
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "service/db_service.hpp"

namespace switchback {

class StubService final : public DbService {
 public:
  std::function<Status()> flip_gate;
  StubService() {
    for (FollowerStatus& follower : status.followers) follower.state = FollowerState::kInSync;
    status.stage = "dualwrite";
    status.generation = "gen-1";
  }

  ServiceStatus status;
  MetricsSnapshot metrics;
  Status may_apply;
  std::deque<Status> drains;  // the outcomes of Drain, in order; success when there are none left
  std::vector<std::chrono::milliseconds> drain_waits;
  int judged = 0;

  Status Close() override { return {}; }
  [[nodiscard]] CollectionCatalog& catalog() override { return catalog_; }
  [[nodiscard]] FlagStore& flags() override { return flags_; }
  Status JudgeFlags() override {
    ++judged;
    return MayApply(flags_.Current()->unified());
  }
  // A flip to legacy is always possible here.
  Status MayApply(const FlagRule& rule) override {
    return rule.share() == 0 ? Status() : may_apply;
  }
  [[nodiscard]] std::unique_ptr<Session> NewSession() override { return nullptr; }
  void Submit(WriteOp& op) override { op.Done(Fail(ErrorCode::kUnsupported, "no records here")); }
  Status Write(const std::function<Status(Transaction&)>&) override {
    return Fail(ErrorCode::kUnsupported, "no records here");
  }
  [[nodiscard]] std::unique_ptr<WatchSet> NewWatchSet() override { return nullptr; }
  Result<std::vector<std::string>> CollectionNames() override { return std::vector<std::string>(); }
  Status Drain(std::chrono::milliseconds wait_max) override {
    drain_waits.push_back(wait_max);
    if (drains.empty()) return {};
    Status outcome = std::move(drains.front());
    drains.pop_front();
    return outcome;
  }
  Status Detach(bool) override { return {}; }
  // As the real one: what is asked for is in effect unless it is refused.
  [[nodiscard]] ServiceStatus GetStatus() override {
    const FlagRule rule = flags_.Current()->unified();
    const Status judgement = MayApply(rule);
    ServiceStatus now = status;
    now.routing.desired_percentage = static_cast<double>(rule.share()) / 1000;
    now.routing.effective_percentage = judgement ? now.routing.desired_percentage : 0;
    now.routing.is_refused = !judgement;
    now.routing.reason = judgement ? "" : judgement.error().message;
    return now;
  }
  [[nodiscard]] MetricsSnapshot GetMetrics() override { return metrics; }
  Status AcceptForeignLegacy() override {
    return Fail(ErrorCode::kRefused, "legacy was not changed by another process");
  }
  Status RunOnStore(Role /*role*/, StoreTask /*task*/,
                    std::chrono::milliseconds /*wait_max*/) override {
    return Fail(ErrorCode::kUnsupported, "no stores here");
  }
  Result<std::string> RetireLegacy(std::chrono::milliseconds /*wait_max*/) override {
    return Fail(ErrorCode::kUnsupported, "no stores here");
  }
  Status ForgetStore(Role /*role*/, const std::string& /*reason*/,
                     std::chrono::milliseconds /*wait_max*/) override {
    return Fail(ErrorCode::kUnsupported, "no stores here");
  }
  Status ClearStore(Role /*role*/, const std::string& /*reason*/,
                    std::chrono::milliseconds /*wait_max*/) override {
    return Fail(ErrorCode::kUnsupported, "no stores here");
  }
  void SetFlipGate(std::function<Status()> gate) override { flip_gate = std::move(gate); }
  Status StartFill(Role, FillMode, std::unique_ptr<FillSource>) override {
    return Fail(ErrorCode::kRefused, "unified is in sync already");
  }
  [[nodiscard]] FillAccess& fill_access() override { return fill_access_; }

 private:
  class NoFill final : public FillAccess {
   public:
    Result<std::unique_ptr<ReadView>> NewStoreView(Role) override {
      return Fail(ErrorCode::kUnavailable, "no stores here");
    }
    Result<std::unique_ptr<LogBatchReader>> ReadLog(std::uint64_t) override {
      return Fail(ErrorCode::kUnavailable, "no log here");
    }
    [[nodiscard]] CollectionCatalog& catalog() override { return catalog_; }

   private:
    CollectionCatalog catalog_;
  };

  CollectionCatalog catalog_;
  FlagStore flags_;
  NoFill fill_access_;
};

}  // namespace switchback
