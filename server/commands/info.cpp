#include "server/commands/info.hpp"

#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <iterator>

#include "server/commands/client_commands.hpp"
#include "server/commands/table.hpp"

namespace switchback {
namespace {

long long UptimeSeconds(const CommandEnvironment& environment) {
  return std::chrono::duration_cast<std::chrono::seconds>(environment.clock->Now() -
                                                          environment.started_at)
      .count();
}

Result<std::string> Server(RecordReader& /*reader*/, const CommandEnvironment& environment) {
  utsname system{};
  uname(&system);
  const long long uptime = UptimeSeconds(environment);
  return fmt::format(
      "redis_version:{}\r\nredis_mode:standalone\r\nos:{} {} {}\r\narch_bits:64\r\n"
      "process_id:{}\r\ntcp_port:{}\r\nuptime_in_seconds:{}\r\nuptime_in_days:{}\r\n"
      "io_threads_active:{}\r\n",
      kRedisVersion, system.sysname, system.release, system.machine, getpid(), environment.port,
      uptime, uptime / 86400, environment.thread_count > 1 ? 1 : 0);
}

Result<std::string> Clients(RecordReader& /*reader*/, const CommandEnvironment& environment) {
  return fmt::format("connected_clients:{}\r\nmaxclients:{}\r\nblocked_clients:0\r\n",
                     environment.clients.count(), environment.clients_max);
}

std::uint64_t ResidentBytes() {
  std::FILE* file = std::fopen("/proc/self/statm", "re");
  if (file == nullptr) return 0;
  unsigned long total = 0;
  unsigned long resident = 0;
  const int count = std::fscanf(file, "%lu %lu", &total, &resident);
  std::fclose(file);
  return count == 2 ? resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE)) : 0;
}

Result<std::string> Memory(RecordReader& /*reader*/, const CommandEnvironment& environment) {
  const std::uint64_t resident = ResidentBytes();
  const ServiceStatus status = environment.service.GetStatus();
  return fmt::format(
      "used_memory:{0}\r\nused_memory_rss:{0}\r\nmaxmemory:0\r\nmaxmemory_policy:noeviction\r\n"
      "memtable_bytes:{1}\r\nmemtable_records:{2}\r\n",
      resident, status.memtable_bytes, status.memtable_records);
}

Result<std::string> Persistence(RecordReader& /*reader*/, const CommandEnvironment& environment) {
  const ServiceStatus status = environment.service.GetStatus();
  return fmt::format(
      "loading:0\r\naof_enabled:1\r\naof_last_write_status:{}\r\naof_current_size:{}\r\n",
      status.is_log_failed ? "err" : "ok", status.log_bytes);
}

Result<std::string> Stats(RecordReader& /*reader*/, const CommandEnvironment& environment) {
  const RespServerStats stats = environment.stats();
  return fmt::format(
      "total_connections_received:{}\r\ntotal_commands_processed:{}\r\n"
      "total_net_input_bytes:{}\r\ntotal_net_output_bytes:{}\r\nrejected_connections:{}\r\n"
      "total_error_replies:{}\r\nclient_output_buffer_limit_disconnections:{}\r\n"
      "expired_keys:0\r\nevicted_keys:0\r\n",
      stats.connections_total, stats.commands, stats.bytes_in, stats.bytes_out, stats.rejected,
      stats.command_errors, stats.slow_clients_closed);
}

Result<std::string> Replication(RecordReader& /*reader*/,
                                const CommandEnvironment& /*environment*/) {
  return std::string("role:master\r\nconnected_slaves:0\r\n");
}

// Collections with a number as Redis names its databases, the others by their own name.
Result<std::string> Keyspace(RecordReader& reader, const CommandEnvironment& environment) {
  const auto names = environment.service.CollectionNames();
  if (!names) return Fail(names.error());
  std::string text;
  for (const std::string& name : *names) {
    const Collection* collection = environment.service.catalog().Find(name);
    if (collection == nullptr) continue;
    const auto count = reader.Count(*collection);
    if (!count) return Fail(count.error());
    if (*count == 0) continue;
    const auto number = environment.collections.NumberOf(*collection);
    text += fmt::format("{}:keys={},expires=0,avg_ttl=0\r\n",
                        number ? "db" + std::to_string(*number) : name, *count);
  }
  return text;
}

Result<std::string> Switchback(RecordReader& /*reader*/, const CommandEnvironment& environment) {
  const ServiceStatus status = environment.service.GetStatus();
  std::string text = fmt::format(
      "stage:{}\r\ndesired_percentage:{}\r\neffective_percentage:{}\r\nflips:{}\r\n"
      "generation:{}\r\nepoch:{}\r\nlast_sequence:{}\r\n",
      status.stage, status.routing.desired_percentage, status.routing.effective_percentage,
      status.routing.flips, status.generation, status.epoch, status.last_sequence);
  for (const Role role : kRoles) {
    const FollowerStatus& follower = status.followers[Index(role)];
    text +=
        fmt::format("{0}_engine:{1}\r\n{0}_state:{2}\r\n{0}_lag_batches:{3}\r\n", RoleName(role),
                    follower.engine, FollowerStateName(follower.state), follower.lag_batches);
  }
  return text;
}

struct Section {
  std::string_view title;
  Result<std::string> (*describe)(RecordReader&, const CommandEnvironment&);
};
constexpr std::array<Section, 8> kSections{{{"Server", &Server},
                                            {"Clients", &Clients},
                                            {"Memory", &Memory},
                                            {"Persistence", &Persistence},
                                            {"Stats", &Stats},
                                            {"Replication", &Replication},
                                            {"Keyspace", &Keyspace},
                                            {"Switchback", &Switchback}}};

bool IsWanted(std::string_view title, Arguments sections) {
  return sections.empty() ||
         std::any_of(sections.begin(), sections.end(), [&](std::string_view section) {
           return EqualsIgnoringCase(section, title) || EqualsIgnoringCase(section, "all") ||
                  EqualsIgnoringCase(section, "everything") ||
                  EqualsIgnoringCase(section, "default");
         });
}

}  // namespace

Result<std::string> DescribeServer(Arguments sections, RecordReader& reader,
                                   const CommandEnvironment& environment) {
  std::string text;
  for (const Section& section : kSections) {
    if (!IsWanted(section.title, sections)) continue;
    const auto body = section.describe(reader, environment);
    if (!body) return body;
    if (!text.empty()) text += "\r\n";
    text += fmt::format("# {}\r\n{}", section.title, *body);
  }
  return text;
}

}  // namespace switchback
