// A service over LMDB and SQLite, with backups of it.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "common/log.hpp"
#include "rollback/backup_manager.hpp"
#include "tests/support/expect_ok.hpp"
#include "tests/support/failpoints.hpp"
#include "tests/support/shifted_clock.hpp"
#include "tests/support/temp_dir.hpp"

namespace switchback::test {

// The service's batches are dated by the shifted clock, but no store seems to hang for it.
class ServiceClock final : public Clock {
 public:
  explicit ServiceClock(const Clock& wall) : wall_(wall) {}
  [[nodiscard]] SteadyTime Now() const override { return SystemClock().Now(); }
  [[nodiscard]] WallTime WallNow() const override { return wall_.WallNow(); }

 private:
  const Clock& wall_;
};

class BackupWorld {
 public:
  BackupWorld() {
    SetLogLevel(LogLevel::kError);
    DbServiceOptions service_options;
    service_options.data_dir = dir.File("data");
    service_options.log_file_bytes = 256 << 10;
    service_options.clock = &service_clock;
    service_options.take_log_file = [this](const std::string& path) { archive.Take(path); };
    Must(archive.Start());
    service = Must(DbService::Open(service_options));
    journal = Must(Journal::Open(dir.File("control.sqlite"), clock));
    options.directory = dir.File("backups");
    options.software = "test";
    options.space_margin_bytes = 0;
    options.restore.archive = &archive;
  }
  ~BackupWorld() {
    manager.reset();
    service.reset();
  }

  void Open() { manager = Must(BackupManager::Open(*service, *journal, clock, options)); }
  void Put(const std::string& name, std::string_view key, std::string_view value) {
    Must(service->Put(*Must(service->catalog().Intern(name)), key, value));
  }
  // Some records, large and small ones, in three collections.
  void Fill(int count = 200) {
    const Collection& users = *Must(service->catalog().Intern("users"));
    Must(service->Write([&](Transaction& transaction) -> Status {
      for (int i = 0; i < count; ++i)
        SB_RETURN_IF_ERROR(transaction.Put(users, std::to_string(i), std::string(100, 'u')));
      return {};
    }));
    Put("large", "l", std::string(70000, 'l'));
    Put("main", "m", "1");
  }
  Result<std::string> Create(BackupRequest request) {
    return manager->CreateAndWait(std::move(request));
  }
  std::string Create() { return Must(Create(manager->NewRequest())); }
  // Waits for the operation at hand.
  BackupOperation Finished() {
    while (manager->Operation()->is_running) std::this_thread::yield();
    return *manager->Operation();
  }
  BackupVerdict Verify(const std::string& id, bool is_full) {
    BackupProgress progress(clock, 0);
    return Must(VerifyBackup(manager->directory(), id, is_full, progress));
  }
  [[nodiscard]] std::string File(const std::string& id, const std::string& name) const {
    return options.directory + "/" + id + "/" + name;
  }

  TempDir dir;
  ShiftedClock clock;
  ServiceClock service_clock{clock};
  LogArchive archive{{.staging = dir.File("log-closed"), .directory = dir.File("log-archive")},
                     clock};
  std::unique_ptr<DbService> service;
  std::unique_ptr<Journal> journal;
  BackupManagerOptions options;
  std::unique_ptr<BackupManager> manager;
};

inline void FlipBit(const std::string& path, std::uint64_t byte, int bit) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(static_cast<std::streamoff>(byte));
  const char c = static_cast<char>(file.get() ^ (1 << bit));
  file.seekp(static_cast<std::streamoff>(byte));
  file.put(c);
}

}  // namespace switchback::test
