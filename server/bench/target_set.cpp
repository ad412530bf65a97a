#include "server/bench/target_set.hpp"

#include <algorithm>

#include "common/check.hpp"
#include "server/bench/paired_target.hpp"
#include "server/bench/service_target.hpp"

namespace switchback::bench {
namespace {

bool IsAnyOf(const std::vector<TargetName>& targets, TargetKind kind) {
  return std::any_of(targets.begin(), targets.end(),
                     [kind](const TargetName& target) { return target.kind == kind; });
}

}  // namespace

Result<std::unique_ptr<TargetSet>> TargetSet::Open(const BenchOptions& options,
                                                   Progress& progress) {
  auto set = std::unique_ptr<TargetSet>(new TargetSet());
  SB_RETURN_IF_ERROR(set->Load(options, progress));
  for (const TargetName& name : options.targets) {
    auto target = set->Add(name);
    if (!target) return Fail(target.error());
    set->entries_.push_back({name, *target});
  }
  return set;
}

Status TargetSet::Load(const BenchOptions& options, Progress& progress) {
  const bool has_pair = IsAnyOf(options.targets, TargetKind::kPaired);
  if (has_pair || IsAnyOf(options.targets, TargetKind::kLmdb)) {
    SB_RETURN_IF_ERROR(progress.Say("loading bare LMDB"));
    auto store = LmdbStore::Open(options.data_directory + "/bare-lmdb");
    if (!store) return Fail(store.error());
    SB_RETURN_IF_ERROR((*store)->Load(options.record_count, options.load.value_bytes));
    lmdb_ = std::make_unique<LmdbTarget>(std::move(*store), options.record_count);
  }
  if (has_pair || IsAnyOf(options.targets, TargetKind::kSqlite)) {
    SB_RETURN_IF_ERROR(progress.Say("loading bare SQLite"));
    auto store = SqliteStore::Create(options.data_directory + "/bare.sqlite", options.BareTuning());
    if (!store) return Fail(store.error());
    SB_RETURN_IF_ERROR((*store)->Load(options.record_count, options.load.value_bytes));
    sqlite_ = std::make_unique<SqliteTarget>(std::move(*store), options.record_count);
  }
  if (!IsAnyOf(options.targets, TargetKind::kService)) return {};
  SB_RETURN_IF_ERROR(progress.Say("loading the service"));
  ServiceHostOptions host_options;
  host_options.directory = options.data_directory;
  host_options.record_count = options.record_count;
  host_options.value_bytes = options.load.value_bytes;
  host_options.ack = options.acks_stores ? AckMode::kStores : AckMode::kLog;
  auto host = ServiceHost::Open(host_options);
  if (!host) return Fail(host.error());
  host_ = std::move(*host);
  service_records_ = std::make_unique<RecordCounter>(options.record_count);
  return {};
}

Result<Target*> TargetSet::Add(const TargetName& name) {
  switch (name.kind) {
    case TargetKind::kLmdb: return lmdb_.get();
    case TargetKind::kSqlite: return sqlite_.get();
    case TargetKind::kPaired:
      others_.push_back(std::make_unique<PairedTarget>(*lmdb_, *sqlite_));
      return others_.back().get();
    case TargetKind::kService:
      others_.push_back(
          std::make_unique<ServiceTarget>(*host_, name.percentage, *service_records_));
      return others_.back().get();
  }
  return Fail(ErrorCode::kInternal, "a target of no kind");
}

Target& TargetSet::Find(const std::string& name) const {
  const auto found = std::find_if(entries_.begin(), entries_.end(),
                                  [&](const Entry& entry) { return entry.name.text == name; });
  SB_CHECK(found != entries_.end(), "the target was asked for");
  return *found->target;
}

}  // namespace switchback::bench
