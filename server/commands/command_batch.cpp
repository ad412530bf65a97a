#include "server/commands/command_batch.hpp"

#include <type_traits>

#include "common/check.hpp"

namespace switchback {
namespace {

// Vectors above this many elements are given back when a batch is cleared.
constexpr std::size_t kKeptCountMax = 64;

template <class T>
void ClearAndTrim(std::vector<T>& elements) {
  elements.clear();
  if (elements.capacity() > kKeptCountMax) elements.shrink_to_fit();
}

}  // namespace

void CommandBatch::Append(const Command& command, const Collection& collection, Arguments args) {
  commands_.push_back({&command, &collection, slices_.size(), args.size(), 0});
  for (const std::string_view arg : args) {
    slices_.push_back({bytes_.size(), arg.size()});
    bytes_.Append(arg);
  }
}

void CommandBatch::Begin(Mode mode, RespVersion version) {
  SB_CHECK(replies_.empty() && !failure_, "the replies of the last submission were fetched");
  mode_ = mode;
  version_ = version;
  begin_ = next_;
  is_dirty_ = false;
  error_count_ = 0;
}

void CommandBatch::SubmitGathered(RespVersion version) {
  SB_CHECK(has_more(), "an empty batch is not submitted");
  Begin(Mode::kGathered, version);
  environment_.service.Submit(*this);
}

void CommandBatch::SubmitExec(RespVersion version, const WatchSet* watches) {
  Begin(Mode::kExec, version);
  watches_ = watches;
  environment_.service.Submit(*this);
}

void CommandBatch::SubmitSlow(RespVersion version, SlowLane& lane) {
  SB_CHECK(commands_.size() == 1, "the slow lane takes one command at a time");
  Begin(Mode::kSlow, version);
  lane.Submit(*this);
}

Arguments CommandBatch::ArgumentsOf(const Entry& entry) {
  arguments_.clear();
  const std::string_view bytes = bytes_.view();
  for (std::size_t i = 0; i < entry.slice_count; ++i) {
    const Slice& slice = slices_[entry.first_slice + i];
    arguments_.push_back(bytes.substr(slice.offset, slice.size));
  }
  return arguments_;
}

template <class Reader>
void CommandBatch::RunOne(Reader& reader, Entry& entry, Session* session) {
  const std::size_t reply_begin = replies_.size();
  ReplyWriter reply(replies_, version_);
  CommandContext context{ArgumentsOf(entry), *entry.collection, reply, environment_, session};
  Status status;
  if constexpr (std::is_same_v<Reader, Transaction>) {
    // Whatever a failing command has written is undone, and only that.
    const std::size_t savepoint = reader.Savepoint();
    status = entry.command->write != nullptr ? entry.command->write(reader, context)
                                             : entry.command->read(reader, context);
    if (!status) reader.RollbackTo(savepoint);
  } else {
    status = entry.command->read(reader, context);
  }
  if (!status) {
    replies_.Truncate(reply_begin);
    reply.Error(status.error());
    ++error_count_;
  }
  entry.reply_end = replies_.size();
}

Status CommandBatch::Run(Transaction& transaction) {
  if (mode_ == Mode::kExec && watches_ != nullptr && transaction.IsDirty(*watches_)) {
    is_dirty_ = true;
    next_ = commands_.size();
    return {};
  }
  while (has_more()) {
    Entry& entry = commands_[next_];
    ++next_;
    if (entry.command->client != nullptr) {
      entry.reply_end = replies_.size();
      continue;
    }
    RunOne(transaction, entry, nullptr);
    // Pipelined writes can go on later; an EXEC is all or nothing.
    if (mode_ == Mode::kGathered && replies_.size() > kOutputHighWaterBytes) break;
    if (replies_.size() > environment_.output_bytes_max) {
      return Fail(ErrorCode::kTooLarge, "the transaction's replies are too long");
    }
  }
  return {};
}

void CommandBatch::RunSlow(Session& session) {
  next_ = 1;
  RunOne<RecordReader>(session, commands_[0], &session);
  session.EndTurn();
  listener_.OnBatchDone();  // last: from here on the batch belongs to the io thread again
}

void CommandBatch::Done(const Status& outcome) {
  if (!outcome) failure_ = outcome.error();
  listener_.OnBatchDone();
}

std::size_t CommandBatch::QueuedBytes() const {
  return bytes_.size() + commands_.size() * sizeof(Entry) + slices_.size() * sizeof(Slice);
}

void CommandBatch::WriteFailure(const Error& error, ReplyWriter& reply) {
  if (mode_ == Mode::kExec) {
    reply.Error(error);
    error_count_ = 1;
    next_ = commands_.size();
    return;
  }
  // A write that was refused before it ran has run no command: then all of them are answered.
  if (next_ == begin_) next_ = commands_.size();
  error_count_ = next_ - begin_;
  for (std::size_t i = begin_; i < next_; ++i) reply.Error(error);
}

void CommandBatch::WriteExecReplies(Client& client, ReplyWriter& reply) {
  reply.Array(commands_.size());
  std::size_t begin = 0;
  for (const Entry& entry : commands_) {
    if (entry.command->client == nullptr) {
      reply.output().Append(replies_.view().substr(begin, entry.reply_end - begin));
      begin = entry.reply_end;
      continue;
    }
    const std::size_t reply_begin = reply.output().size();
    CommandContext context{ArgumentsOf(entry), *client.collection, reply, environment_};
    if (const Status status = entry.command->client(client, context); !status) {
      reply.output().Truncate(reply_begin);
      reply.Error(status.error());
      ++error_count_;
    }
  }
}

void CommandBatch::WriteReplies(Client& client, ByteBuffer& output) {
  ReplyWriter reply(output, version_);
  if (failure_) {
    WriteFailure(*failure_, reply);
  } else if (is_dirty_) {
    reply.NullArray();
  } else if (mode_ == Mode::kExec) {
    WriteExecReplies(client, reply);
  } else {
    output.Append(replies_.view());
  }
  replies_.Clear();
  replies_.ReleaseAbove(kIdleBufferBytesMax);
  failure_.reset();
}

void CommandBatch::Clear() {
  ClearAndTrim(commands_);
  ClearAndTrim(slices_);
  ClearAndTrim(arguments_);
  bytes_.Clear();
  bytes_.ReleaseAbove(kIdleBufferBytesMax);
  watches_ = nullptr;
  begin_ = next_ = 0;
}

}  // namespace switchback
