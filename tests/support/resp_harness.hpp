// Talks RESP to a Conversation over a FakeDbService, without sockets: bytes in, bytes out.
#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

#include "common/check.hpp"
#include "common/sync.hpp"
#include "server/commands/environment.hpp"
#include "server/resp/conversation.hpp"
#include "server/resp/slow_lane.hpp"
#include "tests/support/fake_db_service.hpp"

namespace switchback {

inline std::string EncodeRequest(std::initializer_list<std::string_view> args) {
  std::string request = "*" + std::to_string(args.size()) + "\r\n";
  for (const std::string_view arg : args) {
    request += "$" + std::to_string(arg.size()) + "\r\n";
    request.append(arg).append("\r\n");
  }
  return request;
}

inline std::string Bulk(std::string_view bytes) {
  return "$" + std::to_string(bytes.size()) + "\r\n" + std::string(bytes) + "\r\n";
}

// A service, an environment and a slow lane: what the connections of one server share.
struct RespWorld {
  explicit RespWorld(FakePipeline pipeline = FakePipeline::kInline)
      : service(pipeline), environment(service, {}), slow_lane(service) {
    slow_lane.Start();
  }

  FakeDbService service;
  CommandEnvironment environment;
  SlowLane slow_lane;
};

// One connection. Single-threaded, except for the listener.
class RespHarness final : private ConversationThread, private CommandBatch::Listener {
 public:
  // `world` outlives this.
  explicit RespHarness(RespWorld& world)
      : world_(world),
        session_(world.service.NewSession()),
        info_(std::make_shared<ClientInfo>(world.environment.clients.NextId(), "127.0.0.1:50000",
                                           "127.0.0.1:6380", 7, SteadyTime(),
                                           [this] { is_killed_ = true; })),
        conversation_(world.environment, *this, *this, info_) {
    world_.environment.clients.Add(info_);
  }
  ~RespHarness() override { world_.environment.clients.Remove(info_->id()); }

  // Feeds bytes and returns everything that is answered, batches waited for.
  std::string Send(std::string_view bytes) {
    input_.append(bytes);
    ByteBuffer output;
    std::string replies;
    while (true) {
      if (conversation_.is_suspended()) {
        WaitForBatch();
        conversation_.Resume(output);
      }
      const auto progress = conversation_.Consume(input_, output);
      input_.erase(0, progress.consumed);
      replies.append(output.view());
      output.Clear();
      session_->EndTurn();
      if (progress.state == ConversationState::kNeedsInput) return replies;
      if (progress.state == ConversationState::kClosing) return replies;
    }
  }
  // An inline request.
  std::string Line(std::string_view line) { return Send(std::string(line) + "\r\n"); }
  // A request of bulk strings.
  std::string Run(std::initializer_list<std::string_view> args) {
    return Send(EncodeRequest(args));
  }

  // One step without waiting: for tests that hold writes up.
  Conversation::Progress Step(std::string_view bytes, ByteBuffer& output) {
    return conversation_.Consume(bytes, output);
  }

  [[nodiscard]] bool is_closing() const { return conversation_.is_closing(); }
  [[nodiscard]] bool is_killed() const { return is_killed_; }
  [[nodiscard]] std::size_t unused_bytes() const { return input_.size(); }
  [[nodiscard]] std::uint64_t id() const { return info_->id(); }
  [[nodiscard]] std::uint64_t error_count() const { return error_count_; }
  [[nodiscard]] std::uint64_t command_count() const { return command_count_; }
  [[nodiscard]] int protocol_error_count() const { return protocol_error_count_; }
  Conversation& conversation() { return conversation_; }

 private:
  Session& BeginRead() override { return *session_; }
  SlowLane& slow_lane() override { return world_.slow_lane; }
  void CountCommands(std::uint64_t commands, std::uint64_t errors) override {
    command_count_ += commands;
    error_count_ += errors;
  }
  void CountProtocolError() override { ++protocol_error_count_; }

  void OnBatchDone() override {
    const MutexLock lock(mutex_);
    is_done_ = true;
    done_.NotifyAll();
  }
  void WaitForBatch() {
    const MutexLock lock(mutex_);
    while (!is_done_) done_.Wait(mutex_);
    is_done_ = false;
  }

  RespWorld& world_;
  std::unique_ptr<Session> session_;
  std::shared_ptr<ClientInfo> info_;
  Mutex mutex_;
  CondVar done_;
  bool is_done_ SB_GUARDED_BY(mutex_) = false;
  bool is_killed_ = false;
  std::uint64_t command_count_ = 0;
  std::uint64_t error_count_ = 0;
  int protocol_error_count_ = 0;
  std::string input_;
  Conversation conversation_;
};

}  // namespace switchback
