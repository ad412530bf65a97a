#include "server/cli/top/top_sample.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <array>
#include <utility>

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

double NumberAt(const Json& document, const char* pointer) {
  const Json::json_pointer path(pointer);
  if (!document.contains(path)) return 0;
  const Json& value = document.at(path);
  return value.is_number() ? value.get<double>() : 0;
}

}  // namespace

Json TopJson(const TopSample& sample) {
  Json document{{"time", sample.time},
                {"writes_per_second", nullptr},
                {"requests_per_second", nullptr},
                {"status", sample.status},
                {"comparison", sample.comparison},
                {"verify", sample.verify},
                {"backup", sample.backup},
                {"rollout", sample.rollout},
                {"history", sample.history}};
  if (sample.writes_per_second) document["writes_per_second"] = *sample.writes_per_second;
  if (sample.requests_per_second) document["requests_per_second"] = *sample.requests_per_second;
  return document;
}

Result<TopSample> TopSource::Take() {
  auto api = ServerApi::Find(options_);
  if (!api) return Fail(api.error());
  TopSample sample;
  const std::string history = "/v1/history?limit=" + std::to_string(kTopHistoryCount);
  const std::array<std::pair<const char*, Json*>, 6> documents{{
      {"/v1/status", &sample.status},
      {"/v1/metrics/comparison", &sample.comparison},
      {"/v1/verify", &sample.verify},
      {"/v1/backups/status", &sample.backup},
      {"/v1/rollout", &sample.rollout},
      {history.c_str(), &sample.history},
  }};
  for (const auto& [path, document] : documents) {
    auto answer = api->Get(path, kTopAnswerMax);
    if (answer) {
      *document = *std::move(answer);
    } else if (document == &sample.status || answer.error().code == ErrorCode::kUnavailable) {
      return Fail(answer.error());
    }
    if (!document->is_object()) *document = Json::object();
  }
  sample.time = fmt::format("{:%H:%M:%S}",
                            fmt::gmtime(std::chrono::system_clock::to_time_t(clock_.WallNow())));
  AddRates(sample);
  return sample;
}

void TopSource::AddRates(TopSample& sample) {
  const Before now{clock_.Now(), NumberAt(sample.status, "/uptime_seconds"),
                   NumberAt(sample.status, "/writes/count"),
                   NumberAt(sample.status, "/server/resp/requests") +
                       NumberAt(sample.status, "/server/http/requests")};
  if (before_ && now.uptime > before_->uptime) {
    const double seconds = now.uptime - before_->uptime;
    sample.writes_per_second = (now.writes - before_->writes) / seconds;
    sample.requests_per_second = (now.requests - before_->requests) / seconds;
  }
  before_ = now;
}

}  // namespace switchback
