// Commands copied out of a connection's input to run together somewhere else: pipelined writes and
// EXEC on the write pipeline's thread, long reads on the slow lane. Its replies wait in the batch
// until the connection fetches them on its io thread.
//
// Life: Append..., SubmitWrite or SubmitSlow, then on other threads Run and Done (which calls the
// listener), then WriteReplies, and again if has_more(), then Clear. Between submission and the
// listener's call nothing may touch it but the thread that runs it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "server/commands/client.hpp"
#include "server/commands/command.hpp"
#include "server/resp/byte_buffer.hpp"
#include "server/resp/inline_request.hpp"
#include "server/resp/slow_lane.hpp"
#include "service/transaction.hpp"

namespace switchback {

class CommandBatch final : public WriteOp, public SlowJob {
 public:
  class Listener {
   public:
    virtual ~Listener() = default;
    // On a thread of the service or the slow lane. Must not block.
    virtual void OnBatchDone() = 0;
  };

  // Both outlive the batch.
  CommandBatch(CommandEnvironment& environment, Listener& listener)
      : environment_(environment), listener_(listener) {}

  // Copies a command and its arguments. Commands for the client itself only for an EXEC.
  void Append(const Command& command, const Collection& collection, Arguments args);
  [[nodiscard]] std::size_t command_count() const { return commands_.size(); }
  [[nodiscard]] std::size_t bytes() const { return bytes_.size(); }

  // Pipelined writes: each command on its own, one that fails does not undo the others. Stops when
  // the replies get long; then has_more(), and submitting again goes on with the rest.
  void SubmitGathered(RespVersion version);
  // EXEC: all at one point in time, or not at all when `watches` (may be null, outlives the run)
  // are dirty. Errors of single commands don't stop the others, as in Redis.
  void SubmitExec(RespVersion version, const WatchSet* watches);
  // One long read.
  void SubmitSlow(RespVersion version, SlowLane& lane);

  // Appends the replies in order; runs the commands that are for `client` itself.
  void WriteReplies(Client& client, ByteBuffer& output);
  [[nodiscard]] bool has_more() const { return next_ < commands_.size(); }
  // Error replies among those of the last WriteReplies.
  [[nodiscard]] std::size_t error_count() const { return error_count_; }
  // Forgets the commands and keeps a little memory for the next ones.
  void Clear();

  // WriteOp.
  Status Run(Transaction& transaction) override;
  void Done(const Status& outcome) override;
  [[nodiscard]] std::size_t QueuedBytes() const override;
  // SlowJob.
  void RunSlow(Session& session) override;

 private:
  enum class Mode : std::uint8_t { kGathered, kExec, kSlow };
  struct Entry {
    const Command* command;
    const Collection* collection;
    std::size_t first_slice;
    std::size_t slice_count;
    std::size_t reply_end;  // in replies_, after Run
  };

  void Begin(Mode mode, RespVersion version);
  Arguments ArgumentsOf(const Entry& entry);
  template <class Reader>
  void RunOne(Reader& reader, Entry& entry, Session* session);
  void WriteFailure(const Error& error, ReplyWriter& reply);
  void WriteExecReplies(Client& client, ReplyWriter& reply);

  CommandEnvironment& environment_;
  Listener& listener_;
  Mode mode_ = Mode::kGathered;
  RespVersion version_ = RespVersion::k2;
  const WatchSet* watches_ = nullptr;
  bool is_dirty_ = false;
  std::vector<Entry> commands_;
  std::vector<Slice> slices_;
  ByteBuffer bytes_;                         // the arguments
  std::vector<std::string_view> arguments_;  // of the command that runs
  std::size_t begin_ = 0;                    // first command of the last submission
  std::size_t next_ = 0;                     // first command that has not run
  std::size_t error_count_ = 0;
  ByteBuffer replies_;
  std::optional<Error> failure_;  // of the whole submission
};

}  // namespace switchback
