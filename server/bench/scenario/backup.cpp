// A backup of both stores against the engines' own copiers on the same records, and what it does to
// writes meanwhile.
#include <fcntl.h>
#include <fmt/core.h>
#include <zstd.h>

#include <array>
#include <filesystem>
#include <optional>
#include <thread>
#include <utility>

#include "common/file.hpp"
#include "rollback/backup_verifier.hpp"
#include "rollback/backup_writer.hpp"
#include "rollback/generation_layout.hpp"
#include "server/bench/lmdb_store.hpp"
#include "server/bench/load_generator.hpp"
#include "server/bench/scenario/scenario.hpp"
#include "server/bench/scenario/stage_times.hpp"
#include "server/bench/service_target.hpp"
#include "server/bench/sqlite_store.hpp"
#include "server/bench/summary.hpp"

namespace switchback::bench {
namespace {

constexpr double kOverCopiersGoal = 1;
constexpr double kOverZstdGoal = 1.1;
constexpr double kTailGoal = 1.2;
constexpr double kStallGoalUs = 1000;
constexpr int kZstdLevel = 3;  // its own default

// Seconds that `work` takes.
template <typename Work>
Result<double> Time(const Work& work) {
  const auto begun = std::chrono::steady_clock::now();
  SB_RETURN_IF_ERROR(work());
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
}

Status SyncPath(const std::string& path) {
  auto file = OpenFile(path, O_RDWR);
  if (!file) return Fail(file.error());
  if (::fsync(file->get()) != 0) return FailErrno("sync " + path, errno);
  return {};
}

// What `sqlite3 FROM ".backup TO"` does, and fsync.
Status CopyBySqlite(const std::string& from, const std::string& to) {
  std::filesystem::remove(to);
  auto source = OpenSqlite(from, SQLITE_OPEN_READONLY);
  if (!source) return Fail(source.error());
  auto target = OpenSqlite(to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
  if (!target) return Fail(target.error());
  sqlite3_backup* backup = sqlite3_backup_init(target->get(), "main", source->get(), "main");
  if (backup == nullptr) return FailSqlite("backup", target->get());
  sqlite3_backup_step(backup, -1);
  if (sqlite3_backup_finish(backup) != SQLITE_OK) return FailSqlite("backup", target->get());
  return SyncPath(to);
}

// What `mdb_copy -c FROM TO` does, and fsync.
Status CopyByLmdb(const std::string& from, const std::string& to) {
  std::filesystem::remove_all(to);
  SB_RETURN_IF_ERROR(MakeDirectories(to));
  auto store = LmdbStore::Open(from);
  if (!store) return Fail(store.error());
  if (const int code = mdb_env_copy2((*store)->env(), to.c_str(), MDB_CP_COMPACT); code != 0)
    return FailMdb("copy", code);
  return SyncPath(to + "/data.mdb");
}

Status CopyByCp(const std::string& from, const std::string& to) {
  std::error_code failed;
  std::filesystem::copy_file(from, to, std::filesystem::copy_options::overwrite_existing, failed);
  if (failed) return Fail(ErrorCode::kIo, "copy " + from + ": " + failed.message());
  return SyncPath(to);
}

Status CompressByZstd(const std::string& from, const std::string& to) {
  auto bytes = ReadWholeFile(from, UINT64_MAX);
  if (!bytes) return Fail(bytes.error());
  std::string packed(ZSTD_compressBound(bytes->size()), '\0');
  const std::size_t size =
      ZSTD_compress(packed.data(), packed.size(), bytes->data(), bytes->size(), kZstdLevel);
  if (ZSTD_isError(size) != 0) return Fail(ErrorCode::kInternal, ZSTD_getErrorName(size));
  auto file = OpenFile(to, O_WRONLY | O_CREAT | O_TRUNC);
  if (!file) return Fail(file.error());
  SB_RETURN_IF_ERROR(WriteAt(file->get(), {packed.data(), size}, 0));
  return SyncPath(to);
}

class BackupScenario {
 public:
  BackupScenario(ServiceHost& host, const ScenarioOptions& options, Report& report,
                 Progress& progress)
      : host_(host),
        options_(options),
        report_(report),
        progress_(progress),
        export_(options.data_directory + "/export") {}

  Status Run() {
    auto directory = BackupDirectory::Open(options_.data_directory + "/backups");
    if (!directory) return Fail(directory.error());
    directory_ = std::make_unique<BackupDirectory>(*std::move(directory));
    SB_RETURN_IF_ERROR(ExportOnce());
    SB_RETURN_IF_ERROR(MeasureSpeed());
    return MeasureLoad();
  }

 private:
  using Stages = std::map<std::string, double>;

  // The seconds of one. The one before is removed first.
  Result<double> BackUp(bool is_compressed, Stages* stages = nullptr);
  Status RemoveLast();
  Status ExportOnce();
  Status MeasureSpeed();
  Status MeasureLoad();
  void AddSpeeds();
  void AddTimes(const std::string& name, const std::vector<double>& seconds);
  Status PinUnderLoad(LoadGenerator& load, int window);

  ServiceHost& host_;
  const ScenarioOptions& options_;
  Report& report_;
  Progress& progress_;
  const std::string export_;  // both stores as ordinary files
  std::unique_ptr<BackupDirectory> directory_;
  std::string last_id_;
  double megabytes_ = 0;
  std::vector<double> ours_, packed_, copiers_, cp_, zstd_, loaded_;
};

Status BackupScenario::RemoveLast() {
  return last_id_.empty() ? Status{} : directory_->Remove(std::exchange(last_id_, ""));
}

Result<double> BackupScenario::BackUp(bool is_compressed, Stages* stages) {
  SB_RETURN_IF_ERROR(RemoveLast());
  BackupRequest request;
  request.is_compressed = is_compressed;
  BackupProgress progress(SystemClock(), 0);
  const std::string id = NewBackupId(SystemClock().WallNow());
  std::optional<StageTimes> times;
  if (stages != nullptr) times.emplace(progress);
  auto seconds = Time([&]() -> Status {
    auto made = WriteBackup(host_.service(), *directory_, id, request, SystemClock(), progress);
    if (!made) return Fail(made.error());
    return {};
  });
  if (!seconds) return seconds;
  if (stages != nullptr) *stages = times->Stop();
  last_id_ = id;
  return seconds;
}

Status BackupScenario::ExportOnce() {
  SB_RETURN_IF_ERROR(progress_.Say("backup: the files that copiers copy"));
  BackupProgress progress(SystemClock(), 0);
  const std::string id = NewBackupId(SystemClock().WallNow());
  auto made = WriteBackup(host_.service(), *directory_, id, {}, SystemClock(), progress);
  if (!made) return Fail(made.error());
  megabytes_ = static_cast<double>(made->bytes()) / 1e6;
  SB_RETURN_IF_ERROR(ExportBackup(*directory_, id, export_, progress));
  return directory_->Remove(id);
}

Status BackupScenario::MeasureSpeed() {
  const std::string to = options_.data_directory + "/copy";
  const std::array<std::string, kRoleCount> files{StoreFilePath(export_, Role::kLegacy),
                                                  StoreFilePath(export_, Role::kUnified)};
  const auto on_both = [&](const auto& copy) -> Status {
    std::array<Status, kRoleCount> outcomes;
    std::thread other([&] { outcomes[1] = copy(files[1], to + "-1"); });
    outcomes[0] = copy(files[0], to + "-0");
    other.join();
    for (const Status& outcome : outcomes) SB_RETURN_IF_ERROR(outcome);
    return {};
  };
  const auto by_copiers = [&]() -> Status {
    SB_RETURN_IF_ERROR(CopyBySqlite(files[1], to + ".sqlite"));
    return CopyByLmdb(export_ + "/legacy", to + ".lmdb");
  };
  const auto by_cp = [&]() -> Status {
    SB_RETURN_IF_ERROR(CopyByCp(files[0], to + "-0"));
    return CopyByCp(files[1], to + "-1");
  };
  const auto add = [](std::vector<double>& to_add, const Result<double>& seconds) -> Status {
    if (!seconds) return Fail(seconds.error());
    to_add.push_back(*seconds);
    return {};
  };
  const unsigned rounds = options_.RoundsOr(7, 2);
  for (unsigned round = 1; round <= rounds; ++round) {
    SB_RETURN_IF_ERROR(progress_.Say(fmt::format("backup, round {} of {}", round, rounds)));
    SB_RETURN_IF_ERROR(add(copiers_, Time(by_copiers)));
    SB_RETURN_IF_ERROR(add(ours_, BackUp(false)));
    SB_RETURN_IF_ERROR(add(cp_, Time(by_cp)));
    SB_RETURN_IF_ERROR(add(zstd_, Time([&] { return on_both(CompressByZstd); })));
    SB_RETURN_IF_ERROR(add(packed_, BackUp(true)));
  }
  AddSpeeds();
  Stages stages;
  if (auto seconds = BackUp(false, &stages); !seconds) return Fail(seconds.error());
  for (const auto& [stage, ms] : stages) {
    if (ms >= 1) report_.figures.push_back({"backup: stage " + stage, ms, "ms", {}, false, ""});
  }
  return {};
}

void BackupScenario::AddTimes(const std::string& name, const std::vector<double>& seconds) {
  report_.figures.push_back({name,
                             Median(seconds) * 1e3,
                             "ms",
                             {},
                             false,
                             fmt::format("{:.0f} MB/s", megabytes_ / Median(seconds))});
}

void BackupScenario::AddSpeeds() {
  const auto ratio = [](const std::vector<double>& a, const std::vector<double>& b) {
    std::vector<double> ratios;
    for (std::size_t round = 0; round < a.size(); ++round) ratios.push_back(a[round] / b[round]);
    return Median(ratios);
  };
  report_.figures.push_back({"backup: both stores", megabytes_, "MB", {}, true, ""});
  AddTimes("cp of both files, fsync", cp_);
  AddTimes(".backup, then mdb_copy -c, fsync, no check", copiers_);
  AddTimes("backup, checked", ours_);
  AddTimes(fmt::format("zstd -{} of both files at once, fsync", kZstdLevel), zstd_);
  AddTimes(fmt::format("backup, compressed (level {}), checked", kBackupCompressionLevel), packed_);
  report_.figures.push_back({"backup of 50 MB at that speed", Median(ours_) * 1e3 * 50 / megabytes_,
                             "ms", 1000, false, ""});
  report_.figures.push_back({"backup over .backup and mdb_copy -c", ratio(ours_, copiers_), "x",
                             kOverCopiersGoal, false, ""});
  report_.figures.push_back({fmt::format("compressed backup over zstd -{}", kZstdLevel),
                             ratio(packed_, zstd_), "x", kOverZstdGoal, false, ""});
}

Status BackupScenario::PinUnderLoad(LoadGenerator& load, int window) {
  constexpr int kPins = 20;
  constexpr std::chrono::milliseconds kPause{20};
  for (int pin = 0; pin < kPins; ++pin) {
    load.EnterWindow(window);
    auto pinned = host_.service().PinStores(std::chrono::seconds(10));
    if (!pinned) return Fail(pinned.error());
    load.EnterWindow(0);
    *pinned = {};
    std::this_thread::sleep_for(kPause);
  }
  return {};
}

// Writes at a rate that leaves the machine time, so that what a backup takes shows.
Status BackupScenario::MeasureLoad() {
  const unsigned rounds = options_.RoundsOr(7, 2);
  RecordCounter records(options_.record_count);
  ServiceTarget target(host_, 0, records);
  LoadPlan plan;
  plan.workload = FindWorkload('W');
  plan.distribution = Distribution::kUniform;
  plan.value_bytes = options_.value_bytes;
  plan.threads = options_.writers;  // so many that one that waits makes no other one wait
  plan.rate = 2000;
  plan.seed = options_.seed;
  const int pin_window = static_cast<int>(2 * rounds + 1);
  LoadGenerator load(target, plan, pin_window + 1);
  // Tells waits for the device from waits for the processor.
  HistogramSnapshot calm_syncs;
  HistogramSnapshot syncs_during;
  const auto add_syncs = [&](HistogramSnapshot& sum, const HistogramSnapshot& before) {
    sum += host_.service().GetStatus().log_sync;
    sum -= before;
  };
  SB_RETURN_IF_ERROR(RemoveLast());
  SB_RETURN_IF_ERROR(load.Start());
  std::this_thread::sleep_for(std::chrono::seconds(1));
  for (unsigned round = 0; round < rounds; ++round) {
    SB_RETURN_IF_ERROR(progress_.Say(fmt::format("backup under load, {}", round + 1)));
    load.EnterWindow(static_cast<int>(2 * round + 1));
    const HistogramSnapshot begun = host_.service().GetStatus().log_sync;
    std::this_thread::sleep_for(std::chrono::seconds(1));
    load.EnterWindow(static_cast<int>(2 * round + 2));
    add_syncs(calm_syncs, begun);
    const HistogramSnapshot before = host_.service().GetStatus().log_sync;
    auto seconds = BackUp(false);
    if (!seconds) return Fail(seconds.error());
    add_syncs(syncs_during, before);
    loaded_.push_back(*seconds);
    load.EnterWindow(0);
    SB_RETURN_IF_ERROR(RemoveLast());
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
  }
  SB_RETURN_IF_ERROR(PinUnderLoad(load, pin_window));
  load.Stop();
  RunResult calm;
  RunResult during;
  for (unsigned round = 0; round < rounds; ++round) {
    calm.Add(load.Result(static_cast<int>(2 * round + 1)));
    during.Add(load.Result(static_cast<int>(2 * round + 2)));
  }
  const RunResult pinning = load.Result(pin_window);
  AddTimes("backup under load, checked", loaded_);
  report_.figures.push_back(
      {"p99 of a write, before a backup", calm.QuantileUs(0.99), "us", {}, false, ""});
  report_.figures.push_back(
      {"p99 of a write, during a backup", during.QuantileUs(0.99), "us", {}, false, ""});
  const auto sync_us = [](const HistogramSnapshot& syncs) {
    return static_cast<double>(syncs.QuantileNs(0.99)) / 1e3;
  };
  report_.figures.push_back(
      {"p99 of a sync of the log, before a backup", sync_us(calm_syncs), "us", {}, false, ""});
  report_.figures.push_back(
      {"p99 of a sync of the log, during a backup", sync_us(syncs_during), "us", {}, false, ""});
  report_.figures.push_back({"p99 of writes during a backup over before",
                             during.QuantileUs(0.99) / calm.QuantileUs(0.99), "x", kTailGoal, false,
                             ""});
  report_.figures.push_back({"p99 of writes while the snapshots are pinned",
                             pinning.QuantileUs(0.99), "us", calm.QuantileUs(0.99) + kStallGoalUs,
                             false, "goal: 1 ms more than before"});
  report_.figures.push_back({"failed writes", static_cast<double>(during.errors + pinning.errors),
                             "writes", 0, false, during.first_error});
  return {};
}

}  // namespace

Status RunBackup(const ScenarioOptions& options, Report& report, Progress& progress) {
  SB_RETURN_IF_ERROR(progress.Say("backup: loading"));
  auto host = ServiceHost::Open({.directory = options.data_directory,
                                 .record_count = options.record_count,
                                 .value_bytes = options.value_bytes});
  if (!host) return Fail(host.error());
  return BackupScenario(**host, options, report, progress).Run();
}

}  // namespace switchback::bench
