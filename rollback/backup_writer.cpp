#include "rollback/backup_writer.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <set>

#include "backends/store_file.hpp"
#include "common/check.hpp"
#include "common/failpoint.hpp"
#include "common/file.hpp"
#include "common/remove_tree.hpp"
#include "flags/flag_snapshot.hpp"
#include "rollback/backup_codec.hpp"
#include "rollback/generation_layout.hpp"
#include "rollback/yield_to_clients.hpp"

namespace switchback {
namespace {

// How often the bytes of a store pass: copied, hashed, read by the engine; compressed and read
// back.
constexpr std::uint64_t kPasses = 3;
constexpr std::uint64_t kPassesCompressed = 5;

// What follows it is urgent.
bool IsAwaited(BackupReason reason) {
  return reason == BackupReason::kBeforeRestore || reason == BackupReason::kBeforeRollback;
}

class BackupWriter {
 public:
  BackupWriter(DbService& service, const BackupDirectory& directory, std::string id,
               const BackupRequest& request, const Clock& clock, BackupProgress& progress)
      : service_(service),
        directory_(directory),
        request_(request),
        clock_(clock),
        urgency_(IsAwaited(request.reason) ? Urgency::kAwaited : Urgency::kBackground),
        progress_(progress) {
    manifest_.id = std::move(id);
  }

  Result<BackupManifest> Write() {
    const SteadyTime started = clock_.Now();
    SB_RETURN_IF_ERROR(CheckSpace());
    auto path = directory_.Begin(manifest_.id);
    if (!path) return Fail(path.error());
    path_ = *std::move(path);
    auto written = WriteFiles(started);
    if (written) return manifest_;
    if (auto abandoned = directory_.Abandon(manifest_.id); !abandoned)
      return Fail(WithContext(written.error(), abandoned.error().message));
    return Fail(written.error());
  }

 private:
  struct Half {
    BackupHalf in_manifest;
    StoreFileReport report;
    std::vector<CollectionDigest> source;  // of the snapshot, where there is no other half
  };

  Status CheckSpace();
  Status WriteFiles(SteadyTime started);
  void FillIn();
  Status WriteHalves();
  Status WriteHalf(Role role, Half& half);
  Status CopyHalf(Role role, Half& half, const std::string& raw_path);
  void HalfIsCopied();
  Status HashRaw(BackupHalf& half, const std::string& raw_path);
  Status InspectHalf(Half& half, const std::string& raw_path);
  Status Compress(BackupHalf& half, const std::string& raw_path, const std::string& path);
  Status CheckHalves();
  Status Finish(SteadyTime started);

  DbService& service_;
  const BackupDirectory& directory_;
  const BackupRequest& request_;
  const Clock& clock_;
  const Urgency urgency_;
  BackupProgress& progress_;
  BackupManifest manifest_;
  std::string path_;
  PinnedStores pinned_;
  std::array<Half, kRoleCount> halves_;
  std::atomic<int> left_to_copy_{0};
};

Status BackupWriter::CheckSpace() {
  progress_.SetStage("space");
  SB_RETURN_IF_ERROR(Failpoint("backup.space"));
  std::uint64_t bytes = 0;
  for (const FollowerStatus& store : service_.GetStatus().followers) {
    if (store.state == FollowerState::kInSync || store.state == FollowerState::kCatchingUp)
      bytes += store.store.file_bytes + store.store.wal_bytes;
  }
  progress_.SetTotal(bytes * (request_.is_compressed ? kPassesCompressed : kPasses));
  // A half is compressed beside the file that it is made of.
  const std::uint64_t needed =
      (request_.is_compressed ? 2 * bytes : bytes) + request_.space_margin_bytes;
  const auto free = directory_.FreeBytes();
  if (!free) return Fail(free.error());
  if (*free >= needed) return {};
  return Fail(
      ErrorCode::kNoSpace,
      fmt::format("not enough space: a backup needs {} bytes free, {} of them to be left, and "
                  "{} has {}",
                  needed, request_.space_margin_bytes, directory_.path(), *free));
}

Status BackupWriter::WriteFiles(SteadyTime started) {
  progress_.SetStage("pin");
  SB_RETURN_IF_ERROR(Failpoint("backup.pin"));
  auto pinned = service_.PinStores(request_.pin_wait_max);
  if (!pinned) return Fail(pinned.error());
  pinned_ = *std::move(pinned);
  FillIn();
  SB_RETURN_IF_ERROR(WriteHalves());
  SB_RETURN_IF_ERROR(CheckHalves());
  return Finish(started);
}

void BackupWriter::FillIn() {
  manifest_.reason = request_.reason;
  manifest_.note = request_.note;
  manifest_.actor = request_.actor;
  manifest_.software = request_.software;
  manifest_.created_at = std::chrono::floor<std::chrono::seconds>(clock_.WallNow());
  manifest_.log_id = pinned_.log_id;
  manifest_.epoch = pinned_.epoch;
  manifest_.sequence = pinned_.sequence;
  const auto flags = service_.flags().Current();
  manifest_.is_flag_enabled = flags->unified().enabled();
  manifest_.flag_percentage = flags->unified().share() / 1000.0;
  for (const Role role : kRoles) {
    if (pinned_.view(role) == nullptr)
      manifest_.absences[RoleName(role)] = pinned_.absences[Index(role)];
  }
}

Status BackupWriter::WriteHalves() {
  progress_.SetStage("copy");
  std::vector<std::function<Status()>> copies;
  for (const Role role : kRoles) {
    if (pinned_.view(role) == nullptr) continue;
    copies.emplace_back([this, role]() -> Status {
      auto written = WriteHalf(role, halves_[Index(role)]);
      return written ? written : Fail(WithContext(written.error(), RoleName(role)));
    });
  }
  left_to_copy_ = static_cast<int>(copies.size());
  return RunTogether(service_, clock_, urgency_, copies);
}

// The copy is only read from then on, so that all that is done with it is done at once.
Status BackupWriter::WriteHalf(Role role, Half& half) {
  BackupHalf& manifest = half.in_manifest;
  manifest.role = role;
  manifest.engine = EngineOf(role);
  const std::string raw_path = path_ + "/" + manifest.FileName();
  auto copied = CopyHalf(role, half, raw_path);
  HalfIsCopied();
  SB_RETURN_IF_ERROR(copied);
  SB_RETURN_IF_ERROR(Failpoint("backup.copied"));
  manifest.is_compressed = request_.is_compressed;
  const std::string path = path_ + "/" + manifest.FileName();
  SB_RETURN_IF_ERROR(RunTogether(
      service_, clock_, urgency_,
      {[&] { return InspectHalf(half, raw_path); },
       [&] { return CheckStoreStructure(manifest.engine, raw_path); },
       [&] { return HashRaw(manifest, raw_path); },
       [&] {
         return request_.is_compressed ? Compress(manifest, raw_path, path) : SyncFile(path);
       }}));
  if (request_.is_compressed) return RemoveTree(raw_path);
  manifest.bytes = manifest.raw_bytes;
  manifest.sha256 = manifest.raw_sha256;
  return {};
}

Status BackupWriter::CopyHalf(Role role, Half& half, const std::string& raw_path) {
  ReadView& view = *pinned_.view(role);
  SB_RETURN_IF_ERROR(Failpoint("backup.copy"));
  SB_RETURN_IF_ERROR(view.CopyTo(raw_path, progress_.Step()));
  if (pinned_.view(Other(role)) == nullptr) {
    auto digests = DigestCollections(view, service_.catalog(),
                                     [this](std::uint64_t) { return progress_.Advance(0); });
    if (!digests) return Fail(digests.error());
    half.source = *std::move(digests);
  }
  view.End();
  return {};
}

void BackupWriter::HalfIsCopied() {
  if (--left_to_copy_ > 0) return;
  pinned_.release.reset();
  progress_.SetStage("check");
}

// What is read back comes from memory; the device has got most of it already.
Status BackupWriter::HashRaw(BackupHalf& half, const std::string& raw_path) {
  auto file = OpenFile(raw_path, 0);
  if (!file) return Fail(file.error());
  auto sums = UnpackFile(file->get(), false, UINT64_MAX, "", progress_.Step());
  if (!sums) return Fail(sums.error());
  half.raw_bytes = sums->raw.bytes;
  half.raw_sha256 = sums->raw.sha256;
  return {};
}

Status BackupWriter::InspectHalf(Half& half, const std::string& raw_path) {
  SB_RETURN_IF_ERROR(Failpoint("backup.check"));
  auto report = InspectStoreFile(half.in_manifest.engine, raw_path, StoreFileCheck::kRecords,
                                 progress_.Step());
  if (!report) return Fail(WithContext(report.error(), "check the copy"));
  half.report = *std::move(report);
  half.in_manifest.collections = half.report.collections;
  return {};
}

// The sum is that of what is read back, and that unpacks to the copy.
Status BackupWriter::Compress(BackupHalf& half, const std::string& raw_path,
                              const std::string& path) {
  SB_RETURN_IF_ERROR(Failpoint("backup.compress"));
  progress_.SetStage("compress");
  SB_RETURN_IF_ERROR(CompressFile(raw_path, path, request_.compression_level, progress_.Step()));
  auto file = OpenFile(path, 0);
  if (!file) return Fail(file.error());
  Result<FileSum> packed = FileSum{};
  SB_RETURN_IF_ERROR(RunTogether(service_, clock_, urgency_,
                                 {[&] { return SyncFile(path); },
                                  [&]() -> Status {
                                    packed =
                                        CheckUnpacksTo(file->get(), raw_path, progress_.Step());
                                    return packed ? Status{} : Fail(packed.error());
                                  }}));
  half.bytes = packed->bytes;
  half.sha256 = packed->sha256;
  return {};
}

// By I2 both halves are fold(effects 1..sequence).
Status BackupWriter::CheckHalves() {
  SB_RETURN_IF_ERROR(Failpoint("backup.compare"));
  std::map<std::string, std::set<std::string>> hashes;  // by collection, of halves that have it
  std::map<std::string, int> counts;
  for (const Role role : kRoles) {
    if (pinned_.view(role) == nullptr) continue;
    const Half& half = halves_[Index(role)];
    const StoreState& state = half.report.state;
    if (state.applied_sequence != manifest_.sequence || state.log_id != manifest_.log_id ||
        state.epoch != manifest_.epoch)
      return Fail(ErrorCode::kCorruption,
                  std::string(RoleName(role)) + ": the copy is of another batch than the snapshot");
    if (pinned_.view(Other(role)) == nullptr && half.source != half.report.collections)
      return Fail(ErrorCode::kCorruption,
                  std::string(RoleName(role)) + ": the copy does not hold what its source holds");
    for (const CollectionDigest& digest : half.report.collections) {
      hashes[digest.name].insert(digest.hash + "/" + std::to_string(digest.record_count));
      ++counts[digest.name];
    }
    manifest_.schema_version = std::max(manifest_.schema_version, half.report.schema_version);
    manifest_.halves.push_back(half.in_manifest);
  }
  for (const auto& [name, different] : hashes) {
    const auto holds = [&collection = name](const Half& half) {
      const auto& held = half.report.state.collections;
      return held.empty() || std::find(held.begin(), held.end(), collection) != held.end();
    };
    if (!std::all_of(halves_.begin(), halves_.end(), holds)) continue;
    if (different.size() > 1 || counts[name] != static_cast<int>(manifest_.halves.size()))
      manifest_.differences.push_back(name);
  }
  return {};
}

Status BackupWriter::Finish(SteadyTime started) {
  progress_.SetStage("publish");
  manifest_.duration =
      std::chrono::duration_cast<std::chrono::milliseconds>(clock_.Now() - started);
  BackupState state;
  state.checked_at = state.verified_at =
      std::chrono::duration_cast<std::chrono::seconds>(manifest_.created_at.time_since_epoch())
          .count();
  progress_.SetRecords(manifest_.records());
  if (!manifest_.differences.empty()) state.problem = "the halves differ";
  SB_RETURN_IF_ERROR(Failpoint("backup.manifest"));
  SB_RETURN_IF_ERROR(WriteFileAtomically(path_ + "/STATE.json", WriteState(state)));
  SB_RETURN_IF_ERROR(WriteFileAtomically(path_ + "/MANIFEST.json", WriteManifest(manifest_)));
  return directory_.Publish(manifest_.id);
}

}  // namespace

std::string NewBackupId(WallTime now) {
  std::random_device random;
  return fmt::format("{:%Y%m%dT%H%M%SZ}-{:04x}",
                     fmt::gmtime(std::chrono::system_clock::to_time_t(now)), random() & 0xffff);
}

Result<BackupManifest> WriteBackup(DbService& service, const BackupDirectory& directory,
                                   const std::string& id, const BackupRequest& request,
                                   const Clock& clock, BackupProgress& progress) {
  SB_CHECK(IsValidBackupId(id), "ids are chosen by us");
  return BackupWriter(service, directory, id, request, clock, progress).Write();
}

}  // namespace switchback
