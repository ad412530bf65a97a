#include "server/resp/resp_server.hpp"

#include <algorithm>
#include <thread>

#include "common/check.hpp"
#include "common/log.hpp"
#include "server/resp/io_thread.hpp"
#include "server/resp/listener.hpp"
#include "server/unix_socket.hpp"

namespace switchback {

RespServer::RespServer(DbService& service, RespServerOptions options)
    : options_(std::move(options)), service_(service) {}

RespServer::~RespServer() {
  Stop(std::chrono::milliseconds(0));
}

Status RespServer::Configure() {
  core_ = std::make_shared<ServerCore>(service_, options_.numbered_collections);
  core_->output_stall_max = options_.output_stall_max;
  core_->tls = options_.tls;
  CommandEnvironment& environment = core_->environment;
  environment.clock = options_.clock;
  environment.started_at = options_.clock->Now();
  environment.password = options_.password;
  environment.tokens = options_.tokens;
  environment.logins = options_.logins;
  environment.value_bytes_max = options_.value_bytes_max;
  environment.clients_max = options_.clients_max;
  environment.output_bytes_max = options_.output_bytes_max;
  environment.bind_address = options_.bind_address;
  environment.thread_count =
      options_.threads != 0 ? options_.threads : std::max(1u, std::thread::hardware_concurrency());
  // Every configured name is looked up once, so that SELECT of a number cannot fail later.
  for (const auto& [number, name] : options_.numbered_collections) {
    const auto resolved = environment.collections.Resolve(std::to_string(number));
    if (!resolved) {
      return Fail(WithContext(resolved.error(), "collection number " + std::to_string(number)));
    }
  }
  const auto chosen = environment.collections.Default();
  if (!chosen) return Fail(WithContext(chosen.error(), "collection number 0"));
  return {};
}

Status RespServer::Start() {
  SB_CHECK(!is_running_, "a RESP server starts once");
  SB_RETURN_IF_ERROR(Configure());
  CommandEnvironment& environment = core_->environment;
  for (unsigned i = 0; i < environment.thread_count; ++i) {
    threads_.push_back(std::make_shared<IoThread>(core_));
  }
  listener_ = std::make_unique<RespListener>(*core_, threads_);
  Status opened = listener_->Open(options_.bind_address, options_.port);
  if (opened && !options_.unix_socket.empty())
    opened = listener_->OpenUnix(options_.unix_socket, options_.unix_socket_mode);
  if (!opened) {
    listener_.reset();
    for (const auto& thread : threads_) thread->CloseMailbox();
    threads_.clear();
    return opened;
  }
  environment.port = listener_->port();
  environment.stats = [this] { return Stats(); };
  is_running_ = true;
  core_->slow_lane.Start();
  for (const auto& thread : threads_) thread->Start();
  listener_->Start();
  return {};
}

std::uint16_t RespServer::port() const {
  SB_CHECK(listener_ != nullptr, "the port is known after Start");
  return listener_->port();
}

void RespServer::Stop(std::chrono::milliseconds drain_max) {
  if (!is_running_) return;
  is_running_ = false;
  const SteadyTime deadline = std::chrono::steady_clock::now() + drain_max;
  // The first thread closes the listener before it hands out or drains anything else.
  listener_->PostClose();
  if (!options_.unix_socket.empty()) RemoveUnixSocket(options_.unix_socket);
  for (const auto& thread : threads_) thread->PostDrain();
  if (!core_->gate.WaitUntilEmpty(deadline)) {
    const std::uint64_t count = core_->gate.counts().open;
    if (drain_max.count() > 0) LogWarning("resp: cutting off {} connections", count);
    for (const auto& thread : threads_) thread->PostCloseAll();
    core_->gate.WaitUntilEmpty(std::chrono::steady_clock::now() + std::chrono::seconds(1));
  }
  for (const auto& thread : threads_) thread->Join();
  core_->slow_lane.Stop();
  for (const auto& thread : threads_) thread->CloseMailbox();
}

void RespServer::CheckStalled() {
  for (const auto& thread : threads_) thread->PostCheckStalled();
}

RespServerStats RespServer::Stats() const {
  RespServerStats stats;
  if (core_ == nullptr) return stats;
  const ConnectionGate::Counts counts = core_->gate.counts();
  stats.connections = counts.open;
  stats.connections_total = counts.total;
  stats.rejected = counts.rejected;
  stats.accept_failures = counts.accept_failures;
  for (const auto& thread : threads_) {
    const ThreadCounters& counters = thread->counters();
    stats.commands += counters.commands.load(std::memory_order_relaxed);
    stats.command_errors += counters.command_errors.load(std::memory_order_relaxed);
    stats.bytes_in += counters.bytes_in.load(std::memory_order_relaxed);
    stats.bytes_out += counters.bytes_out.load(std::memory_order_relaxed);
    stats.slow_clients_closed += counters.slow_clients_closed.load(std::memory_order_relaxed);
    stats.protocol_errors += counters.protocol_errors.load(std::memory_order_relaxed);
  }
  return stats;
}

}  // namespace switchback
