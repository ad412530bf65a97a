#include "backends/lmdb_backend.hpp"

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>

#include "backends/lmdb_effect_writer.hpp"
#include "backends/lmdb_read_view.hpp"
#include "backends/store_state_codec.hpp"
#include "common/check.hpp"
#include "common/failpoint.hpp"
#include "common/log.hpp"

namespace switchback {
namespace {

// Doubling this often turns the smallest map into a larger one than any disk.
constexpr int kGrowAttemptCountMax = 24;
// Pages that a put touches at most in a tree of ordinary depth: a split leaf and the way up.
constexpr std::uint64_t kPagesPerEffect = 4;
constexpr std::uint64_t kPageBytes = 4096;
constexpr std::uint64_t kPagesPerTransaction = 64;

}  // namespace

Result<std::unique_ptr<LmdbBackend>> LmdbBackend::Open(LmdbOptions options,
                                                       CollectionCatalog& catalog) {
  auto environment = std::make_shared<LmdbEnvironment>(std::move(options), catalog);
  std::unique_ptr<LmdbBackend> backend(new LmdbBackend(std::move(environment)));
  SB_RETURN_IF_ERROR(backend->OpenEnvironment());
  for (const auto& one : backend->unservable()) {
    LogWarning("LMDB database '{}' cannot be served and is left alone: {}", one.name, one.reason);
  }
  return backend;
}

LmdbBackend::LmdbBackend(std::shared_ptr<LmdbEnvironment> environment)
    : environment_(std::move(environment)) {}

LmdbBackend::~LmdbBackend() {
  if (environment_->env() != nullptr && !is_broken_) {
    const int error = mdb_env_sync(environment_->env(), 1);
    if (error != MDB_SUCCESS) LogError("LMDB sync at close: {}", mdb_strerror(error));
  }
  if (auto closed = environment_->gate().Close(kGateCloseWaitMax); !closed) {
    // Unmapping beneath a reader would crash it. Its view keeps the environment alive.
    LogError("LMDB close: {}; the environment stays open for them", closed.error().message);
    return;
  }
  environment_->gate().Shut();
  environment_->gate().DropAllHandles();
  environment_->Close();
}

Status LmdbBackend::OpenEnvironment() {
  SB_RETURN_IF_ERROR(environment_->Open());
  is_broken_ = false;
  is_foreign_ = false;
  grow_early_at_bytes_ = 0;
  if (auto loaded = LoadState(); !loaded) {
    environment_->Close();
    return loaded;
  }
  RememberStats();
  return {};
}

Status LmdbBackend::CheckOpen() const {
  if (is_broken_) {
    return Fail(ErrorCode::kUnknownOutcome, "LMDB: reopen first, an earlier outcome is unknown");
  }
  if (environment_->env() == nullptr) {
    return Fail(ErrorCode::kUnavailable, "LMDB: the environment is not open");
  }
  return {};
}

void LmdbBackend::RememberStats() {
  map_bytes_.store(environment_->map_bytes(), std::memory_order_relaxed);
}

// Every commit of ours writes its own transaction id into the state, so that a last id which is not
// the recorded one was made by somebody else.
Status LmdbBackend::LoadState() {
  MDB_txn* begun = nullptr;
  const int error = mdb_txn_begin(environment_->env(), nullptr, MDB_RDONLY, &begun);
  if (error != MDB_SUCCESS) return FailMdb("read the store's state", error);
  const MdbTxnHandle txn(begun);
  auto stamped = ReadLmdbState(txn.get(), environment_->collections());
  if (!stamped) return Fail(stamped.error());
  last_commit_id_ = stamped->commit_id;
  is_foreign_ = last_commit_id_ != 0 && mdb_txn_id(txn.get()) != last_commit_id_;
  return {};
}

Status LmdbBackend::Break(std::string message) {
  is_broken_ = true;
  LogError("LMDB: {}; the store must be opened again", message);
  return Fail(ErrorCode::kUnknownOutcome, std::move(message));
}

// The meta page could not be written: LMDB refuses everything until the environment is reopened.
bool LmdbBackend::IsPanicked() const {
  MDB_txn* begun = nullptr;
  const int error = mdb_txn_begin(environment_->env(), nullptr, MDB_RDONLY, &begun);
  if (error == MDB_SUCCESS) mdb_txn_abort(begun);
  return error == MDB_PANIC;
}

// A killed reader's snapshot would keep every later page from being used again.
Status LmdbBackend::CheckAlone() {
  SB_RETURN_IF_ERROR(CheckCommitId());
  int dead_count = 0;
  const int error = mdb_reader_check(environment_->env(), &dead_count);
  if (error != MDB_SUCCESS) return FailMdb("check for stale readers", error);
  if (dead_count > 0) LogInfo("LMDB: cleared {} stale readers", dead_count);
  return {};
}

Status LmdbBackend::CheckCommitId() {
  SB_RETURN_IF_ERROR(CheckOpen());
  if (last_commit_id_ != 0 && environment_->LastCommitId() != last_commit_id_) is_foreign_ = true;
  if (is_foreign_) {
    return Fail(ErrorCode::kForeignWrite, "another process has committed to the LMDB environment");
  }
  return {};
}

// A bound, and far above what sorted batches need: address space is cheap. What it misses (a free
// list in pieces) LMDB reports as MDB_MAP_FULL, and the batch runs again.
std::uint64_t LmdbBackend::EstimateBytes(std::span<const Effect> effects) const {
  std::uint64_t payload = 0;
  for (const Effect& effect : effects) payload += effect.key.size() + effect.value.size();
  const std::uint64_t touched = effects.size() * kPagesPerEffect * kPageBytes;
  return payload * 2 + std::min(touched, 2 * environment_->used_bytes() + payload) +
         kPagesPerTransaction * kPageBytes;
}

// Well before the map is full, and at most a moment of waiting: when readers are in the way there
// is still room to try later.
Status LmdbBackend::GrowEarly() {
  const std::uint64_t used = environment_->used_bytes();
  const std::uint64_t map = environment_->map_bytes();
  if (used + std::max(batch_bytes_, map / 8) <= map || used < grow_early_at_bytes_) return {};
  auto grown = environment_->GrowMap(batch_bytes_, kGateCloseWaitShort);
  if (!grown && grown.error().code == ErrorCode::kBusy) {
    grow_early_at_bytes_ = used + map / 64;
    return {};
  }
  if (!grown && grown.error().code == ErrorCode::kNoSpace) return {};
  RememberStats();
  return grown;
}

Result<MdbTxnHandle> LmdbBackend::BeginWrite() {
  SB_RETURN_IF_ERROR(Failpoint("lmdb.begin"));
  MDB_txn* begun = nullptr;
  int error = mdb_txn_begin(environment_->env(), nullptr, 0, &begun);
  if (error == MDB_MAP_RESIZED) {
    SB_RETURN_IF_ERROR(environment_->TakeOverMapSize(kGateCloseWaitMax));
    error = mdb_txn_begin(environment_->env(), nullptr, 0, &begun);
  }
  if (error == MDB_PANIC) return Fail(Break("begin: LMDB has panicked").error());
  if (error != MDB_SUCCESS) return FailMdb("begin", error);
  MdbTxnHandle txn(begun);
  // From here on nobody else can commit.
  if (last_commit_id_ != 0 && mdb_txn_id(txn.get()) != last_commit_id_ + 1) {
    is_foreign_ = true;
    return Fail(ErrorCode::kForeignWrite, "another process has committed to the LMDB environment");
  }
  return txn;
}

Status LmdbBackend::WriteState(MDB_txn* txn, const StoreState& state, bool& is_map_full) {
  auto dbi = environment_->collections().OpenStateForWrite(txn);
  if (!dbi) return Fail(dbi.error());
  const std::string bytes = EncodeStoreState({state, mdb_txn_id(txn)});
  MDB_val key = ToMdb(kLmdbStateKey);
  MDB_val value = ToMdb(bytes);
  const int error = mdb_put(txn, *dbi, &key, &value, 0);
  is_map_full = error == MDB_MAP_FULL;
  if (error != MDB_SUCCESS) return FailMdb("write the store's state", error);
  return {};
}

// LMDB writes data pages, syncs them and then writes the meta page, and panics when that fails. So
// without a panic nothing happened; all the same only a full disk is worth going on with.
Error LmdbBackend::AfterFailedCommit(int error) {
  // What failed may have been a sync, and an earlier meta page have been waiting for it.
  is_sync_suspect_ = true;
  const bool is_full = IsDiskFull(error) && !IsPanicked();
  if (is_full) return Error{ErrorCode::kNoSpace, "commit: the disk is full"};
  return Break(FailMdb("commit", error).value().message).error();
}

// LMDB calls a write that was cut short an I/O error, and a disk that fills up cuts writes short.
bool LmdbBackend::IsDiskFull(int error) const {
  if (error == ENOSPC || error == EDQUOT) return true;
  return error == EIO && environment_->IsDiskShortOf(batch_bytes_);
}

Result<LmdbBackend::Attempt> LmdbBackend::Commit(MdbTxnHandle txn, std::uint64_t commit_id) {
  if (auto failed = Failpoint("lmdb.commit"); !failed) {
    if (failed.error().code == ErrorCode::kNoSpace) return Fail(failed.error());
    return Fail(Break(failed.error().message).error());
  }
  const bool is_publishing = environment_->collections().HasMade();
  if (is_publishing) environment_->BeginPublication();
  const int error = CommitTxn(std::move(txn));
  if (error == MDB_SUCCESS && is_publishing) environment_->collections().PublishMade();
  if (is_publishing) environment_->EndPublication();
  if (error == MDB_MAP_FULL) return Attempt::kMapFull;
  if (error != MDB_SUCCESS) return Fail(AfterFailedCommit(error));
  last_commit_id_ = commit_id;
  if (auto failed = Failpoint("lmdb.committed"); !failed) {
    return Fail(Break(failed.error().message).error());
  }
  return Attempt::kDone;
}

Result<LmdbBackend::Attempt> LmdbBackend::TryApply(std::span<const Effect> effects,
                                                   const StoreState& state) {
  auto txn = BeginWrite();
  if (!txn) return Fail(txn.error());
  const std::uint64_t commit_id = mdb_txn_id(txn->get());
  bool is_map_full = false;
  Status written;
  {
    LmdbEffectWriter writer(txn->get(), environment_->collections());
    written = writer.WriteAll(effects);
    is_map_full = writer.is_map_full();
  }
  if (written) written = WriteState(txn->get(), state, is_map_full);
  if (!written) {
    txn->reset();
    if (is_map_full) return Attempt::kMapFull;
    // A large batch is written in part before its commit.
    if (written.error().code == ErrorCode::kIo && environment_->IsDiskShortOf(batch_bytes_)) {
      return Fail(ErrorCode::kNoSpace, "put: the disk is full");
    }
    return Fail(written.error());
  }
  return Commit(*std::move(txn), commit_id);
}

Status LmdbBackend::Apply(std::span<const Effect> effects, const StoreState& state) {
  SB_RETURN_IF_ERROR(CheckCommitId());
  batch_bytes_ = EstimateBytes(effects);
  SB_RETURN_IF_ERROR(GrowEarly());
  for (int attempt = 0; attempt < kGrowAttemptCountMax; ++attempt) {
    auto applied = TryApply(effects, state);
    environment_->collections().ForgetMade();
    if (!applied) return Fail(applied.error());
    if (*applied == Attempt::kDone) return {};
    SB_RETURN_IF_ERROR(environment_->GrowMap(batch_bytes_, kGateCloseWaitMax));
    RememberStats();
  }
  return Fail(ErrorCode::kNoSpace, "LMDB: the map is full however large");
}

// An fsync that failed has dropped the dirty pages, and a second one that succeeds proves nothing.
// The data pages were synced by their own commits; what may be lost is the meta page, and a new
// commit writes one.
Status LmdbBackend::MakeDurable() {
  SB_RETURN_IF_ERROR(CheckOpen());
  if (is_sync_suspect_) {
    auto state = State();
    if (!state) return Fail(state.error());
    SB_RETURN_IF_ERROR(Apply({}, *state));
  }
  is_sync_suspect_ = true;
  if (auto failed = Failpoint("lmdb.sync"); !failed) return Break(failed.error().message);
  const int error = mdb_env_sync(environment_->env(), 1);
  if (error != MDB_SUCCESS) return Break(FailMdb("sync", error).value().message);
  is_sync_suspect_ = false;
  return {};
}

Result<StoreState> LmdbBackend::State() {
  if (environment_->env() == nullptr) {
    return Fail(ErrorCode::kUnavailable, "LMDB: the environment is not open");
  }
  MDB_txn* begun = nullptr;
  const int error = mdb_txn_begin(environment_->env(), nullptr, MDB_RDONLY, &begun);
  if (error != MDB_SUCCESS) return FailMdb("read the store's state", error);
  const MdbTxnHandle txn(begun);
  auto stamped = ReadLmdbState(txn.get(), environment_->collections());
  if (!stamped) return Fail(stamped.error());
  return std::move(stamped->state);
}

Status LmdbBackend::AcceptForeign() {
  SB_RETURN_IF_ERROR(Reopen());
  auto state = State();
  if (!state) return Fail(state.error());
  if (last_commit_id_ == 0) return {};
  // A commit of our own on top: its id is recorded, and so the foreign one is history.
  is_foreign_ = false;
  last_commit_id_ = environment_->LastCommitId();
  return Apply({}, *state);
}

Status LmdbBackend::Reopen() {
  const ClosedGate parked(environment_->gate(), kGateCloseWaitMax);
  SB_RETURN_IF_ERROR(parked.status());
  environment_->gate().DropAllHandles();
  environment_->Close();
  return OpenEnvironment();
}

Status LmdbBackend::Reset() {
  if (!unservable().empty()) {
    return Fail(ErrorCode::kRefused, "the LMDB environment holds database '" +
                                         unservable().front().name +
                                         "', which cannot be filled again");
  }
  const ClosedGate parked(environment_->gate(), kGateCloseWaitMax);
  SB_RETURN_IF_ERROR(parked.status());
  environment_->gate().DropAllHandles();
  environment_->Close();
  SB_RETURN_IF_ERROR(environment_->ReplaceByEmpty());
  return OpenEnvironment();
}

Status LmdbBackend::MoveTo(const std::string& path) {
  const ClosedGate parked(environment_->gate(), kGateCloseWaitMax);
  SB_RETURN_IF_ERROR(parked.status());
  environment_->gate().DropAllHandles();
  environment_->Close();
  const std::string before = environment_->path();
  SB_RETURN_IF_ERROR(environment_->SetPath(path));
  auto opened = OpenEnvironment();
  if (opened) return {};
  SB_RETURN_IF_ERROR(environment_->SetPath(before));
  SB_RETURN_IF_ERROR(OpenEnvironment());
  return opened;
}

Status LmdbBackend::Detach() {
  SB_RETURN_IF_ERROR(CheckOpen());
  const MDB_dbi state_dbi = environment_->collections().state_dbi();
  if (state_dbi == LmdbCollections::kNone) return MakeDurable();
  // Dropping a database closes its handle, which no reader may be using.
  const ClosedGate parked(environment_->gate(), kGateCloseWaitMax);
  SB_RETURN_IF_ERROR(parked.status());
  MDB_txn* begun = nullptr;
  int error = mdb_txn_begin(environment_->env(), nullptr, 0, &begun);
  if (error != MDB_SUCCESS) return FailMdb("detach", error);
  MdbTxnHandle txn(begun);
  error = mdb_drop(txn.get(), state_dbi, 1);
  if (error == MDB_SUCCESS) error = CommitTxn(std::move(txn));
  if (error != MDB_SUCCESS) return Break(FailMdb("detach", error).value().message);
  last_commit_id_ = 0;
  is_foreign_ = false;
  environment_->collections().ForgetState();
  return MakeDurable();
}

const std::vector<UnservableCollection>& LmdbBackend::unservable() const {
  return environment_->collections().unservable();
}

Result<std::unique_ptr<ReadView>> LmdbBackend::NewReadView() {
  return std::unique_ptr<ReadView>(std::make_unique<LmdbReadView>(environment_));
}

BackendStats LmdbBackend::Stats() {
  BackendStats stats;
  stats.file_bytes = environment_->FileBytes();
  stats.map_bytes = map_bytes_.load(std::memory_order_relaxed);
  stats.map_growths = environment_->map_growths();
  return stats;
}

}  // namespace switchback
