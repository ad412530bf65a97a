#include "rollback/rescue.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include "backends/store_file.hpp"
#include "backends/store_salvage.hpp"
#include "common/failpoint.hpp"
#include "common/file.hpp"
#include "rollback/apart.hpp"
#include "rollback/backup_verifier.hpp"
#include "rollback/generation_layout.hpp"
#include "rollback/record_writer.hpp"
#include "rollback/store_copy.hpp"
#include "service/batch.hpp"
#include "service/commit_log.hpp"

namespace switchback {
namespace {

namespace fs = std::filesystem;

// Where a generation is made before it has a name; what a crash left there goes at the next time.
constexpr const char* kWorkshop = "repair.tmp";

class Workshop {
 public:
  explicit Workshop(std::string path) : path_(std::move(path)) { Empty(); }
  ~Workshop() { Empty(); }
  Workshop(const Workshop&) = delete;
  Workshop& operator=(const Workshop&) = delete;

 private:
  void Empty() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  const std::string path_;
};

Status CheckSpace(const std::string& path, std::uint64_t bytes_needed) {
  struct statvfs info {};
  if (::statvfs(path.c_str(), &info) != 0) return FailErrno("statvfs " + path, errno);
  const std::uint64_t bytes_free = static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize;
  if (bytes_free >= bytes_needed) return {};
  return Fail(ErrorCode::kNoSpace, fmt::format("not enough space: {} bytes are needed, and {} has "
                                               "{}",
                                               bytes_needed, path, bytes_free));
}

// Durable on return but for the name.
Status CopyFile(const std::string& from, const std::string& to) {
  std::error_code error;
  if (!fs::copy_file(from, to, error) || error)
    return Fail(error == std::errc::no_space_on_device ? ErrorCode::kNoSpace : ErrorCode::kIo,
                "copy " + from + ": " + error.message());
  if (::chmod(to.c_str(), 0600) != 0) return FailErrno("chmod " + to, errno);
  auto file = OpenFile(to, O_RDWR);
  if (!file) return Fail(file.error());
  if (::fsync(file->get()) != 0) return FailErrno("fsync " + to, errno);
  return {};
}

// The store that stands behind comes first; one whose position cannot be read, before the other.
std::vector<Role> SalvageOrder(const RescueExamination& found) {
  std::vector<std::pair<std::uint64_t, Role>> stores;
  for (const Role role : kRoles) {
    if (!found.store(role).is_there) continue;
    std::uint64_t applied = 0;
    const auto ask = [&](const ApartWriter& writer) -> Status {
      const auto state = SalvageState(EngineOf(role), found.store(role).file);
      if (!state) return Fail(state.error());
      return writer.Write(std::to_string(state->applied_sequence));
    };
    const Status asked = RunApart(ask, [&](std::string_view frame) -> Status {
      applied = std::strtoull(std::string(frame).c_str(), nullptr, 10);
      return {};
    });
    stores.emplace_back(asked ? applied : 0, role);
  }
  std::stable_sort(stores.begin(), stores.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<Role> roles;
  for (const auto& store : stores) roles.push_back(store.second);
  return roles;
}

// Adds the effects of a batch to a store's transaction.
Status AddBatch(const LogRecord& record, CollectionCatalog& catalog, RecordWriter& writer) {
  const auto effects = DecodeBatch(record.payload, catalog);
  if (!effects) return Fail(effects.error());
  for (const Effect& effect : *effects) SB_RETURN_IF_ERROR(writer.Add(effect));
  return {};
}

}  // namespace

std::string Rescue::Place::StorePath(Role role) const {
  return switchback::StorePath(path, role);
}
std::string Rescue::Place::FilePath(Role role) const {
  return StoreFilePath(path, role);
}

bool Rescue::Has(const Place& place, Role role) const {
  std::error_code error;
  return fs::exists(place.FilePath(role), error);
}

Result<RescueOutcome> Rescue::Run(const RescueProposal& proposal) {
  outcome_ = {};
  if (proposal.kind == RescueKind::kStart) return outcome_;
  if (proposal.kind == RescueKind::kUseGeneration) {
    SB_RETURN_IF_ERROR(directory_.MakeCurrent(proposal.generation));
    outcome_.generation = proposal.generation;
    return outcome_;
  }
  const Place place{directory_.PathOf(kWorkshop)};
  const Workshop workshop(place.path);
  SB_RETURN_IF_ERROR(MakeDirectories(place.path));
  SB_RETURN_IF_ERROR(Build(proposal, place));
  SB_RETURN_IF_ERROR(Check(place));
  SB_RETURN_IF_ERROR(GoOver(place));
  return outcome_;
}

Status Rescue::GoOver(const Place& place) {
  const std::string name = directory_.NewGeneration();
  SB_RETURN_IF_ERROR(Describe(place, directory_.PathOf(name)));
  SB_RETURN_IF_ERROR(SyncDirectory(place.path));
  SB_RETURN_IF_ERROR(Failpoint("rescue.built"));
  if (::rename(place.path.c_str(), directory_.PathOf(name).c_str()) != 0)
    return FailErrno("rename " + place.path, errno);
  SB_RETURN_IF_ERROR(SyncDirectory(directory_.path()));
  if (!found_.generation.empty()) outcome_.kept_path = directory_.PathOf(found_.generation);
  outcome_.generation = name;
  return directory_.MakeCurrent(name);
}

Status Rescue::Build(const RescueProposal& proposal, const Place& place) {
  SB_RETURN_IF_ERROR(BeginLog(proposal, place));
  if (proposal.kind == RescueKind::kReconstruct) return Reconstruct(place);
  SB_RETURN_IF_ERROR(BringStores(proposal, place));
  for (const Role role : kRoles) {
    if (Has(place, role))
      SB_RETURN_IF_ERROR(Replay(role, place, proposal.replay_to, /*is_past_gaps=*/false));
  }
  return proposal.makes_other ? CopyToOther(*proposal.from, place) : Status{};
}

Status Rescue::BeginLog(const RescueProposal& proposal, const Place& place) {
  SB_RETURN_IF_ERROR(Failpoint("rescue.log"));
  outcome_.epoch = proposal.epoch;
  outcome_.first_sequence = proposal.last_sequence + 1;
  const auto log_id = CommitLog::Begin(place.path + "/log", proposal.log_id, proposal.epoch,
                                       outcome_.first_sequence);
  if (!log_id) return Fail(WithContext(log_id.error(), "begin a new log"));
  state_.log_id = *log_id;
  state_.epoch = proposal.epoch;
  state_.applied_sequence = proposal.last_sequence;
  return {};
}

Status Rescue::BringStores(const RescueProposal& proposal, const Place& place) {
  progress_.SetStage("copy");
  SB_RETURN_IF_ERROR(Failpoint("rescue.copy"));
  if (proposal.from) return CopyFrom(*proposal.from, place);
  const auto backups = BackupDirectory::Open(backup_dir_, /*must_exist=*/true);
  if (!backups) return Fail(backups.error());
  return ExportBackup(*backups, proposal.backup_id, place.path, progress_);
}

// The files: an engine that opened them for writing would change what is kept.
Status Rescue::CopyFrom(Role role, const Place& place) {
  const RescueStore& store = found_.store(role);
  SB_RETURN_IF_ERROR(CheckSpace(place.path, 2 * store.bytes));
  const std::string to = place.FilePath(role);
  SB_RETURN_IF_ERROR(MakeDirectories(ParentDirectory(to)));
  SB_RETURN_IF_ERROR(CopyFile(store.file, to));
  std::error_code error;
  if (role == Role::kUnified && fs::exists(store.file + "-wal", error))
    SB_RETURN_IF_ERROR(CopyFile(store.file + "-wal", to + "-wal"));
  return SyncDirectory(ParentDirectory(to));
}

// Brings a new store up to batch `last` with what the log holds, and gives it its state.
Status Rescue::Replay(Role role, const Place& place, std::uint64_t last, bool is_past_gaps) {
  progress_.SetStage("replay");
  SB_RETURN_IF_ERROR(Failpoint("rescue.replay"));
  CollectionCatalog catalog;
  auto store = OpenStoreAt(EngineOf(role), place.StorePath(role), catalog);
  if (!store) return Fail(WithContext(store.error(), RoleName(role)));
  const auto before = (*store)->State();
  if (!before) return Fail(WithContext(before.error(), RoleName(role)));
  const std::uint64_t applied = is_past_gaps ? 0 : before->applied_sequence;
  // A backup's file has commits of its own; of a store, somebody has decided.
  SB_RETURN_IF_ERROR((*store)->AcceptForeign());
  const ReadView::CopyStep step = progress_.Step();
  RecordWriter writer(**store, state_, step);
  outcome_.replayed_batch_count = 0;
  const auto read = ReadRescueLog(LogPath(), [&](const LogRecord& record) -> Status {
    if (record.sequence <= applied || record.sequence > last) return {};
    ++outcome_.replayed_batch_count;
    return AddBatch(record, catalog, writer);
  });
  if (!read) return Fail(WithContext(read.error(), "apply the log"));
  SB_RETURN_IF_ERROR(writer.Write());
  return (*store)->MakeDurable();
}

// The store that stands behind first, so that newer records replace older ones; then every batch
// that can be read. Effects are absolute: what both had applied already does no harm.
Status Rescue::Reconstruct(const Place& place) {
  SB_RETURN_IF_ERROR(ReconstructLegacy(place));
  SB_RETURN_IF_ERROR(Replay(Role::kLegacy, place, UINT64_MAX, /*is_past_gaps=*/true));
  if (!found_.log.problem.empty())
    outcome_.salvage.problems.push_back("log: " + found_.log.problem);
  return CopyToOther(Role::kLegacy, place);
}

Status Rescue::ReconstructLegacy(const Place& place) {
  progress_.SetStage("salvage");
  SB_RETURN_IF_ERROR(Failpoint("rescue.salvage"));
  CollectionCatalog catalog;
  auto store = OpenStoreAt(EngineOf(Role::kLegacy), place.StorePath(Role::kLegacy), catalog);
  if (!store) return Fail(store.error());
  const ReadView::CopyStep step = progress_.Step();
  RecordWriter writer(**store, state_, step);
  const auto sink = [&](const std::string& name, std::string_view key,
                        std::string_view value) -> Status {
    const auto collection = catalog.Intern(name);
    if (!collection) return Fail(collection.error());
    return writer.Put(**collection, key, value);
  };
  for (const Role role : SalvageOrder(found_)) {
    SB_RETURN_IF_ERROR(SalvageStore(RoleName(role), EngineOf(role), found_.store(role).file, sink,
                                    outcome_.salvage));
  }
  SB_RETURN_IF_ERROR(writer.Write());
  return (*store)->MakeDurable();
}

Status Rescue::CopyToOther(Role from, const Place& place) {
  progress_.SetStage("rebuild");
  SB_RETURN_IF_ERROR(Failpoint("rescue.rebuild"));
  const Role other = Other(from);
  return CopyStore(EngineOf(from), place.StorePath(from), EngineOf(other), place.StorePath(other),
                   progress_.Step());
}

// `path`: where it will be.
Status Rescue::Describe(const Place& place, const std::string& path) const {
  StorePaths next = found_.paths;
  for (const std::string& former : {next.legacy, next.unified}) {
    if (!former.empty() && !directory_.IsInside(former)) next.former.push_back(former);
  }
  next.previous = found_.generation;
  next.is_previous_damaged = true;
  next.is_legacy_retired = !Has(place, Role::kLegacy);
  next.legacy = StorePath(path, Role::kLegacy);
  next.unified = StorePath(path, Role::kUnified);
  return directory_.WriteStoresOf(kWorkshop, next);
}

// Every record of what was made is read, and two stores hold the same ones.
Status Rescue::Check(const Place& place) {
  progress_.SetStage("check");
  SB_RETURN_IF_ERROR(Failpoint("rescue.check"));
  std::vector<std::vector<CollectionDigest>> digests;
  for (const Role role : kRoles) {
    if (!Has(place, role)) continue;
    const auto report = InspectStoreFile(EngineOf(role), place.FilePath(role),
                                         StoreFileCheck::kThorough, progress_.Step());
    if (!report) return Fail(WithContext(report.error(), RoleName(role)));
    if (report->state != state_)
      return Fail(ErrorCode::kCorruption,
                  std::string(RoleName(role)) + ": it does not stand where it was left");
    digests.push_back(report->collections);
    std::uint64_t count = 0;
    for (const CollectionDigest& digest : report->collections) count += digest.record_count;
    outcome_.record_count = std::max(outcome_.record_count, count);
  }
  if (digests.empty()) return Fail(ErrorCode::kCorruption, "no store came of it");
  if (digests.size() == 2 && digests[0] != digests[1])
    return Fail(ErrorCode::kCorruption, "the two stores that were made differ");
  return {};
}

}  // namespace switchback
