#include "server/cli/status_table.hpp"

#include <fmt/format.h>

#include <cstdint>
#include <nlohmann/json.hpp>

#include "server/cli/output.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

// Members by path; a missing one, or one of another type, reads as nothing.
class View {
 public:
  explicit View(const Json& json) : json_(json) {}

  [[nodiscard]] View operator[](const char* member) const {
    static const Json kNothing = Json::object();
    const auto found = json_.is_object() ? json_.find(member) : json_.end();
    return View(json_.is_object() && found != json_.end() ? *found : kNothing);
  }
  [[nodiscard]] std::string Text() const {
    return json_.is_string() ? json_.get<std::string>() : "";
  }
  [[nodiscard]] std::uint64_t Count() const {
    return json_.is_number() ? json_.get<std::uint64_t>() : 0;
  }
  [[nodiscard]] double Number() const { return json_.is_number() ? json_.get<double>() : 0; }
  [[nodiscard]] std::string Names() const {
    return json_.is_array()
               ? fmt::format("{}", fmt::join(json_.get<std::vector<std::string>>(), ", "))
               : "";
  }
  // Of an object of percentages by name: "messages 100 %, users 5 %".
  [[nodiscard]] std::string Shares() const {
    std::string text;
    if (!json_.is_object()) return text;
    for (const auto& share : json_.items())
      text += fmt::format("{}{} {} %", text.empty() ? "" : ", ", share.key(),
                          FormatPercent(View(share.value()).Number()));
    return text;
  }
  [[nodiscard]] bool IsTrue() const { return json_.is_boolean() && json_.get<bool>(); }

 private:
  const Json& json_;
};

std::string Line(const char* name, const std::string& text) {
  return fmt::format("{:<11} {}\n", name, text);
}

std::string RoutingLines(const View& routing) {
  const std::string desired = FormatPercent(routing["desired_percentage"].Number());
  const std::string effective = FormatPercent(routing["effective_percentage"].Number());
  std::string text = fmt::format("{} asks for {} % on unified, {} % in effect",
                                 routing["flag"].Text(), desired, effective);
  if (routing["is_refused"].IsTrue()) text += ": REFUSED";
  const std::string reason = routing["reason"].Text();
  if (!reason.empty()) text += ": " + reason;
  const std::string overrides = routing["overrides"].Shares();
  return Line("routing", text) +
         (overrides.empty() ? "" : Line("", "with flags of their own: " + overrides)) +
         Line("", fmt::format("{} flips since start", routing["flips"].Count()));
}

std::string FollowerLines(const View& followers) {
  std::string lines = fmt::format("{:<11} {:<12} {:<7} {:>12} {:>12} {:>10} {:>10} {:>11}\n", "",
                                  "STATE", "ENGINE", "APPLIED", "DURABLE", "LAG", "AGE", "FILE");
  for (const char* role : {"legacy", "unified"}) {
    const View follower = followers[role];
    lines += fmt::format("{:<11} {:<12} {:<7} {:>12} {:>12} {:>10} {:>10} {:>11}\n", role,
                         follower["state"].Text(), follower["engine"].Text(),
                         follower["applied_sequence"].Count(), follower["durable_sequence"].Count(),
                         follower["lag_batches"].Count(),
                         FormatMicroseconds(follower["lag_ms"].Number() * 1000),
                         FormatBytes(follower["file_bytes"].Count()));
    const std::string reason = follower["reason"].Text();
    if (!reason.empty()) lines += Line("", reason);
    if (const std::string names = follower["collections"].Names(); !names.empty())
      lines += Line("", "holds these collections only: " + names);
    if (!follower["path"].Text().empty()) lines += Line("", follower["path"].Text());
  }
  return lines;
}

std::string LatencyText(const View& latency) {
  return fmt::format("p50 {}, p99 {}, p99.9 {}", FormatMicroseconds(latency["p50_us"].Number()),
                     FormatMicroseconds(latency["p99_us"].Number()),
                     FormatMicroseconds(latency["p999_us"].Number()));
}

std::string MemoryAndLogLines(const View& status) {
  const View memtable = status["memtable"];
  const View log = status["log"];
  std::string lines =
      Line("memtable",
           fmt::format(
               "{} of {}, {} of {} records, {} segments", FormatBytes(memtable["bytes"].Count()),
               FormatBytes(memtable["bytes_max"].Count()), FormatCount(memtable["records"].Count()),
               FormatCount(memtable["records_max"].Count()), memtable["segments"].Count()));
  lines += Line("log", fmt::format("{} in {} files, last batch {}, epoch {}; sync {}",
                                   FormatBytes(log["bytes"].Count()), log["files"].Count(),
                                   status["last_sequence"].Count(), status["epoch"].Count(),
                                   LatencyText(log["sync"])));
  if (log["is_failed"].IsTrue())
    lines += Line("", "FAILED, writes are refused: " + log["error"].Text());
  return lines;
}

std::string OperationLines(const View& status) {
  const View writes = status["writes"];
  std::string lines = Line(
      "writes", fmt::format("{}, {} errors; {}", FormatCount(writes["count"].Count()),
                            FormatCount(writes["errors"].Count()), LatencyText(writes["latency"])));
  if (!writes["hold_reason"].Text().empty())
    lines += Line("", "REFUSED: " + writes["hold_reason"].Text());
  if (writes["backpressure_waits"].Count() > 0)
    lines += Line("", fmt::format("held up by the stores {} times, refused {}",
                                  FormatCount(writes["backpressure_waits"].Count()),
                                  FormatCount(writes["backpressure_refusals"].Count())));
  for (const char* role : {"legacy", "unified"}) {
    const View get = status["operations"][role]["get"];
    if (get["count"].Count() == 0) continue;
    lines += Line(fmt::format("{} get", role).c_str(),
                  fmt::format("{}, {} errors; {}", FormatCount(get["count"].Count()),
                              FormatCount(get["errors"].Count()), LatencyText(get)));
  }
  return lines;
}

std::string FlagAndMigrationLines(const View& status) {
  const View flags = status["flags"];
  std::string lines = Line(
      "flags", fmt::format("{}, revision {}", flags["file"].Text(), flags["revision"].Count()));
  if (!flags["warning"].Text().empty()) lines += Line("", "WARNING: " + flags["warning"].Text());
  const View migration = status["migration"];
  std::string text = migration["state"].Text();
  if (text == "running") text += " at " + FormatPercent(migration["percent"].Number()) + " %";
  if (!migration["error"].Text().empty()) text += ": " + migration["error"].Text();
  return lines + Line("migration", text);
}

}  // namespace

std::string StatusTable(const Json& document) {
  const View status(document);
  std::string lines = fmt::format("switchback {}, {} ({}), up {}\n", status["version"].Text(),
                                  status["data_dir"].Text(), status["generation"].Text(),
                                  FormatSeconds(status["uptime_seconds"].Number()));
  lines += Line("stage", status["stage"].Text());
  lines += RoutingLines(status["routing"]);
  lines += FollowerLines(status["followers"]);
  lines += MemoryAndLogLines(status);
  lines += OperationLines(status);
  lines += FlagAndMigrationLines(status);
  lines += Line("clients", fmt::format("{} over RESP, {} over HTTP",
                                       status["server"]["resp"]["connections"].Count(),
                                       status["server"]["http"]["connections"].Count()));
  return lines;
}

}  // namespace switchback
