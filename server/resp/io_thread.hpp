// One thread of the RESP server: an event loop, the connections that live on it, and what they
// share: the service session for their reads, the buffers for one read and one write, the mailbox
// for finished writes.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <unordered_map>

#include "server/commands/environment.hpp"
#include "server/mailbox.hpp"
#include "server/net.hpp"
#include "server/resp/byte_buffer.hpp"
#include "server/resp/connection_gate.hpp"
#include "server/resp/conversation.hpp"
#include "server/resp/server_stats.hpp"
#include "server/resp/slow_lane.hpp"
#include "server/tls/tls_context.hpp"

namespace switchback {

class RespSession;

// Counters of one thread, written by it alone.
struct ThreadCounters {
  std::atomic<std::uint64_t> commands{0};
  std::atomic<std::uint64_t> command_errors{0};
  std::atomic<std::uint64_t> bytes_in{0};
  std::atomic<std::uint64_t> bytes_out{0};
  std::atomic<std::uint64_t> slow_clients_closed{0};
  std::atomic<std::uint64_t> protocol_errors{0};

  static void Add(std::atomic<std::uint64_t>& counter, std::uint64_t amount) {
    counter.store(counter.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }
};

// What all threads of one server share. Lives until the last connection is gone.
struct ServerCore {
  ServerCore(DbService& service, const std::map<unsigned, std::string>& numbers)
      : environment(service, numbers), slow_lane(service) {}

  CommandEnvironment environment;
  SlowLane slow_lane;
  ConnectionGate gate;
  std::chrono::milliseconds output_stall_max{kOutputStallMax};
  const TlsContext* tls = nullptr;  // of the TCP port; null: it is plain
};

// Start, Post..., Join from the server's thread; the rest on the loop's own thread, except where
// said otherwise. Connections share ownership, so that one whose write is still in the pipeline
// when the server stops has a loop to belong to.
class IoThread final : public ConversationThread, public std::enable_shared_from_this<IoThread> {
 public:
  explicit IoThread(std::shared_ptr<ServerCore> core);
  ~IoThread() override;

  void Start();
  // Any thread. Every connection finishes what it has begun and closes.
  void PostDrain();
  // Any thread. Every connection closes now.
  void PostCloseAll();
  // Any thread. Looks for clients that have stalled, as the loop does once a second.
  void PostCheckStalled();
  // Ends the loop and joins.
  void Join();
  // After Join and once the slow lane has stopped: what still comes from the service is dropped.
  void CloseMailbox() { mailbox_.Close(); }

  // Any thread: makes a connection of an accepted socket of this loop's context. `tls` null: plain.
  void PostAdopt(StreamSocket socket, TlsHandle tls);
  // Any thread.
  void PostKill(std::uint64_t id);

  net::io_context& context() { return context_; }
  Mailbox& mailbox() { return mailbox_; }
  ServerCore& core() { return *core_; }
  ThreadCounters& counters() { return counters_; }
  [[nodiscard]] bool is_draining() const { return is_draining_; }
  // Connections that were given to this thread and have not closed. Any thread.
  [[nodiscard]] std::size_t load() const { return load_.load(std::memory_order_relaxed); }
  void AddLoad() { load_.fetch_add(1, std::memory_order_relaxed); }

  // For one use within one handler: room for a read, and an empty buffer for replies.
  std::array<char, kReadBytes>& read_buffer() { return *read_buffer_; }
  ByteBuffer& output() { return output_; }

  void Forget(std::uint64_t id);

  // ConversationThread.
  Session& BeginRead() override;
  SlowLane& slow_lane() override { return core_->slow_lane; }
  void CountCommands(std::uint64_t commands, std::uint64_t errors) override;
  void CountProtocolError() override { ThreadCounters::Add(counters_.protocol_errors, 1); }

 private:
  void Adopt(StreamSocket socket, const TlsHandle& tls);
  void CheckStalled();
  void WaitForTick();
  std::vector<std::shared_ptr<RespSession>> Sessions();

  const std::shared_ptr<ServerCore> core_;
  net::io_context context_{1};
  net::executor_work_guard<net::io_context::executor_type> work_{context_.get_executor()};
  net::steady_timer tick_{context_};
  Mailbox mailbox_{context_};
  ThreadCounters counters_;
  std::atomic<std::size_t> load_{0};
  std::unique_ptr<Session> session_;  // of the service
  bool is_turn_open_ = false;
  bool is_draining_ = false;
  std::unique_ptr<std::array<char, kReadBytes>> read_buffer_;
  ByteBuffer output_;
  std::unordered_map<std::uint64_t, std::weak_ptr<RespSession>> sessions_;  // by client id
  std::thread thread_;
};

}  // namespace switchback
