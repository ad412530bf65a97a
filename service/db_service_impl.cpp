#include "service/db_service_impl.hpp"

#include <algorithm>

#include "common/check.hpp"
#include "common/failpoint.hpp"
#include "common/log.hpp"
#include "service/follower_state.hpp"
#include "service/recovery.hpp"
#include "service/stage.hpp"

namespace switchback {
namespace {

constexpr std::chrono::milliseconds kHouseInterval{200};
constexpr std::chrono::milliseconds kCloseDrainMax{30000};
constexpr std::chrono::milliseconds kHangMax{
    10000};  // one transaction or sync that takes longer is a hung store
constexpr std::chrono::milliseconds kCatchUpPoll{1};  // one transaction of the store takes longer
constexpr std::chrono::milliseconds kForgetMax{10000};
constexpr std::chrono::milliseconds kCloseFailedMax{2000};  // for a failed store to come back

// Reads of one thread over the shared read path.
class SessionImpl final : public Session {
 public:
  explicit SessionImpl(const ReadContext& context) : reads_(context) {}
  Result<std::optional<std::string_view>> Get(const Collection& collection,
                                              std::string_view key) override {
    return reads_.Get(collection, key);
  }
  Result<std::vector<std::optional<std::string>>> MultiGet(
      const Collection& collection, std::span<const std::string_view> keys) override {
    return reads_.MultiGet(collection, keys);
  }
  Status Scan(const Collection& collection, std::string_view from, const Visitor& visit) override {
    return reads_.Scan(collection, from, visit);
  }
  Result<std::uint64_t> Count(const Collection& collection) override {
    return reads_.Count(collection);
  }
  void EndTurn() noexcept override { reads_.EndTurn(); }

 private:
  ReadPath reads_;
};

// Batches that readers may see: the log has a batch a moment before the memtable has it.
class LogReaderImpl final : public LogBatchReader {
 public:
  LogReaderImpl(CommitLog::Reader reader, const Memtable& memtable, CollectionCatalog& catalog)
      : reader_(std::move(reader)), memtable_(memtable), catalog_(catalog) {}
  Result<std::optional<LogBatch>> Next(std::uint64_t last) override {
    auto record = reader_.Next(std::min(last, memtable_.last_sequence()));
    if (!record) return Fail(record.error());
    if (!record->has_value()) return std::optional<LogBatch>{};
    auto effects = DecodeBatch((*record)->payload, catalog_);
    if (!effects) return Fail(effects.error());
    return LogBatch{(*record)->sequence, *std::move(effects)};
  }

 private:
  CommitLog::Reader reader_;
  const Memtable& memtable_;
  CollectionCatalog& catalog_;
};

Result<bool> HasRecords(Backend& backend, CollectionCatalog& catalog) {
  auto view = backend.NewReadView();
  if (!view) return Fail(view.error());
  SB_RETURN_IF_ERROR((*view)->Begin());
  auto names = (*view)->CollectionNames();
  if (!names) return Fail(names.error());
  for (const std::string& name : *names) {
    auto collection = catalog.Intern(name);
    if (!collection) return Fail(collection.error());
    bool has_record = false;
    SB_RETURN_IF_ERROR((*view)->Scan(**collection, "", [&](std::string_view, std::string_view) {
      has_record = true;
      return false;
    }));
    if (has_record) return true;
  }
  return false;
}

tl::unexpected<Error> FailPartial(Role role) {
  return Fail(ErrorCode::kRefused,
              std::string(RoleName(role)) + " holds some of the collections only");
}

}  // namespace

// --- Opening ---

Result<std::unique_ptr<DbServiceImpl>> DbServiceImpl::Open(DbServiceOptions options,
                                                           const OpenStore& open_legacy,
                                                           const OpenStore& open_unified) {
  auto directory = DataDirectory::Open(options.data_dir);
  if (!directory) return Fail(directory.error());
  auto paths = directory->ResolveStores({options.legacy_path, options.unified_path});
  if (!paths) return Fail(paths.error());
  std::unique_ptr<DbServiceImpl> service(
      new DbServiceImpl(std::move(options), *std::move(directory)));
  {
    MutexLock lock(service->paths_mutex_);
    service->paths_ = *std::move(paths);
  }
  service->open_legacy_ = open_legacy;
  service->open_unified_ = open_unified;

  auto log = CommitLog::Open({.directory = service->directory_.log_path(),
                              .file_bytes = service->options_.log_file_bytes,
                              .clock = service->options_.clock,
                              .take_file = service->options_.take_log_file});
  if (!log) return Fail(log.error());
  service->log_ = *std::move(log);

  std::array<Opened, kRoleCount> stores;
  SB_RETURN_IF_ERROR(service->OpenStores(open_legacy, open_unified, stores));
  for (const Role role : kRoles)
    SB_RETURN_IF_ERROR(service->CheckBelongs(role, stores[Index(role)]));
  SB_RETURN_IF_ERROR(service->AttachNewStores(stores));
  SB_RETURN_IF_ERROR(service->directory_.RememberStores(service->paths()));
  SB_RETURN_IF_ERROR(service->FillMemtable(stores));
  service->StartThreads(std::move(stores));
  return service;
}

Status DbServiceImpl::OpenStores(const OpenStore& open_legacy, const OpenStore& open_unified,
                                 std::array<Opened, kRoleCount>& stores) {
  const StorePaths where = paths();
  // What took the place of the environment that was named is ours to make.
  const bool is_adopted =
      !options_.legacy_path.empty() && where.kept.empty() && where.former.empty();
  auto legacy = open_legacy(where.legacy, is_adopted, catalog_);
  if (!legacy) return Fail(WithContext(legacy.error(), "legacy store"));
  stores[Index(Role::kLegacy)].backend = *std::move(legacy);
  auto unified = open_unified(where.unified, !options_.unified_path.empty(), catalog_);
  if (!unified) return Fail(WithContext(unified.error(), "unified store"));
  stores[Index(Role::kUnified)].backend = *std::move(unified);
  for (const Role role : kRoles) {
    Opened& store = stores[Index(role)];
    auto committed = store.backend->State();
    if (!committed)
      return Fail(WithContext(committed.error(), std::string(RoleName(role)) + " store"));
    store.committed = *std::move(committed);
    for (const UnservableCollection& unservable : store.backend->unservable()) {
      LogWarning("{} store: '{}' is not served: {}", RoleName(role), unservable.name,
                 unservable.reason);
    }
  }
  return {};
}

// Nothing has been changed when this refuses.
Status DbServiceImpl::CheckBelongs(Role role, const Opened& store) const {
  const std::string name = std::string(RoleName(role)) + " store " +
                           (role == Role::kLegacy ? paths().legacy : paths().unified);
  const StoreState& committed = store.committed;
  if (committed.log_id.empty()) {
    if (role == Role::kUnified || log_->last_sequence() == 0 || paths().is_legacy_retired)
      return {};
    return Fail(ErrorCode::kRefused, name + " was never attached, but this data directory has " +
                                         std::to_string(log_->last_sequence()) +
                                         " batches: it is not the store they belong to");
  }
  if (committed.log_id != log_->log_id()) {
    return Fail(ErrorCode::kRefused, name + " belongs to another data directory (log " +
                                         committed.log_id.substr(0, 8) + ", here " +
                                         log_->log_id().substr(0, 8) +
                                         "): use that one, or detach the store there first");
  }
  if (committed.applied_sequence > log_->last_sequence()) {
    return Fail(ErrorCode::kCorruption,
                name + " is at batch " + std::to_string(committed.applied_sequence) +
                    ", the commit log ends at " + std::to_string(log_->last_sequence()) +
                    ": log files are missing. Nothing was changed; run `switchback doctor`");
  }
  return {};
}

// Legacy is adopted as it is. Unified joins at once when there is nothing to copy; else it waits
// for its first fill.
Status DbServiceImpl::AttachNewStores(std::array<Opened, kRoleCount>& stores) {
  Opened& legacy = stores[Index(Role::kLegacy)];
  Opened& unified = stores[Index(Role::kUnified)];
  StoreState attached;
  attached.log_id = log_->log_id();
  attached.epoch = log_->epoch();
  attached.applied_sequence = log_->last_sequence();
  if (paths().is_legacy_retired) return {};  // it is new, and holds nothing until it is filled
  if (legacy.committed.log_id.empty()) {
    SB_RETURN_IF_ERROR(legacy.backend->Apply({}, attached));
    SB_RETURN_IF_ERROR(legacy.backend->MakeDurable());
    legacy.committed = attached;
    LogInfo("legacy store: adopted {}", paths().legacy);
  }
  if (!unified.committed.log_id.empty() || log_->last_sequence() != 0) return {};
  for (Opened* store : {&legacy, &unified}) {
    auto has_records = HasRecords(*store->backend, catalog_);
    if (!has_records) return Fail(has_records.error());
    if (*has_records || !store->backend->unservable().empty()) return {};
  }
  SB_RETURN_IF_ERROR(unified.backend->Apply({}, attached));
  SB_RETURN_IF_ERROR(
      unified.backend->MakeDurable());  // or a power cut would bring it back detached
  unified.committed = attached;
  return {};
}

DbServiceImpl::Begin DbServiceImpl::WhereToBegin(Role role, const StoreState& committed) const {
  if (committed.log_id.empty())
    return {FollowerState::kDetached,
            role == Role::kUnified
                ? "not filled yet: run `switchback migrate start`"
                : "legacy was let go: `switchback migrate start --reverse` fills a new one"};
  // A fill that has copied nothing needs nothing of the log, and a store that was given up for good
  // looks the same. Whoever owns fills knows which it is.
  if (committed.is_filling && committed.fill_collection.empty())
    return {FollowerState::kDetached, "holds nothing that counts: run `switchback migrate start`"};
  if (committed.applied_sequence + 1 < log_->first_sequence()) {
    return {FollowerState::kDetached,
            std::string("stands at batch ") + std::to_string(committed.applied_sequence) +
                ", the log begins at " + std::to_string(log_->first_sequence()) +
                (role == Role::kUnified ? ": fill it again with `switchback migrate start`" : "")};
  }
  if (committed.is_filling) return {FollowerState::kBackfilling, "the fill was interrupted"};
  return {FollowerState::kCatchingUp, "starting"};
}

Status DbServiceImpl::FillMemtable(const std::array<Opened, kRoleCount>& stores) {
  std::vector<std::uint64_t> positions;
  for (const Role role : kRoles) {
    const StoreState& committed = stores[Index(role)].committed;
    if (WhereToBegin(role, committed).state == FollowerState::kCatchingUp)
      positions.push_back(committed.applied_sequence);
  }
  // Several segments to a budget, so that there is always one to apply while another fills up.
  constexpr std::size_t kSegmentsMin = 4;
  const MemtableOptions options{
      options_.memtable_bytes_max, options_.memtable_record_count_max,
      std::clamp<std::size_t>(options_.memtable_bytes_max / kSegmentsMin, 1, kSegmentBytesMax),
      std::clamp<std::size_t>(options_.memtable_record_count_max / kSegmentsMin, 1,
                              kSegmentRecordCountMax),
      options_.clock};
  auto memtable = RecoverMemtable(options, std::move(positions), *log_, catalog_);
  if (!memtable) return Fail(memtable.error());
  memtable_ = *std::move(memtable);
  if (const Memtable::Size size = memtable_->GetSize(); size.records > 0)
    LogInfo("recovery: {} effects of the log are not in every store yet", size.records);
  return {};
}

ReadContext DbServiceImpl::MakeReadContext(ShadowReader* shadow) {
  return {*memtable_,    flags_,
          refused_load_, {&follower(Role::kLegacy).backend(), &follower(Role::kUnified).backend()},
          metrics_,      switch_gate_,
          shadow};
}

void DbServiceImpl::StartThreads(std::array<Opened, kRoleCount> stores) {
  for (const Role role : kRoles) {
    FollowerOptions options;
    options.role = role;
    options.path = role == Role::kLegacy ? paths().legacy : paths().unified;
    options.is_eager = options_.ack == AckMode::kStores;
    options.clock = options_.clock;
    followers_[Index(role)] =
        std::make_unique<Follower>(options, std::move(stores[Index(role)].backend), *log_,
                                   *memtable_, catalog_, metrics_.NewBlock(),
                                   Follower::Events{[this] { OnDurable(); },
                                                    [this] {
                                                      UpdateRouting();
                                                      OnDurable();
                                                    },
                                                    [this, role] { return MayFill(role); }});
  }
  PipelineOptions options;
  options.is_ack_by_stores = options_.ack == AckMode::kStores;
  options.value_bytes_max = options_.value_bytes_max;
  options.clock = options_.clock;
  pipeline_ = std::make_unique<WritePipeline>(
      options, *log_, *memtable_, MakeReadContext(nullptr), catalog_, watches_,
      WritePipeline::Hooks{[this] { Relieve(); }, [this] { return StoresDurableSequence(); }});
  for (const Role role : kRoles) {
    const StoreState& committed = stores[Index(role)].committed;
    Begin begin = WhereToBegin(role, committed);
    if (begin.state == FollowerState::kDetached) {
      LogWarning("{} store: not in service: {}", RoleName(role), begin.reason);
    }
    follower(role).Place(begin.state, committed, std::move(begin.reason));
  }
  shadow_ = std::make_unique<ShadowReader>(fill_access(), [this] {
    return follower(Role::kLegacy).is_in_sync() && follower(Role::kUnified).is_in_sync();
  });
  for (const Role role : kRoles) follower(role).Start();
  pipeline_->Start();
  UpdateRouting();
  house_thread_ = std::thread([this] { KeepHouse(); });
}

DbServiceImpl::~DbServiceImpl() {
  (void)Close();
}

std::string DbServiceImpl::generation() const {
  MutexLock lock(paths_mutex_);
  return directory_.generation();
}

StorePaths DbServiceImpl::paths() const {
  MutexLock lock(paths_mutex_);
  return paths_;
}

// --- Closing ---

Status DbServiceImpl::Close() {
  if (!pipeline_ || is_closed_.exchange(true)) return {};
  Status drained;
  shadow_->Stop();
  pipeline_->Stop();
  drained = Drain(kCloseDrainMax);
  if (!drained)
    LogWarning("stopping with a store behind the log; it catches up at the next start: {}",
               drained.error().message);
  pipeline_->FailUnanswered();
  {
    MutexLock lock(house_mutex_);
    is_house_stopping_ = true;
    house_wake_.NotifyAll();
  }
  if (house_thread_.joinable()) house_thread_.join();
  for (const Role role : kRoles) follower(role).Stop();
  if (drained) TrimLog();
  return drained;
}

Status DbServiceImpl::Drain(std::chrono::milliseconds wait_max) {
  const std::uint64_t target = log_->last_sequence();
  using WaitClock = std::chrono::steady_clock;  // condition variables know no other
  const SteadyTime deadline = WaitClock::now() + wait_max;
  const SteadyTime failed_deadline = WaitClock::now() + kCloseFailedMax;
  for (const Role role : kRoles) follower(role).Hurry(target);
  for (const Role role : kRoles) {
    Follower& store = follower(role);
    while (store.state() != FollowerState::kDetached && store.durable_sequence() < target) {
      const FollowerState state = store.state();
      const bool is_hopeless = state == FollowerState::kBackfilling ||
                               (state == FollowerState::kFailed &&
                                (store.IsForeign() || WaitClock::now() >= failed_deadline));
      MutexLock lock(house_mutex_);
      const bool is_late =
          !house_wake_.WaitUntil(house_mutex_,
                                 std::min(deadline, WaitClock::now() + kHouseInterval)) &&
          WaitClock::now() >= deadline;
      if (is_late || (is_hopeless && is_closed_)) {
        return Fail(ErrorCode::kBusy, std::string(RoleName(role)) + " store is " +
                                          FollowerStateName(state) + " at batch " +
                                          std::to_string(store.durable_sequence()) + " of " +
                                          std::to_string(target));
      }
    }
  }
  return {};
}

Status DbServiceImpl::CatchUp(Role role, std::chrono::milliseconds wait_max) {
  const std::uint64_t target = memtable_->last_sequence();
  const SteadyTime deadline = std::chrono::steady_clock::now() + wait_max;
  Follower& store = follower(role);
  if (store.applied_sequence() < target) store.Hurry(target);
  while (store.applied_sequence() < target) {
    if (std::chrono::steady_clock::now() >= deadline)
      return Fail(ErrorCode::kBusy, std::string(RoleName(role)) + " store is " +
                                        FollowerStateName(store.state()) + " at batch " +
                                        std::to_string(store.applied_sequence()) + " of " +
                                        std::to_string(target));
    std::this_thread::sleep_for(kCatchUpPoll);
  }
  return {};
}

Status DbServiceImpl::Detach(bool force) {
  for (const Role role : kRoles) {
    const FollowerState state = follower(role).state();
    const bool may_be_empty = role == Role::kUnified || paths().is_legacy_retired;
    const bool is_fine =
        state == FollowerState::kInSync || (may_be_empty && state == FollowerState::kDetached);
    if (!is_fine && !force) {
      return Fail(ErrorCode::kRefused, std::string(RoleName(role)) + " store is " +
                                           FollowerStateName(state) +
                                           ": what it lacks would be lost. Wait, or force it");
    }
  }
  if (auto closed = Close(); !closed && !force) return closed;
  for (const Role role : kRoles) {
    if (auto detached = follower(role).backend().Detach(); !detached) {
      return Fail(WithContext(detached.error(), std::string("detach ") + RoleName(role)));
    }
  }
  return directory_.MarkDetached();
}

// --- Keeping house ---

void DbServiceImpl::KeepHouse() {
  while (true) {
    {
      MutexLock lock(house_mutex_);
      if (is_house_stopping_) return;
      house_wake_.WaitUntil(house_mutex_, std::chrono::steady_clock::now() + kHouseInterval);
      if (is_house_stopping_) return;
    }
    TrimLog();
    CheckForHangs(kHangMax);
  }
}

// A store that is down for long must not make the log grow for ever (I10).
void DbServiceImpl::TrimLog() {
  MutexLock lock(trim_mutex_);
  if (log_->GetSize().bytes > options_.log_bytes_max) {
    for (const Role role : kRoles) {
      if (follower(role).is_in_sync() || !follower(Other(role)).is_whole()) continue;
      if (follower(role).NeedsLogFrom() >= follower(Other(role)).NeedsLogFrom()) continue;
      follower(role).GiveUp("held the commit log back past its limit of " +
                            std::to_string(options_.log_bytes_max) + " bytes; it needs a new fill");
    }
  }
  const std::uint64_t needed =
      std::min(follower(Role::kLegacy).NeedsLogFrom(), follower(Role::kUnified).NeedsLogFrom());
  log_->TrimBefore(std::min(needed, log_->last_sequence() + 1));
}

void DbServiceImpl::CheckForHangs(std::chrono::milliseconds stall_max) {
  const SteadyTime now = options_.clock->Now();
  for (const Role role : kRoles) {
    Follower& store = follower(role);
    const Follower& other = follower(Other(role));
    if (!store.is_in_sync() || !other.is_in_sync()) continue;
    if (now - store.LastProgress() < stall_max || now - other.LastProgress() >= stall_max) continue;
    store.LeaveService("no progress for " + std::to_string(stall_max.count()) +
                       " ms while the other store goes on");
  }
}

void DbServiceImpl::Relieve() {
  CheckForHangs(kFollowerStallMax);
}

std::uint64_t DbServiceImpl::StoresDurableSequence() const {
  std::uint64_t durable = UINT64_MAX;
  for (const Role role : kRoles) {
    if (follower(role).is_in_sync()) durable = std::min(durable, follower(role).durable_sequence());
  }
  return durable;
}

void DbServiceImpl::OnDurable() {
  if (pipeline_) pipeline_->OnStoresDurable();
  MutexLock lock(house_mutex_);
  house_wake_.NotifyAll();
}

// --- Routing ---

Status DbServiceImpl::MayApply(const FlagRule& rule) {
  return rule.MayBeOn() ? MayUseUnified(follower(Role::kUnified).state()) : Status{};
}

Status DbServiceImpl::MayUseUnified(FollowerState state) {
  if (state == FollowerState::kInSync || state == FollowerState::kCatchingUp)
    return flip_gate_ ? flip_gate_() : Status{};
  FollowerStatus status = follower(Role::kUnified).GetStatus(log_->last_sequence());
  return Fail(ErrorCode::kRefused, std::string("unified is not in sync (") +
                                       FollowerStateName(state) +
                                       (status.reason.empty() ? "" : ": " + status.reason) +
                                       "): legacy goes on answering");
}

namespace {

// For the stage only, which asks whether none, some or all of the keys go to unified.
double OverallPercentage(const RoutingStatus& routing) {
  const double share = routing.effective_percentage;
  const bool is_same = std::all_of(routing.overrides.begin(), routing.overrides.end(),
                                   [&](const auto& override) { return override.second == share; });
  return is_same ? share : 50;
}

std::string HeldText(const std::string& reason) {
  return "every key goes to legacy whatever the flags say: " + reason;
}

}  // namespace

Status DbServiceImpl::JudgeFlags() {
  const auto snapshot = flags_.Current();
  shadow_->SetShare(snapshot->shadow_share());
  HoldWrites(WriteHold::kReadOnlyFlag, snapshot->is_read_only() ? "the flag READ_ONLY is on" : "");
  const FollowerState state = follower(Role::kUnified).state();
  // A store that was filled and failed for a while is not a refusal: routing comes back with it.
  const bool wants_unified = snapshot->may_go_to_unified();
  Status may_apply =
      wants_unified && state != FollowerState::kFailed ? MayUseUnified(state) : Status{};
  {
    MutexLock lock(routing_mutex_);
    if (!hold_reason_.empty()) {
      return wants_unified ? Status(Fail(ErrorCode::kRefused, HeldText(hold_reason_))) : Status{};
    }
    refused_load_.store(may_apply ? 0 : snapshot->load_count);
    refusal_ = may_apply ? "" : may_apply.error().message;
  }
  UpdateRouting();
  return may_apply;
}

void DbServiceImpl::HoldRouting(const std::string& reason) {
  {
    MutexLock lock(routing_mutex_);
    hold_reason_ = reason;
    if (!reason.empty()) refused_load_.store(kEveryLoad);
  }
  if (reason.empty()) {
    (void)JudgeFlags();  // what it refuses stands in the status
  } else {
    UpdateRouting();
  }
}

void DbServiceImpl::HoldWrites(WriteHold holder, const std::string& reason) {
  MutexLock lock(write_holds_mutex_);
  write_holds_[static_cast<std::size_t>(holder)] = reason;
  std::string all;
  for (const std::string& each : write_holds_) {
    if (!each.empty()) all += (all.empty() ? "" : "; ") + each;
  }
  pipeline_->Hold(all);
}

void DbServiceImpl::UpdateRouting() {
  if (!followers_[0] || !followers_[1] || switch_gate_.is_closed()) return;
  const auto snapshot = flags_.Current();
  MutexLock lock(routing_mutex_);
  const bool is_refused = IsRefused(refused_load_.load(), snapshot->load_count);
  const bool is_unified_in_sync = follower(Role::kUnified).is_in_sync();
  const bool is_legacy_in_sync = follower(Role::kLegacy).is_in_sync();
  const bool may_go = !is_refused && is_unified_in_sync;
  const auto effective_of = [&](const FlagRule& rule) {
    return !is_legacy_in_sync && is_unified_in_sync ? kShareTotal : may_go ? rule.share() : 0;
  };
  const std::uint32_t effective = effective_of(snapshot->unified());
  effective_overrides_.clear();
  for (const auto& [collection, rule] : snapshot->overrides())
    effective_overrides_[collection] = effective_of(*rule) / 1000.0;
  if (effective == effective_share_) return;
  LogInfo("routing: {:.3f} % of keys to unified (was {:.3f} %)", effective / 1000.0,
          effective_share_ / 1000.0);
  effective_share_ = effective;
  ++flips_;
}

// --- The rest ---

std::unique_ptr<Session> DbServiceImpl::NewSession() {
  return std::make_unique<SessionImpl>(MakeReadContext(shadow_.get()));
}

std::unique_ptr<WatchSet> DbServiceImpl::NewWatchSet() {
  return std::make_unique<WatchRegistry::Set>(watches_);
}

Result<std::vector<std::string>> DbServiceImpl::CollectionNames() {
  ReadPath reads(MakeReadContext(nullptr));
  auto names = reads.CollectionNames();
  reads.EndTurn();
  return names;
}

// Unified first: from the moment legacy is accepted the two differ, and no crash in between may
// leave a unified store that still believes in its position.
Status DbServiceImpl::AcceptForeignLegacy() {
  Follower& legacy = follower(Role::kLegacy);
  if (!legacy.IsForeign()) return legacy.AcceptForeign();  // refuses
  SB_RETURN_IF_ERROR(follower(Role::kUnified)
                         .Forget("legacy was changed by another process and accepted as it is: "
                                 "fill again with `switchback "
                                 "migrate start`",
                                 kForgetMax));
  return legacy.AcceptForeign();
}

// What is not in sync may lack records, or have some that are not ours (I8).
Status DbServiceImpl::MayFill(Role target) const {
  const FollowerState source = follower(Other(target)).state();
  if (follower(Other(target)).is_whole()) return {};
  if (source == FollowerState::kInSync) return FailPartial(Other(target));
  return Fail(ErrorCode::kRefused, std::string("cannot fill ") + RoleName(target) + ": " +
                                       RoleName(Other(target)) + " is " +
                                       FollowerStateName(source));
}

Status DbServiceImpl::MayGiveUp(Role role) const {
  if (follower(Other(role)).is_whole()) return {};
  if (follower(Other(role)).is_in_sync()) return FailPartial(Other(role));
  return Fail(ErrorCode::kRefused, std::string(RoleName(Other(role))) + " is " +
                                       FollowerStateName(follower(Other(role)).state()) + ": " +
                                       RoleName(role) + " may hold records that it lacks");
}

Result<std::string> DbServiceImpl::RetireLegacy(std::chrono::milliseconds wait_max) {
  const StorePaths before = paths();
  if (before.is_legacy_retired && follower(Role::kLegacy).state() == FollowerState::kDetached) {
    if (follower(Role::kLegacy).GetStatus(0).path != before.legacy)  // the last step had failed
      SB_RETURN_IF_ERROR(follower(Role::kLegacy)
                             .MoveTo(
                                 before.legacy, [] { return Status{}; }, wait_max));
    if (before.kept.empty()) return std::string();  // it was not in a backup that was restored
    SB_RETURN_IF_ERROR(StripKeptLegacy(before.kept.back()));
    return before.kept.back();
  }
  SB_RETURN_IF_ERROR(MayGiveUp(Role::kLegacy));
  if (!follower(Role::kLegacy).is_in_sync())
    return Fail(ErrorCode::kRefused, "legacy is not in sync: what is kept would not be complete");
  SB_RETURN_IF_ERROR(Drain(wait_max));
  StorePaths after = before;
  after.legacy = directory_.NewLegacyPath();
  after.is_legacy_retired = true;
  after.kept.push_back(before.legacy);
  const auto commit = [&]() -> Status {
    SB_RETURN_IF_ERROR(Failpoint("service.retire"));
    SB_RETURN_IF_ERROR(directory_.RetireLegacy(after.legacy));
    MutexLock lock(paths_mutex_);
    paths_ = after;
    return Failpoint("service.retired");
  };
  SB_RETURN_IF_ERROR(follower(Role::kLegacy).MoveTo(after.legacy, commit, wait_max));
  LogWarning("legacy was let go; it is kept at {}", before.legacy);
  SB_RETURN_IF_ERROR(StripKeptLegacy(before.legacy));
  return before.legacy;
}

// Harmless when it was done before.
Status DbServiceImpl::StripKeptLegacy(const std::string& path) {
  auto kept = open_legacy_(path, /*is_adopted=*/true, catalog_);
  if (!kept) return Fail(WithContext(kept.error(), "open what is kept of legacy"));
  return (*kept)->Detach();
}

Status DbServiceImpl::ForgetStore(Role role, const std::string& reason,
                                  std::chrono::milliseconds wait_max) {
  SB_RETURN_IF_ERROR(MayGiveUp(role));
  return follower(role).Forget(reason, wait_max);
}

Status DbServiceImpl::ClearStore(Role role, const std::string& reason,
                                 std::chrono::milliseconds wait_max) {
  SB_RETURN_IF_ERROR(MayGiveUp(role));
  return follower(role).Clear(reason, wait_max);
}

Status DbServiceImpl::StartFill(Role target, FillMode mode, std::unique_ptr<FillSource> source) {
  // An interrupted fill has been decided upon: it waits in its follower until it can go on.
  if (mode != FillMode::kResume) SB_RETURN_IF_ERROR(MayFill(target));
  return follower(target).StartFill(mode, std::move(source));
}

Result<std::unique_ptr<ReadView>> DbServiceImpl::NewStoreView(Role role) {
  return follower(role).backend().NewReadView();
}

Result<std::unique_ptr<LogBatchReader>> DbServiceImpl::ReadLog(std::uint64_t after) {
  return std::unique_ptr<LogBatchReader>(
      std::make_unique<LogReaderImpl>(log_->NewReader(after), *memtable_, catalog_));
}

ServiceStatus DbServiceImpl::GetStatus() {
  ServiceStatus status;
  status.generation = generation();
  status.log_id = log_->log_id();
  status.epoch = log_->epoch();
  const StorePaths where = paths();
  status.previous_generation = where.previous;
  status.is_legacy_retired = where.is_legacy_retired;
  status.kept_legacies = where.kept;
  status.last_sequence = memtable_->last_sequence();
  for (const Role role : kRoles)
    status.followers[Index(role)] = follower(role).GetStatus(status.last_sequence);

  const auto snapshot = flags_.Current();
  status.routing.flag_revision = snapshot->revision;
  status.routing.desired_percentage = snapshot->unified().share() / 1000.0;
  {
    MutexLock lock(routing_mutex_);
    status.routing.effective_percentage = effective_share_ / 1000.0;
    status.routing.overrides = effective_overrides_;
    status.routing.flips = flips_;
    status.routing.hold_reason = hold_reason_;
    status.routing.is_refused =
        hold_reason_.empty() && IsRefused(refused_load_.load(), snapshot->load_count);
    if (status.routing.is_refused) status.routing.reason = "the flip was refused: " + refusal_;
    if (!hold_reason_.empty() && status.routing.desired_percentage > 0)
      status.routing.reason = HeldText(hold_reason_);
  }
  const FollowerStatus& unified = status.followers[Index(Role::kUnified)];
  if (status.routing.reason.empty() &&
      status.routing.effective_percentage != status.routing.desired_percentage) {
    const Role missing = status.routing.effective_percentage < status.routing.desired_percentage
                             ? Role::kUnified
                             : Role::kLegacy;
    const FollowerStatus& store = status.followers[Index(missing)];
    status.routing.reason = std::string(RoleName(missing)) + " is " +
                            FollowerStateName(store.state) +
                            (store.reason.empty() ? "" : ": " + store.reason);
  }
  const bool is_legacy_gone =
      status.is_legacy_retired &&
      status.followers[Index(Role::kLegacy)].state == FollowerState::kDetached;
  status.stage = StageOf(
      {is_legacy_gone, unified.state, OverallPercentage(status.routing), shadow_->share() > 0});
  status.shadow_reads = shadow_->GetStatus();
  const Memtable::Size memtable = memtable_->GetSize();
  status.memtable_bytes = memtable.bytes;
  status.memtable_records = memtable.records;
  status.memtable_segments = memtable.segments;
  status.memtable_bytes_max = options_.memtable_bytes_max;
  status.memtable_records_max = options_.memtable_record_count_max;
  const CommitLog::Size log = log_->GetSize();
  status.log_bytes = log.bytes;
  status.log_files = log.files;
  status.log_first_sequence = log_->first_sequence();
  const PipelineStats pipeline = pipeline_->GetStats();
  status.is_log_failed = pipeline.is_log_failed;
  status.log_error = pipeline.log_error;
  status.write_hold_reason = pipeline.hold_reason;
  status.queue_bytes = pipeline.queue_bytes;
  status.writes = pipeline.writes;
  status.write_errors = pipeline.write_errors;
  status.batches = pipeline.batches;
  status.backpressure_waits = pipeline.backpressure_waits;
  status.backpressure_refusals = pipeline.backpressure_refusals;
  status.write_latency = pipeline.write_latency;
  status.log_sync = pipeline.log_sync;
  return status;
}

}  // namespace switchback
