// The first fill of unified from legacy, without load, against the loop that somebody would write
// by hand: an LMDB cursor, a prepared insert, one thread.
#include <fmt/core.h>

#include <filesystem>
#include <thread>

#include "server/bench/lmdb_store.hpp"
#include "server/bench/scenario/scenario.hpp"
#include "server/bench/service_host.hpp"
#include "server/bench/sqlite_store.hpp"
#include "server/bench/summary.hpp"

namespace switchback::bench {
namespace {

constexpr double kGoal = 0.7;

std::string_view ToView(const MDB_val& value) {
  return {static_cast<const char*>(value.mv_data), value.mv_size};
}

// Copies every record; commits after each `per_transaction`. Returns records per second.
Result<double> CopyByHand(const LmdbStore& source, const std::string& path, int page_bytes,
                          std::uint64_t per_transaction) {
  auto target = SqliteStore::Create(path, {page_bytes, 0});
  if (!target) return Fail(target.error());
  auto connection = OpenSqlite(path, SQLITE_OPEN_READWRITE);
  if (!connection) return Fail(connection.error());
  auto insert = Prepare(connection->get(), "INSERT INTO bench(key, value) VALUES(?1, ?2)");
  if (!insert) return Fail(insert.error());
  auto txn = source.Begin(MDB_RDONLY);
  if (!txn) return Fail(txn.error());
  MDB_cursor* raw = nullptr;
  if (const int code = mdb_cursor_open(txn->get(), source.dbi(), &raw); code != 0)
    return FailMdb("cursor", code);
  const MdbCursor cursor(raw);

  const auto begun = std::chrono::steady_clock::now();
  SB_RETURN_IF_ERROR(Execute(connection->get(), "BEGIN"));
  std::uint64_t copied = 0;
  MDB_val key{};
  MDB_val value{};
  while (mdb_cursor_get(raw, &key, &value, MDB_NEXT) == 0) {
    BindBlob(insert->get(), 1, ToView(key));
    BindBlob(insert->get(), 2, ToView(value));
    SB_RETURN_IF_ERROR(Step(insert->get()));
    if (++copied % per_transaction == 0)
      SB_RETURN_IF_ERROR(Execute(connection->get(), "COMMIT; BEGIN"));
  }
  SB_RETURN_IF_ERROR(Execute(connection->get(), "COMMIT"));
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begun;
  return static_cast<double>(copied) / seconds.count();
}

Result<double> FillByMigrator(const ScenarioOptions& options) {
  auto host = ServiceHost::Reopen({.directory = options.data_directory});
  if (!host) return Fail(host.error());
  const auto begun = std::chrono::steady_clock::now();
  SB_RETURN_IF_ERROR((*host)->FillUnified());
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begun;
  return static_cast<double>(options.record_count) / seconds.count();
}

struct Variant {
  const char* name;
  int page_bytes;
  std::uint64_t per_transaction;
};
constexpr std::uint64_t kAllInOne = UINT64_MAX;
constexpr Variant kVariants[] = {
    {"loop, 10,000 a transaction, 4 KiB pages", 4096, 10'000},
    {"loop, 10,000 a transaction, 8 KiB pages", 8192, 10'000},
    {"loop, one transaction, 8 KiB pages", 8192, kAllInOne},
};

// Speeds by variant, the migrator's last.
Result<std::vector<double>> RunRound(const ScenarioOptions& options) {
  std::filesystem::remove_all(options.data_directory + "/data");
  std::filesystem::remove_all(ServiceHost::LegacyPath(options.data_directory));
  std::vector<double> speeds;
  {
    auto source = LmdbStore::Open(ServiceHost::LegacyPath(options.data_directory));
    if (!source) return Fail(source.error());
    SB_RETURN_IF_ERROR((*source)->Load(options.record_count, options.value_bytes));
    for (const Variant& variant : kVariants) {
      const std::string path = options.data_directory + "/loop.sqlite";
      for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(path + suffix);
      auto speed = CopyByHand(**source, path, variant.page_bytes, variant.per_transaction);
      if (!speed) return Fail(speed.error());
      speeds.push_back(*speed);
    }
  }
  auto speed = FillByMigrator(options);
  if (!speed) return Fail(speed.error());
  speeds.push_back(*speed);
  return speeds;
}

}  // namespace

Status RunBackfill(const ScenarioOptions& options, Report& report, Progress& progress) {
  constexpr std::size_t kVariantCount = std::size(kVariants);
  std::vector<std::vector<double>> by_variant(kVariantCount + 1);
  std::vector<double> ratios;
  const unsigned rounds = options.RoundsOr(5, 1);
  for (unsigned round = 1; round <= rounds; ++round) {
    SB_RETURN_IF_ERROR(progress.Say(fmt::format("backfill, round {} of {}", round, rounds)));
    auto speeds = RunRound(options);
    if (!speeds) return Fail(speeds.error());
    for (std::size_t at = 0; at < speeds->size(); ++at) by_variant[at].push_back(speeds->at(at));
    ratios.push_back(speeds->back() / *std::max_element(speeds->begin(), speeds->end() - 1));
  }
  for (std::size_t at = 0; at < kVariantCount; ++at)
    report.figures.push_back(
        {kVariants[at].name, Median(by_variant[at]), "records/s", {}, true, ""});
  report.figures.push_back(
      {"backfill by the migrator", Median(by_variant.back()), "records/s", {}, true, ""});
  report.figures.push_back(
      {"backfill over the best plain loop", Median(ratios), "x", kGoal, true, ""});
  return {};
}

}  // namespace switchback::bench
