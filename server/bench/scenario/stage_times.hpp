// How long each stage of a backup or restore takes, by looking at its progress every so often.
#pragma once

#include <atomic>
#include <map>
#include <string>
#include <thread>

#include "rollback/backup_progress.hpp"

namespace switchback::bench {

// Starts to look when it is made. `progress` outlives it.
class StageTimes {
 public:
  explicit StageTimes(const BackupProgress& progress);
  ~StageTimes() { Stop(); }
  StageTimes(const StageTimes&) = delete;
  StageTimes& operator=(const StageTimes&) = delete;

  // Milliseconds by stage; to a millisecond or two.
  const std::map<std::string, double>& Stop();

 private:
  void Run();

  const BackupProgress& progress_;
  std::map<std::string, double> ms_by_stage_;
  std::atomic<bool> is_stopping_{false};
  std::thread thread_;
};

}  // namespace switchback::bench
