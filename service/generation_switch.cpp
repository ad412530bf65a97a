// Going over to the stores of another generation, while the service runs.
//
// Both followers and the pipeline stand still for it, each in a task of its own, nested: so nothing
// is applied, appended or published, and the three threads' state may be touched by the innermost
// one. Readers meet no store in service and wait at the gate. Up to the rename of CURRENT
// everything can be taken back; after it there is nothing left that can fail.
#include <array>
#include <filesystem>
#include <memory>

#include "common/check.hpp"
#include "common/failpoint.hpp"
#include "common/log.hpp"
#include "common/remove_tree.hpp"
#include "service/db_service_impl.hpp"
#include "service/recovery.hpp"

namespace switchback {
namespace {

const std::string& PathOf(const StorePaths& paths, Role role) {
  return role == Role::kLegacy ? paths.legacy : paths.unified;
}

}  // namespace

DbService::GenerationPlace DbService::NewGeneration() {
  return {};
}

Status DbService::DescribeGeneration(const std::string& /*name*/,
                                     const std::string& /*legacy_path*/,
                                     const std::string& /*unified_path*/, bool /*has_legacy*/) {
  return Fail(ErrorCode::kUnsupported, "this service has no generations");
}

Status DbService::SwitchGeneration(const std::string& /*name*/,
                                   std::chrono::milliseconds /*wait_max*/) {
  return Fail(ErrorCode::kUnsupported, "this service has no generations");
}

Result<std::string> DbService::ReviveGeneration(const std::string& /*name*/) {
  return Fail(ErrorCode::kUnsupported, "this service has no generations");
}

Status DbService::RemoveUnusedGenerations() {
  return {};
}

DbService::GenerationPlace DbServiceImpl::NewGeneration() {
  MutexLock lock(paths_mutex_);
  const std::string name = directory_.NewGeneration();
  return {name, directory_.PathOf(name)};
}

Status DbServiceImpl::DescribeGeneration(const std::string& name, const std::string& legacy_path,
                                         const std::string& unified_path, bool has_legacy) {
  MutexLock lock(paths_mutex_);
  StorePaths next = paths_;
  // Whoever starts the server with the paths of old finds the stores where they went.
  for (const Role role : kRoles) {
    if (!directory_.IsInside(PathOf(paths_, role))) next.former.push_back(PathOf(paths_, role));
  }
  next.previous = directory_.generation();
  next.is_previous_damaged = false;
  next.is_legacy_retired = !has_legacy;
  next.legacy = legacy_path;
  next.unified = unified_path;
  return directory_.WriteStoresOf(name, next);
}

Status DbServiceImpl::RemoveUnusedGenerations() {
  MutexLock lock(paths_mutex_);
  const auto unused = directory_.UnusedGenerations();
  if (!unused) return Fail(unused.error());
  for (const std::string& name : *unused) {
    std::error_code error;
    const std::string path = directory_.PathOf(name);
    for (const auto& file : std::filesystem::directory_iterator(path + "/log", error)) {
      const bool is_log = file.path().filename().string().rfind("log-", 0) == 0;
      if (is_log && options_.take_log_file) options_.take_log_file(file.path());
    }
    SB_RETURN_IF_ERROR(RemoveTree(path));
    LogInfo("generation {} was removed", name);
  }
  return {};
}

Result<std::string> DbServiceImpl::ReviveGeneration(const std::string& name) {
  Result<StorePaths> stores = StorePaths{};
  std::string log_path;
  {
    MutexLock lock(paths_mutex_);
    if (name == directory_.generation())
      return Fail(ErrorCode::kRefused, name + " is in use already");
    if (name == paths_.previous && paths_.is_previous_damaged)
      return Fail(ErrorCode::kRefused,
                  name + " was damaged, and " + directory_.generation() + " was made to repair it");
    stores = directory_.StoresOf(name);
    log_path = directory_.PathOf(name) + "/log";
  }
  if (!stores) return Fail(stores.error());
  auto log = CommitLog::Open({.directory = log_path,
                              .file_bytes = options_.log_file_bytes,
                              .make_spares = false,
                              .clock = options_.clock});
  if (!log) return Fail(log.error());
  for (const Role role : kRoles) {
    CollectionCatalog catalog;
    if (role == Role::kLegacy && stores->is_legacy_retired &&
        !std::filesystem::exists(stores->legacy))
      continue;
    const OpenStore& open = role == Role::kLegacy ? open_legacy_ : open_unified_;
    auto store = open(PathOf(*stores, role), /*is_adopted=*/true, catalog);
    if (!store) return Fail(WithContext(store.error(), RoleName(role)));
    if (auto applied = ApplyLog(**log, **store, catalog); !applied)
      return Fail(WithContext(applied.error(), RoleName(role)));
  }
  const GenerationPlace place = NewGeneration();
  SB_RETURN_IF_ERROR(MakeDirectories(place.path));
  SB_RETURN_IF_ERROR(
      DescribeGeneration(place.name, stores->legacy, stores->unified, !stores->is_legacy_retired));
  return place.name;
}

Status DbServiceImpl::SwitchGeneration(const std::string& name,
                                       std::chrono::milliseconds wait_max) {
  Result<StorePaths> next = StorePaths{};
  {
    MutexLock lock(paths_mutex_);
    next = directory_.StoresOf(name);
  }
  if (!next) return Fail(next.error());
  std::shared_ptr<LogSpares> spares;  // of before: its thread is waited for when nobody else waits
  const std::function<Status()> alone = [&] { return SwitchNow(name, *next, spares); };
  const auto with_unified = [&] { return pipeline_->RunAlone(alone); };
  const auto with_legacy = [&] {
    return follower(Role::kUnified).RunParked(with_unified, wait_max);
  };
  const Status switched = follower(Role::kLegacy).RunParked(with_legacy, wait_max);
  UpdateRouting();
  // Closes the file of before, now that nobody waits for it.
  const auto look = [&]() -> Status {
    if (auto checked = follower(Role::kUnified).backend().CheckAlone(); !checked)
      LogWarning("unified store: {}", checked.error().message);
    return {};
  };
  if (auto looked = follower(Role::kUnified).RunParked(look, wait_max); !looked && switched)
    LogWarning("unified store: {}", looked.error().message);
  return switched;
}

// On the pipeline's thread, with both followers standing still.
Status DbServiceImpl::SwitchNow(const std::string& name, const StorePaths& next,
                                std::shared_ptr<LogSpares>& spares) {
  MutexLock trimming(trim_mutex_);  // stores out of service would need nothing of the log
  SB_CHECK(memtable_->last_sequence() == log_->last_sequence(), "nothing is half published");
  const SteadyTime begun = std::chrono::steady_clock::now();
  const std::uint64_t epoch = log_->epoch() + 1;
  const std::string generation_before = generation();
  const StorePaths before = paths();
  auto log = [&] {
    MutexLock lock(paths_mutex_);
    return log_->PrepareIn(directory_.PathOf(name) + "/log", epoch);
  }();
  if (!log) return Fail(WithContext(log.error(), "begin the log of " + name));

  const ClosedSwitchGate closed(switch_gate_);
  if (auto gone_over = GoOver(next, epoch); !gone_over) {
    GoBack(before);
    return gone_over;
  }
  if (auto made = MakeCurrent(name, generation_before); !made) {
    GoBack(before);
    return made;
  }
  spares = log_->GoOnIn(*std::move(log));
  memtable_->Clear();
  for (const Role role : kRoles) {
    follower(role).Rejoin(role == Role::kUnified
                              ? "not in the backup: run `switchback migrate start`"
                              : "not in the backup: run `switchback migrate start --reverse`");
  }
  std::vector<Effect> everything;
  for (const Collection* collection : catalog_.All())
    everything.push_back({EffectKind::kClear, collection, {}, {}});
  watches_.Touch(everything);
  {
    MutexLock lock(paths_mutex_);
    paths_ = next;
  }
  LogWarning(
      "generation {} is in use instead of {}: epoch {} of the log begins after batch {}; "
      "clients waited {} ms",
      name, generation_before, epoch, log_->last_sequence(),
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() -
                                                            begun)
          .count());
  return {};
}

Status DbServiceImpl::GoOver(const StorePaths& next, std::uint64_t epoch) {
  for (const Role role : kRoles) {
    SB_RETURN_IF_ERROR(follower(role).LeaveFor(PathOf(next, role)));
    SB_RETURN_IF_ERROR(Failpoint("service.switch"));
    SB_RETURN_IF_ERROR(follower(role).BeginEpoch(epoch, log_->last_sequence()));
  }
  return {};
}

// After an error the old name stands again, or the process ends: nothing was written since, so that
// a restart finds all in whichever generation CURRENT names.
Status DbServiceImpl::MakeCurrent(const std::string& name, const std::string& before) {
  MutexLock lock(paths_mutex_);
  auto made = directory_.MakeCurrent(name);
  if (made) return {};
  const Status taken_back = directory_.MakeCurrent(before);
  SB_CHECK(taken_back.has_value(), "which generation is in use must be known");
  return made;
}

void DbServiceImpl::GoBack(const StorePaths& before) {
  for (const Role role : kRoles) {
    if (follower(role).GetStatus(0).path == PathOf(before, role)) continue;
    const Status left = follower(role).LeaveFor(PathOf(before, role));
    SB_CHECK(left.has_value(), "the stores of before can be opened; a restart tries again");
  }
  for (const Role role : kRoles)
    follower(role).Rejoin("not filled: run `switchback migrate start`");
}

}  // namespace switchback
