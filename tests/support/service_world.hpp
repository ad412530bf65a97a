// A whole DbService over two stores in memory and a commit log in a temporary directory; or over
// LMDB and SQLite. It can be closed and opened, and killed: opened anew on what a killed process,
// or a power cut, leaves behind.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <thread>

#include "common/log.hpp"
#include "service/db_service_impl.hpp"
#include "tests/support/expect_ok.hpp"
#include "tests/support/faulty_backend.hpp"
#include "tests/support/shifted_clock.hpp"
#include "tests/support/temp_dir.hpp"

namespace switchback::test {

using Records = std::map<std::string, std::string>;
using Content = std::map<std::string, Records>;

inline Content ContentOf(const MemoryStore::Content& stored) {
  Content content;
  for (const auto& [name, records] : stored.collections) {
    for (const auto& [key, value] : *records) content[name][key] = value;
  }
  return content;
}

// For what threads do in their own time. Gives up after a minute: then something hangs.
template <class Condition>
::testing::AssertionResult Eventually(const Condition& condition) {
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > give_up)
      return ::testing::AssertionFailure() << "did not happen within a minute";
    std::this_thread::yield();
  }
  return ::testing::AssertionSuccess();
}

enum class Crash { kKill, kPowerCut };

class ServiceWorld {
 public:
  ServiceWorld() {
    options.data_dir = dir_.File("data");
    options.log_file_bytes = 256 << 10;
    options.clock = &clock;
    SetLogLevel(LogLevel::kError);
  }
  ~ServiceWorld() { session_.reset(); }

  Result<std::unique_ptr<DbServiceImpl>> TryOpen() {
    const auto open = [](std::shared_ptr<FaultyStore> disk, std::string_view label) {
      return [disk, label = std::string(label)](
                 const std::string&, bool,
                 CollectionCatalog& catalog) -> Result<std::unique_ptr<Backend>> {
        return std::unique_ptr<Backend>(std::make_unique<FaultyBackend>(disk, catalog, label));
      };
    };
    return DbServiceImpl::Open(options, open(legacy, "legacy"), open(unified, "unified"));
  }
  void Open() {
    service = Must(TryOpen());
    session_ = service->NewSession();
  }
  Status Close() {
    session_.reset();
    const Status closed = service->Close();
    service.reset();
    return closed;
  }
  void Reopen() {
    Must(Close());
    Open();
  }

  // Opens the service anew on what is on the disks at this moment. Call it while no write is under
  // way.
  void CrashAndReopen(Crash crash) {
    const std::string next = dir_.File("data-" + std::to_string(++crash_count_));
    CopyDataDirectory(options.data_dir, next);
    // The stores after the log: what they have made durable is what the log may have forgotten.
    const auto image = [crash](const FaultyStore& store) {
      return std::make_shared<FaultyStore>(crash == Crash::kKill ? store.Newest()
                                                                 : store.Durable());
    };
    auto legacy_image = image(*legacy);
    auto unified_image = image(*unified);
    for (const auto& disk : {legacy, unified}) {  // what becomes of the old process is all the same
      disk->SetHook(nullptr);
      disk->store()->ReleaseApplies();
    }
    session_.reset();
    service.reset();
    std::filesystem::remove_all(options.data_dir);
    legacy = std::move(legacy_image);
    unified = std::move(unified_image);
    options.data_dir = next;
    Open();
  }

  // The flag for everybody, or for a share of the keys. What JudgeFlags says.
  Status Flip(double percentage) {
    auto snapshot = std::make_shared<FlagSnapshot>();
    snapshot->revision = snapshot->load_count = ++flag_loads_;
    FlagSettings settings;
    settings.enabled = true;
    settings.share = static_cast<std::uint32_t>(percentage * 1000);
    settings.salt = "test";
    snapshot->flags.emplace(kUnifiedFlagName, FlagRule(settings));
    service->flags().Publish(snapshot);
    return service->JudgeFlags();
  }

  const Collection& collection(const std::string& name) {
    return *Must(service->catalog().Intern(name));
  }
  Status Put(const std::string& name, std::string_view key, std::string_view value) {
    return service->Put(collection(name), key, value);
  }
  Status Delete(const std::string& name, std::string_view key) {
    return service->Delete(collection(name), key);
  }
  Result<std::optional<std::string>> TryGet(const std::string& name, std::string_view key) {
    auto value = session_->Get(collection(name), key);
    if (!value) return Fail(value.error());
    std::optional<std::string> copy;
    if (*value) copy = std::string(**value);
    session_->EndTurn();
    return copy;
  }
  // The value, or "(none)".
  std::string Get(const std::string& name, std::string_view key) {
    return Must(TryGet(name, key)).value_or("(none)");
  }
  Records Scan(const std::string& name) {
    Records records;
    Must(session_->Scan(collection(name), "", [&](std::string_view key, std::string_view value) {
      EXPECT_TRUE(records.empty() || records.rbegin()->first < key) << "in key order";
      records.emplace(key, value);
      return true;
    }));
    session_->EndTurn();
    return records;
  }
  Session& session() { return *session_; }

  FollowerState StateOf(Role role) { return service->GetStatus().followers[Index(role)].state; }
  std::string ReasonOf(Role role) { return service->GetStatus().followers[Index(role)].reason; }
  ::testing::AssertionResult Becomes(Role role, FollowerState state) {
    return Eventually([&] { return StateOf(role) == state; });
  }
  void Drain() { Must(service->Drain(std::chrono::minutes(1))); }
  FaultyStore& disk(Role role) { return role == Role::kLegacy ? *legacy : *unified; }
  // What is in a store alone.
  Content Stored(Role role) { return ContentOf(*disk(role).Newest()); }
  MetricsSnapshot::PerOperation Metrics(Role role, Operation operation) {
    return service->GetMetrics().Of(role, operation);
  }
  const std::string& path() const { return dir_.path(); }

  DbServiceOptions options;
  ShiftedClock clock;
  std::shared_ptr<FaultyStore> legacy = std::make_shared<FaultyStore>();
  std::shared_ptr<FaultyStore> unified = std::make_shared<FaultyStore>();
  std::unique_ptr<DbServiceImpl> service;

 private:
  // Log files may be trimmed while they are copied: then from the start.
  static void CopyDataDirectory(const std::string& from, const std::string& to) {
    const std::string log = "/gen-1/log";
    std::filesystem::create_directories(to + log);
    std::filesystem::copy_file(from + "/CURRENT", to + "/CURRENT");
    while (true) {
      std::error_code error;
      const auto before = ListLog(from + log);
      for (const std::string& name : before) {
        std::filesystem::copy_file(from + log + "/" + name, to + log + "/" + name, error);
        if (error) break;
      }
      if (!error && ListLog(from + log) == before) return;
      for (const std::string& name : ListLog(to + log))
        std::filesystem::remove(to + log + "/" + name);
    }
  }
  static std::vector<std::string> ListLog(const std::string& directory) {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(directory)) {
      const std::string name = entry.path().filename().string();
      if (name.rfind("log-", 0) == 0) names.push_back(name);
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  TempDir dir_;
  std::unique_ptr<Session> session_;
  std::uint64_t flag_loads_ = 0;
  int crash_count_ = 0;
};

}  // namespace switchback::test
