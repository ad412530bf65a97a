// What is behind DbService: wires log, memtable, followers, pipeline and readers together, recovers
// at start, and keeps house.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <thread>

#include "common/sync.hpp"
#include "service/commit_log.hpp"
#include "service/data_directory.hpp"
#include "service/db_service.hpp"
#include "service/follower.hpp"
#include "service/memtable.hpp"
#include "service/read_path.hpp"
#include "service/shadow_reader.hpp"
#include "service/switch_gate.hpp"
#include "service/watch_registry.hpp"
#include "service/write_pipeline.hpp"

namespace switchback {

class DbServiceImpl final : public DbService, private FillAccess {
 public:
  // Opens one store at a path. Tests put other engines here.
  using OpenStore = std::function<Result<std::unique_ptr<Backend>>(
      const std::string& path, bool is_adopted, CollectionCatalog& catalog)>;
  static Result<std::unique_ptr<DbServiceImpl>> Open(DbServiceOptions options,
                                                     const OpenStore& open_legacy,
                                                     const OpenStore& open_unified);
  ~DbServiceImpl() override;

  Status Close() override;
  CollectionCatalog& catalog() override { return catalog_; }
  FlagStore& flags() override { return flags_; }
  Status JudgeFlags() override SB_EXCLUDES(routing_mutex_);
  void HoldRouting(const std::string& reason) override SB_EXCLUDES(routing_mutex_);
  void HoldWrites(WriteHold holder, const std::string& reason) override
      SB_EXCLUDES(write_holds_mutex_);
  Status MayApply(const FlagRule& rule) override;
  std::unique_ptr<Session> NewSession() override;
  void Submit(WriteOp& op) override { pipeline_->Submit(op); }
  Status Write(const std::function<Status(Transaction&)>& run) override {
    return pipeline_->Write(run);
  }
  std::unique_ptr<WatchSet> NewWatchSet() override;
  Result<std::vector<std::string>> CollectionNames() override;
  Status Drain(std::chrono::milliseconds wait_max) override SB_EXCLUDES(house_mutex_);
  Status CatchUp(Role role, std::chrono::milliseconds wait_max) override;
  Status Detach(bool force) override;
  ServiceStatus GetStatus() override SB_EXCLUDES(routing_mutex_);
  MetricsSnapshot GetMetrics() override { return metrics_.Snapshot(); }
  std::vector<CollectionMetrics> GetCollectionMetrics() override {
    return metrics_.CollectionSnapshot(catalog_);
  }
  const RecentErrors& recent_errors() const override { return metrics_.recent_errors(); }
  Status AcceptForeignLegacy() override;
  Status RunOnStore(Role role, StoreTask task, std::chrono::milliseconds wait_max) override {
    return follower(role).RunTask(std::move(task), wait_max);
  }
  Result<PinnedStores> PinStores(std::chrono::milliseconds wait_max) override;
  GenerationPlace NewGeneration() override SB_EXCLUDES(paths_mutex_);
  Status DescribeGeneration(const std::string& name, const std::string& legacy_path,
                            const std::string& unified_path, bool has_legacy) override
      SB_EXCLUDES(paths_mutex_);
  Status SwitchGeneration(const std::string& name, std::chrono::milliseconds wait_max) override
      SB_EXCLUDES(paths_mutex_);
  Result<std::string> ReviveGeneration(const std::string& name) override SB_EXCLUDES(paths_mutex_);
  Status RemoveUnusedGenerations() override SB_EXCLUDES(paths_mutex_);
  Result<std::string> RetireLegacy(std::chrono::milliseconds wait_max) override
      SB_EXCLUDES(paths_mutex_);
  Status ForgetStore(Role role, const std::string& reason,
                     std::chrono::milliseconds wait_max) override;
  Status ClearStore(Role role, const std::string& reason,
                    std::chrono::milliseconds wait_max) override;
  void SetFlipGate(std::function<Status()> gate) override { flip_gate_ = std::move(gate); }
  Status StartFill(Role target, FillMode mode, std::unique_ptr<FillSource> source) override;
  FillAccess& fill_access() override { return *this; }

 private:
  struct Opened {  // a store and what it says of itself
    std::unique_ptr<Backend> backend;
    StoreState committed;
  };
  struct Begin {  // where a follower begins
    FollowerState state = FollowerState::kDetached;
    std::string reason;
  };

  DbServiceImpl(DbServiceOptions options, DataDirectory directory)
      : options_(std::move(options)), directory_(std::move(directory)) {}

  // FillAccess
  Result<std::unique_ptr<ReadView>> NewStoreView(Role role) override;
  Result<std::unique_ptr<LogBatchReader>> ReadLog(std::uint64_t after) override;

  // PinStores (service/pinned_stores.cpp).
  Result<PinnedStores> OpenPins(const std::vector<Role>& in_service, SteadyTime deadline);
  Status ReachAll(const std::vector<Role>& roles, std::uint64_t sequence, SteadyTime deadline);
  // SwitchGeneration (service/generation_switch.cpp).
  Status SwitchNow(const std::string& name, const StorePaths& next,
                   std::shared_ptr<LogSpares>& spares) SB_EXCLUDES(paths_mutex_, trim_mutex_);
  Status GoOver(const StorePaths& next, std::uint64_t epoch);
  Status MakeCurrent(const std::string& name, const std::string& before) SB_EXCLUDES(paths_mutex_);
  void GoBack(const StorePaths& before);
  [[nodiscard]] StorePaths paths() const SB_EXCLUDES(paths_mutex_);
  [[nodiscard]] std::string generation() const SB_EXCLUDES(paths_mutex_);
  Status StripKeptLegacy(const std::string& path);
  Status OpenStores(const OpenStore& open_legacy, const OpenStore& open_unified,
                    std::array<Opened, kRoleCount>& stores);
  Status CheckBelongs(Role role, const Opened& store) const;
  Status AttachNewStores(std::array<Opened, kRoleCount>& stores);
  [[nodiscard]] Begin WhereToBegin(Role role, const StoreState& committed) const;
  Status FillMemtable(const std::array<Opened, kRoleCount>& stores);
  void StartThreads(std::array<Opened, kRoleCount> stores);
  // `shadow`: nullptr for reads that are not a client's own.
  [[nodiscard]] ReadContext MakeReadContext(ShadowReader* shadow);

  Status MayUseUnified(FollowerState unified);
  [[nodiscard]] Status MayFill(Role target) const;
  [[nodiscard]] Status MayGiveUp(Role role) const;
  void KeepHouse();
  void TrimLog() SB_EXCLUDES(trim_mutex_);
  void CheckForHangs(std::chrono::milliseconds stall_max);
  void Relieve();
  [[nodiscard]] std::uint64_t StoresDurableSequence() const;
  void OnDurable();
  void UpdateRouting() SB_EXCLUDES(routing_mutex_);
  [[nodiscard]] Follower& follower(Role role) { return *followers_[Index(role)]; }
  [[nodiscard]] const Follower& follower(Role role) const { return *followers_[Index(role)]; }

  const DbServiceOptions options_;
  DataDirectory directory_;
  OpenStore open_legacy_;
  OpenStore open_unified_;
  mutable Mutex paths_mutex_;
  StorePaths paths_ SB_GUARDED_BY(paths_mutex_);
  CollectionCatalog catalog_;
  FlagStore flags_;
  MetricsRegistry metrics_;
  WatchRegistry watches_;
  SwitchGate switch_gate_;
  std::unique_ptr<CommitLog> log_;
  std::unique_ptr<Memtable> memtable_;
  std::array<std::unique_ptr<Follower>, kRoleCount> followers_;
  std::unique_ptr<WritePipeline> pipeline_;
  std::unique_ptr<ShadowReader> shadow_;

  std::function<Status()> flip_gate_;  // set before the first flag; empty = open

  // FlagSnapshot::load_count that JudgeFlags refused, kEveryLoad while routing is held. Changed
  // under routing_mutex_.
  std::atomic<std::uint64_t> refused_load_{0};
  Mutex routing_mutex_;
  std::string refusal_ SB_GUARDED_BY(routing_mutex_);
  std::string hold_reason_ SB_GUARDED_BY(routing_mutex_);
  Mutex write_holds_mutex_;
  std::array<std::string, kWriteHoldCount> write_holds_ SB_GUARDED_BY(write_holds_mutex_);
  std::map<std::string, double> effective_overrides_ SB_GUARDED_BY(routing_mutex_);
  std::uint32_t effective_share_ SB_GUARDED_BY(routing_mutex_) = 0;
  std::uint64_t flips_ SB_GUARDED_BY(routing_mutex_) = 0;

  std::atomic<bool> is_pinning_{false};  // a PinnedStores is out

  Mutex trim_mutex_;  // whoever trims the log, or has its stores out of service for a moment
  Mutex house_mutex_;
  CondVar house_wake_;
  bool is_house_stopping_ SB_GUARDED_BY(house_mutex_) = false;
  std::atomic<bool> is_closed_{false};
  std::thread house_thread_;
};

}  // namespace switchback
