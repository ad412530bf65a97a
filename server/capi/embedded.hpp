// The service as an application embeds it by the C interface: DbService with what follows the flags
// file, migrates, watches and goes back. What the server adds to it are doors, backups and
// rollouts.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "flags/flag_watcher.hpp"
#include "migration/journal.hpp"
#include "migration/migrator.hpp"
#include "migration/verifier.hpp"
#include "rollback/guard/guard.hpp"
#include "rollback/guard/start_watch.hpp"
#include "rollback/latch.hpp"
#include "rollback/rollback_manager.hpp"
#include "server/flag_history.hpp"
#include "server/flag_judge.hpp"
#include "server/http/records/session_pool.hpp"
#include "service/db_service.hpp"

namespace switchback {

struct EmbeddedOptions {
  DbServiceOptions service;
  std::string flags_path;  // "" = <data-dir>/flags.json
  GuardSettings guard;
};

// Thread-safe, except that Close and the destructor come last. A latch or safe mode that a server
// left in the directory holds here, too.
class Embedded {
 public:
  // Ready on return. Errors: those of DbService::Open, Journal::Open and Migrator::Open.
  static Result<std::unique_ptr<Embedded>> Open(EmbeddedOptions options);
  ~Embedded();
  Embedded(const Embedded&) = delete;
  Embedded& operator=(const Embedded&) = delete;

  // Idempotent.
  Status Close();

  [[nodiscard]] DbService& service() { return *service_; }
  [[nodiscard]] SessionPool& sessions() { return *sessions_; }
  [[nodiscard]] Migrator& migrator() { return *migrator_; }

  // Writes the flag and puts it into force; 0 = off. kRefused: unified may not answer, and the file
  // is as before. Else the errors of SetFlagInFile.
  Status SetPercentage(double percentage);
  // The file's content is in force on return. Also kRefused, kNotFound.
  Status ReloadFlags();
  // As RollbackManager::RollBack; on return the flags file was turned off, too.
  Status RollBackNow(const std::string& reason, std::chrono::milliseconds wait_max);
  // Ends what holds every key on legacy. kNotFound: nothing does.
  Status Rearm();
  // kBusy: not at its end within `wait_max`; kNotFound: there is none; kRefused: it has ended
  // without success.
  Status WaitForMigration(std::chrono::milliseconds wait_max);
  // JSON text.
  [[nodiscard]] std::string StatusText();
  [[nodiscard]] std::string MigrationText();

 private:
  explicit Embedded(EmbeddedOptions options);
  Status StartMigrator();
  void StartRollback();
  void StartFlags();
  [[nodiscard]] bool WantsUnified() const;
  void OnFlags(const FlagSnapshot& flags);

  const EmbeddedOptions options_;
  const Clock& clock_;
  bool is_closed_ = false;
  // In the order of starting; later ones use earlier ones.
  std::unique_ptr<DbService> service_;
  std::unique_ptr<SessionPool> sessions_;
  std::unique_ptr<Journal> journal_;
  std::unique_ptr<Verifier> verifier_;
  std::unique_ptr<Migrator> migrator_;
  std::unique_ptr<Latch> latch_;
  std::unique_ptr<Latch> safe_mode_;
  std::unique_ptr<StartWatch> start_watch_;
  std::unique_ptr<RollbackManager> rollbacks_;
  std::unique_ptr<Guard> guard_;
  std::unique_ptr<FlagHistory> flag_history_;
  std::unique_ptr<FlagJudge> flag_judge_;
  std::unique_ptr<FlagWatcher> watcher_;
};

}  // namespace switchback
