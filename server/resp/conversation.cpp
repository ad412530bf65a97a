#include "server/resp/conversation.hpp"

#include "common/check.hpp"
#include "server/commands/table.hpp"
#include "server/errors.hpp"

namespace switchback {

Conversation::Conversation(CommandEnvironment& environment, ConversationThread& thread,
                           CommandBatch::Listener& listener, std::shared_ptr<ClientInfo> info)
    : environment_(environment),
      thread_(thread),
      listener_(listener),
      client_(environment, std::move(info)),
      parser_(environment.value_bytes_max) {
  parser_.SetTrusted(client_.is_authenticated);
}

Conversation::Progress Conversation::Consume(std::string_view input, ByteBuffer& output) {
  SB_CHECK(!is_suspended_, "a suspended conversation takes no input");
  Progress progress;
  command_count_ = error_count_ = 0;
  Step step = Step::kNext;
  while (step == Step::kNext && !client_.is_closing) {
    if (output.size() >= kOutputHighWaterBytes) {
      progress.state = ConversationState::kOutputFull;
      break;
    }
    const ParseStatus status = parser_.Parse(input.substr(progress.consumed));
    if (status == ParseStatus::kCommand) {
      step = HandleRequest(output);
      if (step == Step::kWait) break;  // the request itself comes again after the batch
      progress.consumed += parser_.request_bytes();
      parser_.Next();
      continue;
    }
    // What was gathered goes first, an error's reply comes behind it.
    if (HasGathered()) {
      Suspend();
    } else if (status == ParseStatus::kError) {
      ReplyWriter(output, client_.version).Error("ERR " + std::string(parser_.error()));
      thread_.CountProtocolError();
      client_.is_closing = true;
    }
    if (status == ParseStatus::kIncomplete) progress.consumed += parser_.TakeDiscardable();
    break;
  }
  if (is_suspended_) progress.state = ConversationState::kSuspended;
  if (client_.is_closing) progress.state = ConversationState::kClosing;
  if (last_command_ != nullptr) client_.info->SetLastCommand(last_command_);
  thread_.CountCommands(command_count_, error_count_);
  return progress;
}

// kNext: done, go on. kStop: done, but the conversation is suspended or closing. kWait: not done,
// the gathered writes go first.
Conversation::Step Conversation::HandleRequest(ByteBuffer& output) {
  const Arguments args = parser_.arguments();
  ReplyWriter reply(output, client_.version);
  if (args.empty()) {
    if (!parser_.is_too_long()) return Step::kNext;
    if (HasGathered()) return Suspend();
    ++command_count_;
    Reject("ERR " + std::string(kStringTooLongMessage), reply);
    return Step::kNext;
  }
  // The hot path: a known command with the right number of arguments.
  const Command* command = FindCommand(args[0]);
  if (command == nullptr || !command->subcommands.empty() ||
      !command->TakesArgumentCount(args.size())) {
    if (HasGathered()) return Suspend();
    // A browser that was tricked into posting to this port sends these; Redis hangs up as well.
    if (EqualsIgnoringCase(args[0], "post") || EqualsIgnoringCase(args[0], "host:")) {
      thread_.CountProtocolError();
      client_.is_closing = true;
      return Step::kStop;
    }
    ResolvedCommand resolved = ResolveCommand(args);
    command = resolved.command;
    if (command == nullptr) {
      ++command_count_;
      Reject("ERR " + resolved.error, reply);
      return Step::kNext;
    }
  }
  return Dispatch(*command, args, output);
}

Conversation::Step Conversation::Dispatch(const Command& command, Arguments args,
                                          ByteBuffer& output) {
  ReplyWriter reply(output, client_.version);
  if (!client_.is_authenticated && !command.Has(kFlagNoAuth)) [[unlikely]] {
    ++command_count_;
    Reject("NOAUTH Authentication required.", reply);
    return Step::kNext;
  }
  if (client_.principal) [[unlikely]] {
    // What was gathered before was allowed then; its replies come first.
    if (HasGathered() &&
        (command.write == nullptr || !MayAct(client_.principal->role, RoleFor(command))))
      return Suspend();
    if (!MayRun(command, reply)) return Step::kNext;
  }
  if (command.write != nullptr && !is_in_multi_) {
    if (!Gather(command, args)) return Suspend();
    ++command_count_;
    last_command_ = &command;
    return Step::kNext;
  }
  if (HasGathered()) return Suspend();
  ++command_count_;
  last_command_ = &command;
  if (command.control != ControlCommand::kNone) return DispatchControl(command, args, reply);
  if (is_in_multi_) {
    Queue(command, args, reply);
    return Step::kNext;
  }
  if (command.Has(kFlagSlow)) return RunSlow(command, args);
  if (command.read != nullptr) [[likely]] {
    RunRead(command, args, reply);
  } else {
    RunClient(command, args, reply);
  }
  return Step::kNext;
}

bool Conversation::MayRun(const Command& command, ReplyWriter& reply) {
  if (!client_.IsInForce()) {
    parser_.SetTrusted(false);
    if (command.Has(kFlagNoAuth)) return true;
    ++command_count_;
    Reject("NOAUTH Authentication required.", reply);
    return false;
  }
  if (command.Has(kFlagNoAuth) || MayAct(client_.principal->role, RoleFor(command))) return true;
  ++command_count_;
  Reject(
      "NOPERM this user has no permissions to run the '" + std::string(command.name) + "' command",
      reply);
  return false;
}

void Conversation::RunRead(const Command& command, Arguments args, ReplyWriter& reply) {
  const std::size_t reply_begin = reply.output().size();
  CommandContext context{args, *client_.collection, reply, environment_};
  const Status status = command.read(thread_.BeginRead(), context);
  if (!status) [[unlikely]] {
    reply.output().Truncate(reply_begin);
    reply.Error(status.error());
    ++error_count_;
  }
}

void Conversation::RunClient(const Command& command, Arguments args, ReplyWriter& reply) {
  const std::size_t reply_begin = reply.output().size();
  CommandContext context{args, *client_.collection, reply, environment_};
  client_.info->SetLastCommand(&command);  // CLIENT LIST shows itself
  if (const Status status = command.client(client_, context); !status) {
    reply.output().Truncate(reply_begin);
    reply.Error(status.error());
    ++error_count_;
  }
  parser_.SetTrusted(client_.is_authenticated);
}

Conversation::Step Conversation::RunSlow(const Command& command, Arguments args) {
  Batch().Append(command, *client_.collection, args);
  is_suspended_ = true;  // before the submission: its end may be reported at once
  batch_->SubmitSlow(client_.version, thread_.slow_lane());
  return Step::kStop;
}

bool Conversation::Gather(const Command& command, Arguments args) {
  CommandBatch& batch = Batch();
  if (batch.command_count() >= kGatherCommandCountMax || batch.bytes() >= kGatherBytesMax) {
    return false;
  }
  batch.Append(command, *client_.collection, args);
  return true;
}

void Conversation::Queue(const Command& command, Arguments args, ReplyWriter& reply) {
  if (command.Has(kFlagNoMulti)) {
    return Reject("ERR Command not allowed inside a transaction", reply);
  }
  CommandBatch& batch = Batch();
  if (batch.command_count() >= kQueuedCommandCountMax || batch.bytes() >= kQueuedCommandBytesMax) {
    return Reject("ERR the transaction is too large", reply);
  }
  batch.Append(command, *multi_collection_, args);
  // The commands behind a queued SELECT are for its collection; the client itself changes over when
  // the SELECT runs. A SELECT that fails then changes nothing now.
  if (command.name == "select") {
    const Result<const Collection*> selected = environment_.collections.Resolve(args[1]);
    if (selected) multi_collection_ = *selected;
  }
  client_.info->SetQueuedCount(static_cast<int>(batch.command_count()));
  reply.SimpleString("QUEUED");
}

Conversation::Step Conversation::DispatchControl(const Command& command, Arguments args,
                                                 ReplyWriter& reply) {
  switch (command.control) {
    case ControlCommand::kNone: SB_CHECK(false, "asked for before"); break;
    case ControlCommand::kMulti:
      if (is_in_multi_) {
        RefuseQueue("ERR MULTI calls can not be nested", reply);
        break;
      }
      is_in_multi_ = true;
      multi_collection_ = client_.collection;
      client_.info->SetQueuedCount(0);
      reply.Ok();
      break;
    case ControlCommand::kExec: return RunExec(reply);
    case ControlCommand::kDiscard:
      if (!is_in_multi_) {
        RefuseQueue("ERR DISCARD without MULTI", reply);
        break;
      }
      EndMulti();
      client_.Unwatch();
      reply.Ok();
      break;
    case ControlCommand::kWatch:
      if (is_in_multi_) {
        RefuseQueue("ERR WATCH inside MULTI is not allowed", reply);
      } else if (client_.watched_key_count + args.size() > kWatchedKeyCountMax) {
        RefuseQueue("ERR too many watched keys", reply);
      } else {
        client_.Watch(args.subspan(1));
        reply.Ok();
      }
      break;
    case ControlCommand::kQuit:
      reply.Ok();
      client_.is_closing = true;
      return Step::kStop;
    case ControlCommand::kReset:
      EndMulti();
      client_.Reset();
      parser_.SetTrusted(client_.is_authenticated);
      reply.SimpleString("RESET");
      break;
  }
  return Step::kNext;
}

Conversation::Step Conversation::RunExec(ReplyWriter& reply) {
  if (!is_in_multi_) {
    RefuseQueue("ERR EXEC without MULTI", reply);
    return Step::kNext;
  }
  if (is_multi_broken_) {
    EndMulti();
    client_.Unwatch();
    RefuseQueue("EXECABORT Transaction discarded because of previous errors.", reply);
    return Step::kNext;
  }
  is_exec_ = true;
  is_in_multi_ = false;
  client_.info->SetQueuedCount(-1);
  const WatchSet* watches = client_.watched_key_count > 0 ? client_.watches.get() : nullptr;
  Batch();
  is_suspended_ = true;  // before the submission: its end may be reported at once
  batch_->SubmitExec(client_.version, watches);
  return Step::kStop;
}

void Conversation::Resume(ByteBuffer& output) {
  SB_CHECK(is_suspended_, "only a suspended conversation is resumed");
  batch_->WriteReplies(client_, output);
  thread_.CountCommands(0, batch_->error_count());
  is_suspended_ = false;
  // Long replies stopped it midway: the rest is submitted by the next Consume, with what comes.
  if (batch_->has_more()) return;
  batch_->Clear();
  if (is_exec_) {
    is_exec_ = false;
    client_.Unwatch();
  }
}

// Refuses a request; inside MULTI that dooms the transaction.
void Conversation::Reject(std::string_view text, ReplyWriter& reply) {
  is_multi_broken_ = is_multi_broken_ || is_in_multi_;
  RefuseQueue(text, reply);
}

// Answers an error that does not doom the transaction.
void Conversation::RefuseQueue(std::string_view text, ReplyWriter& reply) {
  reply.Error(text);
  ++error_count_;
}

void Conversation::EndMulti() {
  is_in_multi_ = false;
  is_multi_broken_ = false;
  multi_collection_ = nullptr;
  client_.info->SetQueuedCount(-1);
  if (batch_ != nullptr) batch_->Clear();
}

CommandBatch& Conversation::Batch() {
  if (batch_ == nullptr) batch_ = std::make_unique<CommandBatch>(environment_, listener_);
  return *batch_;
}

bool Conversation::HasGathered() const {
  return !is_in_multi_ && batch_ != nullptr && batch_->command_count() > 0;
}

Conversation::Step Conversation::Suspend() {
  is_suspended_ = true;
  batch_->SubmitGathered(client_.version);
  return Step::kWait;
}

}  // namespace switchback
