#include "server/bench/service_host.hpp"

#include <fmt/core.h>

#include <chrono>
#include <thread>

#include "flags/flag_file.hpp"
#include "migration/backfill.hpp"
#include "server/bench/lmdb_store.hpp"

namespace switchback::bench {
namespace {

constexpr std::chrono::minutes kSettleMax{5};
constexpr std::chrono::minutes kFillMax{30};
constexpr std::chrono::milliseconds kFillPoll{1};

}  // namespace

Result<std::unique_ptr<ServiceHost>> ServiceHost::Open(const ServiceHostOptions& options) {
  {
    // The service opens the environment itself: this handle has to be closed first.
    auto store = LmdbStore::Open(LegacyPath(options.directory));
    if (!store) return Fail(store.error());
    SB_RETURN_IF_ERROR((*store)->Load(options.record_count, options.value_bytes));
  }
  auto host = Reopen(options);
  if (!host) return Fail(host.error());
  if (options.is_filled) {
    SB_RETURN_IF_ERROR((*host)->FillUnified());
    SB_RETURN_IF_ERROR((*host)->Settle());
  }
  return host;
}

Result<std::unique_ptr<ServiceHost>> ServiceHost::Reopen(const ServiceHostOptions& options) {
  DbServiceOptions service_options;
  service_options.data_dir = options.directory + "/data";
  service_options.legacy_path = LegacyPath(options.directory);
  service_options.ack = options.ack;
  service_options.take_log_file = options.take_log_file;
  auto service = DbService::Open(std::move(service_options));
  if (!service) return Fail(service.error());
  auto collection = (*service)->catalog().Intern(kBenchCollection);
  if (!collection) return Fail(collection.error());
  return std::unique_ptr<ServiceHost>(new ServiceHost(std::move(*service), *collection));
}

Status ServiceHost::FillUnified() {
  auto progress = std::make_shared<BackfillProgress>(SystemClock());
  SB_RETURN_IF_ERROR(service_->StartFill(
      Role::kUnified, FillMode::kFromScratch,
      std::make_unique<Backfill>(service_->fill_access(), BackfillOptions{}, progress)));
  const SteadyTime deadline = std::chrono::steady_clock::now() + kFillMax;
  while (std::chrono::steady_clock::now() < deadline) {
    const FollowerStatus unified = service_->GetStatus().followers[Index(Role::kUnified)];
    if (unified.state == FollowerState::kInSync) return {};
    if (unified.state == FollowerState::kFailed ||
        (unified.state == FollowerState::kDetached && !unified.is_fill_under_way))
      return Fail(ErrorCode::kIo, "fill unified: " + unified.reason);
    std::this_thread::sleep_for(kFillPoll);
  }
  return Fail(ErrorCode::kBusy, "fill unified: not done in half an hour");
}

Status ServiceHost::SetFlag(bool is_on, std::optional<double> percentage) {
  const std::string json = percentage
                               ? fmt::format(R"({{"{}": {{"enabled": {}, "percentage": {}}}}})",
                                             kUnifiedFlagName, is_on, *percentage)
                               : fmt::format(R"({{"{}": {}}})", kUnifiedFlagName, is_on);
  auto flags = ParseFlags(json);
  if (!flags) return Fail(flags.error());
  auto snapshot = std::make_shared<FlagSnapshot>();
  snapshot->revision = snapshot->load_count = ++flag_revision_;
  snapshot->is_from_file = true;
  snapshot->flags = std::move(*flags);
  service_->flags().Publish(std::move(snapshot));
  return service_->JudgeFlags();
}

Status ServiceHost::Settle() {
  return service_->Drain(kSettleMax);
}

}  // namespace switchback::bench
