// A service over LMDB and SQLite in a temporary directory, for faults on purpose.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <thread>

#include "common/log.hpp"
#include "service/db_service.hpp"
#include "tests/support/expect_ok.hpp"

namespace switchback::test {

using Records = std::map<std::string, std::string>;
using Content = std::map<std::string, Records>;

inline DbServiceOptions RealOptions(const std::string& data_dir) {
  SetLogLevel(LogLevel::kError);
  DbServiceOptions options;
  options.data_dir = data_dir;
  options.log_file_bytes = 1 << 20;
  return options;
}

// Every record of one store alone; collections without records are left out.
inline Content StoredIn(DbService& service, Role role) {
  const auto view = Must(service.fill_access().NewStoreView(role));
  Must(view->Begin());
  Content content;
  for (const std::string& name : Must(view->CollectionNames())) {
    const Collection* collection = Must(service.catalog().Intern(name));
    Must(view->Scan(*collection, "", [&](std::string_view key, std::string_view value) {
      content[name].emplace(key, value);
      return true;
    }));
  }
  view->End();
  return content;
}

// The same as a client sees it.
inline Content Served(DbService& service) {
  const auto session = service.NewSession();
  Content content;
  for (const std::string& name : Must(service.CollectionNames())) {
    const Collection* collection = Must(service.catalog().Intern(name));
    Must(session->Scan(*collection, "", [&](std::string_view key, std::string_view value) {
      content[name].emplace(key, value);
      return true;
    }));
  }
  session->EndTurn();
  return content;
}

inline Status FlipTo(DbService& service, double percentage, std::uint64_t load_count) {
  auto snapshot = std::make_shared<FlagSnapshot>();
  snapshot->revision = snapshot->load_count = load_count;
  FlagSettings settings;
  settings.enabled = true;
  settings.share = static_cast<std::uint32_t>(percentage * 1000);
  snapshot->flags.emplace(kUnifiedFlagName, FlagRule(settings));
  service.flags().Publish(snapshot);
  return service.JudgeFlags();
}

inline ::testing::AssertionResult BothComeInSync(DbService& service) {
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (true) {
    const ServiceStatus status = service.GetStatus();
    if (status.followers[0].state == FollowerState::kInSync &&
        status.followers[1].state == FollowerState::kInSync)
      return ::testing::AssertionSuccess();
    if (std::chrono::steady_clock::now() > give_up)
      return ::testing::AssertionFailure()
             << "legacy: " << FollowerStateName(status.followers[0].state) << " "
             << status.followers[0].reason
             << "; unified: " << FollowerStateName(status.followers[1].state) << " "
             << status.followers[1].reason;
    std::this_thread::yield();
  }
}

}  // namespace switchback::test
