// What `switchback top` shows, asked from a server at one moment, and the asking.
#pragma once

#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "common/clock.hpp"
#include "common/result.hpp"
#include "server/cli/server_api.hpp"

namespace switchback {

// The documents as the server gave them. What an older server does not have is an empty object.
struct TopSample {
  std::string time;  // UTC, "12:03:04"
  nlohmann::ordered_json status, comparison, verify, backup, rollout, history;
  // Since the sample before; nullopt for the first one, and behind a restart of the server.
  std::optional<double> writes_per_second, requests_per_second;
};

// The same as one document, for programs.
nlohmann::ordered_json TopJson(const TopSample& sample);

// One thread.
class TopSource {
 public:
  // `clock` outlives it.
  TopSource(ServerOptions options, const Clock& clock)
      : options_(std::move(options)), clock_(clock) {}

  // Finds the server anew each time, since its port may be another one behind a restart. Blocks for
  // kTopAnswerMax at most for each document, and stops at the first that does not come. Errors:
  // those of ServerApi.
  Result<TopSample> Take();

 private:
  void AddRates(TopSample& sample);

  const ServerOptions options_;
  const Clock& clock_;
  struct Before {
    SteadyTime at;
    double uptime = 0, writes = 0, requests = 0;
  };
  std::optional<Before> before_;
};

inline constexpr std::chrono::seconds kTopAnswerMax{3};
inline constexpr int kTopHistoryCount = 20;

}  // namespace switchback
