#include "server/cli/full_rollback.hpp"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "backends/store_file.hpp"
#include "common/failpoint.hpp"
#include "common/file.hpp"
#include "flags/flag_file.hpp"
#include "server/cli/offline.hpp"
#include "service/fill.hpp"

namespace switchback {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;
using Digests = std::vector<CollectionDigest>;

constexpr std::chrono::minutes kCatchUpMax{10};
constexpr const char* kPlanFile = "/full-rollback.json";
constexpr std::size_t kPlanBytesMax = 1u << 20;

// What goes besides the stores; names beneath the data directory.
constexpr const char* kArtefacts[] = {"log-archive",
                                      "log-closed",
                                      "schema-copies",
                                      "control.sqlite",
                                      "control.sqlite-wal",
                                      "control.sqlite-shm",
                                      "guard.json",
                                      "safe-mode.json",
                                      "epochs.json",
                                      "endpoints.json",
                                      "repair.tmp",
                                      "notifications.sqlite",
                                      "notifications.sqlite-wal",
                                      "notifications.sqlite-shm"};

Json DigestsJson(const Digests& digests) {
  Json json = Json::object();
  for (const CollectionDigest& digest : digests)
    json[digest.name] = std::to_string(digest.record_count) + "/" + digest.hash;
  return json;
}

class FullRollback {
 public:
  explicit FullRollback(const FullRollbackOptions& options)
      : options_(options), plan_path_(options.data_dir + kPlanFile) {}

  Result<FullRollbackResult> Run() {
    const auto plan = ReadWholeFile(plan_path_, kPlanBytesMax);
    auto service = OpenOffline(options_.data_dir);
    if (service) {
      SB_RETURN_IF_ERROR(LeaveLegacy(**service));
      service->reset();
    } else if (!plan || service.error().code == ErrorCode::kConflict) {
      return Fail(service.error());
    } else {
      plan_ = Json::parse(*plan, nullptr, false);
      if (!plan_.is_object()) return Fail(ErrorCode::kCorruption, plan_path_ + " cannot be read");
    }
    SB_RETURN_IF_ERROR(CheckLegacy());
    SB_RETURN_IF_ERROR(Failpoint("full.remove"));
    SB_RETURN_IF_ERROR(RemoveArtefacts());
    return result_;
  }

 private:
  Result<Digests> DigestsOf(DbService& service, Role role) {
    auto view = service.fill_access().NewStoreView(role);
    if (!view) return Fail(view.error());
    SB_RETURN_IF_ERROR((*view)->Begin());
    return DigestCollections(**view, service.catalog(), [](std::uint64_t) { return Status{}; });
  }

  // Both stores complete and compared, the flag off, and legacy without any trace.
  Status LeaveLegacy(DbService& service) {
    if (auto caught_up = service.CatchUp(Role::kLegacy, kCatchUpMax); !caught_up)
      return Fail(ErrorCode::kRefused, "legacy is not complete: " + caught_up.error().message);
    const ServiceStatus status = service.GetStatus();
    const FollowerStatus& legacy = status.followers[Index(Role::kLegacy)];
    if (legacy.state != FollowerState::kInSync || status.is_legacy_retired)
      return Fail(ErrorCode::kRefused,
                  std::string("legacy is ") +
                      (status.is_legacy_retired ? "let go" : FollowerStateName(legacy.state)) +
                      ": `switchback migrate start --reverse` fills it, or restore a backup");
    const auto digests = DigestsOf(service, Role::kLegacy);
    if (!digests) return Fail(digests.error());
    SB_RETURN_IF_ERROR(Compare(service, status, *digests));
    SB_RETURN_IF_ERROR(Export(service));
    plan_ = {{"legacy", legacy.path},
             {"unified", status.followers[Index(Role::kUnified)].path},
             {"collections", DigestsJson(*digests)},
             {"compared", result_.is_compared}};
    SB_RETURN_IF_ERROR(WriteFileAtomically(plan_path_, plan_.dump(2) + "\n"));
    const std::string flags =
        options_.flags_path.empty() ? options_.data_dir + "/flags.json" : options_.flags_path;
    if (fs::exists(flags))
      SB_RETURN_IF_ERROR(SetFlagInFile(flags, std::string(kUnifiedFlagName),
                                       {.enabled = false, .with_overrides = true}));
    SB_RETURN_IF_ERROR(Failpoint("full.detach"));
    return service.Detach(true);
  }

  Status Compare(DbService& service, const ServiceStatus& status, const Digests& legacy) {
    const FollowerStatus& unified = status.followers[Index(Role::kUnified)];
    if (unified.state == FollowerState::kDetached) return {};  // there is nothing in it
    Status compared = service.CatchUp(Role::kUnified, kCatchUpMax);
    if (compared && unified.collections.empty()) {
      const auto digests = DigestsOf(service, Role::kUnified);
      if (!digests) return Fail(digests.error());
      result_.is_compared = *digests == legacy;
      if (!result_.is_compared)
        compared =
            Fail(ErrorCode::kRefused, "the stores differ: `switchback verify` names the records");
    }
    if (compared || options_.is_forced) return {};
    return Fail(ErrorCode::kRefused,
                compared.error().message + ". --force goes on with legacy as it is");
  }

  Status Export(DbService& service) {
    if (options_.export_dir.empty()) return {};
    SB_RETURN_IF_ERROR(MakeDirectories(options_.export_dir + "/legacy"));
    const auto step = [](std::uint64_t) { return Status{}; };
    for (const Role role : kRoles) {
      auto view = service.fill_access().NewStoreView(role);
      if (!view) return Fail(view.error());
      if (service.GetStatus().followers[Index(role)].state == FollowerState::kDetached) continue;
      SB_RETURN_IF_ERROR((*view)->Begin());
      SB_RETURN_IF_ERROR((*view)->CopyTo(
          options_.export_dir + (role == Role::kLegacy ? "/legacy/data.mdb" : "/unified.sqlite"),
          step));
    }
    return SyncDirectory(options_.export_dir);
  }

  // As it lies there now, by reading all of it.
  Status CheckLegacy() {
    result_.legacy_path = plan_.value("legacy", "");
    result_.is_compared = plan_.value("compared", false);
    const auto report =
        InspectStoreFile("lmdb", result_.legacy_path + "/data.mdb", StoreFileCheck::kThorough,
                         [](std::uint64_t) { return Status{}; });
    if (!report) return Fail(report.error());
    if (DigestsJson(report->collections) != plan_.value("collections", Json()))
      return Fail(ErrorCode::kCorruption,
                  result_.legacy_path + " does not hold what it held before: nothing was removed");
    for (const CollectionDigest& digest : report->collections)
      result_.record_count += digest.record_count;
    return {};
  }

  Status Remove(const std::string& path) {
    std::error_code failed;
    const auto count = fs::remove_all(path, failed);
    if (failed) return Fail(ErrorCode::kIo, "remove " + path + ": " + failed.message());
    if (count > 0) result_.removed.push_back(path);
    return {};
  }

  // A generation goes but for a legacy store that lies in it.
  Status RemoveGeneration(const fs::path& generation) {
    for (const auto& entry : fs::directory_iterator(generation)) {
      if (!fs::equivalent(entry.path(), result_.legacy_path))
        SB_RETURN_IF_ERROR(Remove(entry.path()));
    }
    return fs::is_empty(generation) ? Remove(generation) : Status{};
  }

  Status RemoveArtefacts() {
    const std::string unified = plan_.value("unified", "");
    for (const char* suffix : {"", "-wal", "-shm"}) SB_RETURN_IF_ERROR(Remove(unified + suffix));
    std::vector<fs::path> generations;
    for (const auto& entry : fs::directory_iterator(options_.data_dir)) {
      if (entry.path().filename().string().rfind("gen-", 0) == 0)
        generations.push_back(entry.path());
    }
    for (const fs::path& generation : generations) SB_RETURN_IF_ERROR(RemoveGeneration(generation));
    for (const char* name : kArtefacts) SB_RETURN_IF_ERROR(Remove(options_.data_dir + "/" + name));
    if (!options_.is_keeping_backups) {
      for (const char* name : {"backups", "evidence"})
        SB_RETURN_IF_ERROR(Remove(options_.data_dir + "/" + name));
    }
    for (const char* name : {"CURRENT", "DETACHED", "LOCK", "full-rollback.json"})
      SB_RETURN_IF_ERROR(Remove(options_.data_dir + "/" + name));
    return SyncDirectory(options_.data_dir);
  }

  const FullRollbackOptions& options_;
  const std::string plan_path_;
  Json plan_;
  FullRollbackResult result_;
};

}  // namespace

Result<FullRollbackResult> RollBackFully(const FullRollbackOptions& options) {
  return FullRollback(options).Run();
}

}  // namespace switchback
