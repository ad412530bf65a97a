#include "rollback/backup_writer.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <filesystem>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <thread>

#include "backends/store_file.hpp"
#include "common/check.hpp"
#include "common/failpoint.hpp"
#include "common/file.hpp"
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

class BackupWriter {
 public:
  BackupWriter(DbService& service, const BackupDirectory& directory, std::string id,
               const BackupRequest& request, const Clock& clock, BackupProgress& progress)
      : service_(service),
        directory_(directory),
        request_(request),
        clock_(clock),
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
    Status outcome;
  };

  Status CheckSpace();
  Status WriteFiles(SteadyTime started);
  void FillIn();
  Status WriteHalves();
  Status WriteHalf(Role role, Half& half);
  Status CopyHalf(Role role, Half& half, const std::string& raw_path);
  void HalfIsCopied();
  Status CompressHalf(Half& half, const std::string& raw_path);
  Status CheckHalves();
  Status Finish(SteadyTime started);

  DbService& service_;
  const BackupDirectory& directory_;
  const BackupRequest& request_;
  const Clock& clock_;
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
  std::vector<std::thread> threads;
  for (const Role role : kRoles) {
    if (pinned_.view(role) != nullptr) ++left_to_copy_;
  }
  for (const Role role : kRoles) {
    if (pinned_.view(role) == nullptr) continue;
    threads.emplace_back([this, role] {
      YieldToClients(service_, clock_);
      Half& half = halves_[Index(role)];
      half.outcome = WriteHalf(role, half);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const Role role : kRoles) {
    if (!halves_[Index(role)].outcome)
      return Fail(WithContext(halves_[Index(role)].outcome.error(), RoleName(role)));
  }
  return {};
}

Status BackupWriter::WriteHalf(Role role, Half& half) {
  half.in_manifest.role = role;
  half.in_manifest.engine = EngineOf(role);
  const std::string raw_path = path_ + "/" + half.in_manifest.FileName();
  auto copied = CopyHalf(role, half, raw_path);
  HalfIsCopied();
  SB_RETURN_IF_ERROR(copied);
  SB_RETURN_IF_ERROR(Failpoint("backup.copied"));
  // What is read back now comes from memory; the device has got most of it already.
  auto file = OpenFile(raw_path, 0);
  if (!file) return Fail(file.error());
  auto sums = UnpackFile(file->get(), false, UINT64_MAX, "", progress_.Step());
  if (!sums) return Fail(sums.error());
  half.in_manifest.bytes = half.in_manifest.raw_bytes = sums->raw.bytes;
  half.in_manifest.sha256 = half.in_manifest.raw_sha256 = sums->raw.sha256;
  SB_RETURN_IF_ERROR(Failpoint("backup.check"));
  auto report =
      InspectStoreFile(half.in_manifest.engine, raw_path, StoreFileCheck::kQuick, progress_.Step());
  if (!report) return Fail(WithContext(report.error(), "check the copy"));
  half.report = *std::move(report);
  half.in_manifest.collections = half.report.collections;
  if (!request_.is_compressed) return SyncFile(raw_path);
  return CompressHalf(half, raw_path);
}

Status BackupWriter::CopyHalf(Role role, Half& half, const std::string& raw_path) {
  ReadView& view = *pinned_.view(role);
  SB_RETURN_IF_ERROR(Failpoint("backup.copy"));
  SB_RETURN_IF_ERROR(view.CopyTo(raw_path, progress_.Step()));
  if (pinned_.view(Other(role)) == nullptr) {
    auto digests =
        DigestCollections(view, service_.catalog(), [](std::uint64_t) { return Status{}; });
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

Status BackupWriter::CompressHalf(Half& half, const std::string& raw_path) {
  BackupHalf& manifest = half.in_manifest;
  manifest.is_compressed = true;
  const std::string path = path_ + "/" + manifest.FileName();
  SB_RETURN_IF_ERROR(Failpoint("backup.compress"));
  progress_.SetStage("compress");
  auto packed = CompressFile(raw_path, path, request_.compression_level, progress_.Step());
  if (!packed) return Fail(packed.error());
  manifest.bytes = packed->bytes;
  manifest.sha256 = packed->sha256;
  auto file = OpenFile(path, 0);
  if (!file) return Fail(file.error());
  const auto read_back = CheckUnpacksTo(file->get(), raw_path, progress_.Step());
  if (!read_back) return Fail(read_back.error());
  if (*read_back != *packed)
    return Fail(ErrorCode::kCorruption, "what was compressed reads back as something else");
  std::error_code ignored;
  std::filesystem::remove(raw_path, ignored);
  return SyncFile(path);
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
