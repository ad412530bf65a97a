// One client's side of the protocol, without sockets: takes the bytes that have arrived, runs the
// commands in them, and appends replies. Tests talk to it directly; resp/session connects it to a
// socket.
//
// Reads run at once with the thread's session. Pipelined writes are gathered into one WriteOp; the
// conversation is then suspended until it is done, so that replies come in order and a read behind
// a write in one pipeline sees it.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "server/commands/client.hpp"
#include "server/commands/command_batch.hpp"
#include "server/resp/byte_buffer.hpp"
#include "server/resp/parser.hpp"
#include "server/resp/slow_lane.hpp"
#include "service/db_service.hpp"

namespace switchback {

// What a conversation needs of the thread it runs on.
class ConversationThread {
 public:
  virtual ~ConversationThread() = default;
  // The thread's session. All reads until the event loop turns share its snapshot; the thread ends
  // the turn.
  virtual Session& BeginRead() = 0;
  virtual SlowLane& slow_lane() = 0;
  virtual void CountCommands(std::uint64_t commands, std::uint64_t errors) = 0;
  virtual void CountProtocolError() = 0;
};

enum class ConversationState {
  kNeedsInput,  // every complete request is done
  kSuspended,   // waits for a batch: call Resume after the listener was called
  kOutputFull,  // there may be more to do once the output is written
  kClosing,     // close once the output is written
};

// Belongs to one io thread.
class Conversation {
 public:
  // All outlive it. `listener` is told from another thread when a suspended conversation can go on.
  Conversation(CommandEnvironment& environment, ConversationThread& thread,
               CommandBatch::Listener& listener, std::shared_ptr<ClientInfo> info);

  struct Progress {
    std::size_t consumed = 0;  // bytes at the front of the input that are not needed any more
    ConversationState state = ConversationState::kNeedsInput;
  };
  // Works through `input`, which begins where the last call stopped consuming, and appends replies
  // to `output`. Not while suspended.
  Progress Consume(std::string_view input, ByteBuffer& output);

  // Appends the replies of the batch that was waited for. Call Consume again afterwards, once there
  // is room in the output, even without new input: the batch may have more to do.
  void Resume(ByteBuffer& output);

  [[nodiscard]] bool is_suspended() const { return is_suspended_; }
  [[nodiscard]] bool is_closing() const { return client_.is_closing; }
  // A request has begun to arrive and has not ended.
  [[nodiscard]] bool is_midway() const { return parser_.is_midway(); }
  [[nodiscard]] bool is_authenticated() const { return client_.is_authenticated; }

 private:
  enum class Step { kNext, kWait, kStop };

  Step HandleRequest(ByteBuffer& output);
  Step Dispatch(const Command& command, Arguments args, ByteBuffer& output);
  Step DispatchControl(const Command& command, Arguments args, ReplyWriter& reply);
  Step RunExec(ReplyWriter& reply);
  void Queue(const Command& command, Arguments args, ReplyWriter& reply);
  bool Gather(const Command& command, Arguments args);
  Step RunSlow(const Command& command, Arguments args);
  void RunRead(const Command& command, Arguments args, ReplyWriter& reply);
  void RunClient(const Command& command, Arguments args, ReplyWriter& reply);
  // Whether a client with a name may run it; if not, it was answered.
  bool MayRun(const Command& command, ReplyWriter& reply);
  void Reject(std::string_view text, ReplyWriter& reply);
  void RefuseQueue(std::string_view text, ReplyWriter& reply);
  void EndMulti();
  CommandBatch& Batch();
  [[nodiscard]] bool HasGathered() const;
  Step Suspend();

  CommandEnvironment& environment_;
  ConversationThread& thread_;
  CommandBatch::Listener& listener_;
  Client client_;
  RequestParser parser_;
  std::unique_ptr<CommandBatch> batch_;  // made when first needed: an idle reader has none
  bool is_suspended_ = false;
  bool is_in_multi_ = false;
  bool is_multi_broken_ = false;                  // a command could not be queued: EXEC gives up
  bool is_exec_ = false;                          // the batch that is waited for is an EXEC
  const Collection* multi_collection_ = nullptr;  // what a queued SELECT has chosen
  const Command* last_command_ = nullptr;
  std::uint64_t command_count_ = 0;  // in this Consume
  std::uint64_t error_count_ = 0;
};

}  // namespace switchback
