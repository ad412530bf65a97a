// What a command is: a name, an arity, flags for clients that ask (COMMAND), and one handler. A
// handler is written once against what it needs: a RecordReader, a Transaction, or the client's own
// state. It appends exactly one reply, or returns an Error that becomes the reply; then whatever it
// wrote, to the reply or to the transaction, is taken back by its caller.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "backends/collection.hpp"
#include "common/result.hpp"
#include "server/resp/reply.hpp"
#include "service/transaction.hpp"

namespace switchback {

struct Client;
struct CommandEnvironment;
class Session;

// The command's name first. Valid during the call only.
using Arguments = std::span<const std::string_view>;

struct CommandContext {
  Arguments args;
  const Collection& collection;  // the one that the client has selected
  ReplyWriter& reply;
  CommandEnvironment& environment;
  // Not null when the reader is a session that may give its snapshot back midway (KEYS).
  Session* session = nullptr;
};

using ReadHandler = Status (*)(RecordReader&, CommandContext&);
using WriteHandler = Status (*)(Transaction&, CommandContext&);
using ClientHandler = Status (*)(Client&, CommandContext&);

// Commands that steer the conversation itself; resp/conversation knows them.
enum class ControlCommand : std::uint8_t { kNone, kMulti, kExec, kDiscard, kWatch, kQuit, kReset };

// What COMMAND tells clients, in Redis's words, and what the dispatcher obeys.
enum CommandFlag : std::uint16_t {
  kFlagWrite = 1 << 0,
  kFlagReadOnly = 1 << 1,
  kFlagDenyOom = 1 << 2,
  kFlagAdmin = 1 << 3,
  kFlagNoScript = 1 << 4,
  kFlagLoading = 1 << 5,
  kFlagStale = 1 << 6,
  kFlagFast = 1 << 7,
  kFlagNoAuth = 1 << 8,   // allowed before AUTH
  kFlagNoMulti = 1 << 9,  // refused between MULTI and EXEC
  kFlagSlow = 1 << 10,    // ours: outside MULTI it runs on the slow lane, not on an io thread
};

struct Command {
  std::string_view name;  // lower case; "client|id" for a subcommand
  int arity;              // with the name; negative: at least so many (Redis's convention)
  unsigned flags;
  // Positions of keys among the arguments, for cluster clients: first, last (-1 = the last
  // argument), step; 0 = none.
  int first_key = 0;
  int last_key = 0;
  int key_step = 0;
  std::string_view group;
  std::string_view since;  // the Redis version whose behaviour this is
  std::string_view summary;
  // One of these is set, except for a container of subcommands.
  ReadHandler read = nullptr;
  WriteHandler write = nullptr;
  ClientHandler client = nullptr;
  ControlCommand control = ControlCommand::kNone;
  std::span<const Command> subcommands = {};

  [[nodiscard]] bool Has(CommandFlag flag) const { return (flags & flag) != 0; }
  [[nodiscard]] bool TakesArgumentCount(std::size_t count) const {
    return arity >= 0 ? count == static_cast<std::size_t>(arity)
                      : count >= static_cast<std::size_t>(-arity);
  }
};

}  // namespace switchback
