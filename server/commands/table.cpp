#include "server/commands/table.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "common/check.hpp"

namespace switchback {
namespace {

constexpr std::size_t kNameBytesMax = 16;
constexpr std::size_t kSlotCount = 512;  // at least four times the commands: short probes

// Redis cuts what it repeats of a request at this.
constexpr std::size_t kEchoedBytesMax = 128;

// A name folded to upper case in two words. Clearing bit 5 folds 'a'..'z' onto 'A'..'Z' and no
// other byte onto a letter, so that it decides equality for names of letters only (checked when the
// table is built).
struct FoldedName {
  std::uint64_t low = 0;
  std::uint64_t high = 0;

  friend bool operator==(const FoldedName&, const FoldedName&) = default;
};

FoldedName Fold(std::string_view name) {
  FoldedName folded;
  char bytes[kNameBytesMax] = {};
  std::memcpy(bytes, name.data(), name.size());
  std::memcpy(&folded.low, bytes, 8);
  std::memcpy(&folded.high, bytes + 8, 8);
  folded.low &= 0xDFDFDFDFDFDFDFDFu;
  folded.high &= 0xDFDFDFDFDFDFDFDFu;
  return folded;
}

std::size_t Slot(const FoldedName& name) {
  const std::uint64_t mixed = (name.low ^ (name.high * 0x9E3779B97F4A7C15u)) * 0xD6E8FEB86659FD93u;
  return static_cast<std::size_t>(mixed >> 55);
}
static_assert(kSlotCount == std::size_t{1} << (64 - 55));

class Table {
 public:
  Table() {
    for (const auto group : {StringReadCommands(), StringWriteCommands(), CounterCommands(),
                             KeyspaceReadCommands(), KeyspaceWriteCommands(), TransactionCommands(),
                             ConnectionCommands(), ServerCommands(), ExpiryCommands()}) {
      for (const Command& command : group) Add(command);
    }
    std::sort(all_.begin(), all_.end(),
              [](const Command* a, const Command* b) { return a->name < b->name; });
    SB_CHECK(all_.size() * 4 <= kSlotCount, "the command table is sparse");
  }

  [[nodiscard]] const Command* Find(std::string_view name) const {
    if (name.empty() || name.size() > kNameBytesMax) return nullptr;
    const FoldedName folded = Fold(name);
    for (std::size_t slot = Slot(folded);; slot = (slot + 1) % kSlotCount) {
      const Entry& entry = entries_[slot];
      if (entry.command == nullptr) return nullptr;
      if (entry.name == folded && entry.command->name.size() == name.size()) return entry.command;
    }
  }
  [[nodiscard]] const std::vector<const Command*>& all() const { return all_; }

 private:
  struct Entry {
    FoldedName name;
    const Command* command = nullptr;
  };

  void Add(const Command& command) {
    SB_CHECK(std::all_of(command.name.begin(), command.name.end(),
                         [](char c) { return c >= 'a' && c <= 'z'; }),
             "a command's name is made of lower-case letters");
    SB_CHECK(Find(command.name) == nullptr, "a command's name is in the table once");
    std::size_t slot = Slot(Fold(command.name));
    while (entries_[slot].command != nullptr) slot = (slot + 1) % kSlotCount;
    entries_[slot] = {Fold(command.name), &command};
    all_.push_back(&command);
  }

  std::array<Entry, kSlotCount> entries_;
  std::vector<const Command*> all_;
};

const Table& TheTable() {
  static const Table table;
  return table;
}

// As C's "%.*s" prints it: up to the first NUL.
std::string_view Printable(std::string_view text, std::size_t bytes_max) {
  text = text.substr(0, bytes_max);
  return text.substr(0, text.find('\0'));
}

std::string UnknownCommandText(Arguments args) {
  std::string text = "unknown command '";
  text.append(Printable(args[0], kEchoedBytesMax)).append("', with args beginning with: ");
  std::string echoed;
  for (std::size_t i = 1; i < args.size() && echoed.size() < kEchoedBytesMax; ++i) {
    const std::size_t room = kEchoedBytesMax - echoed.size();
    echoed.append("'").append(Printable(args[i], room)).append("' ");
  }
  return text + echoed;
}

std::string UnknownSubcommandText(const Command& container, std::string_view name) {
  std::string text = "unknown subcommand '";
  text.append(Printable(name, kEchoedBytesMax)).append("'. Try ");
  for (const char c : container.name) text += static_cast<char>(c - 'a' + 'A');
  return text + " HELP.";
}

}  // namespace

const Command* FindCommand(std::string_view name) {
  static const Table& table = TheTable();
  return table.Find(name);
}

const Command* FindSubcommand(const Command& container, std::string_view name) {
  for (const Command& command : container.subcommands) {
    // "client|id": what stands behind the bar.
    if (EqualsIgnoringCase(command.name.substr(container.name.size() + 1), name)) return &command;
  }
  return nullptr;
}

AccessRole RoleFor(const Command& command) {
  const bool is_emptying = command.name == "flushdb" || command.name == "flushall";
  if (is_emptying || command.Has(kFlagAdmin)) return AccessRole::kAdmin;
  return command.write != nullptr ? AccessRole::kOperator : AccessRole::kViewer;
}

const std::vector<const Command*>& AllCommands() {
  return TheTable().all();
}

bool EqualsIgnoringCase(std::string_view a, std::string_view b) {
  const auto fold = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](char x, char y) { return fold(x) == fold(y); });
}

ResolvedCommand ResolveCommand(Arguments args) {
  SB_CHECK(!args.empty(), "a request has a name");
  const Command* command = FindCommand(args[0]);
  if (command == nullptr) return {nullptr, UnknownCommandText(args)};
  if (!command->subcommands.empty() && args.size() > 1) {
    const Command* subcommand = FindSubcommand(*command, args[1]);
    if (subcommand == nullptr) return {nullptr, UnknownSubcommandText(*command, args[1])};
    command = subcommand;
  }
  if (!command->TakesArgumentCount(args.size())) {
    std::string error = "wrong number of arguments for '";
    return {nullptr, error.append(command->name).append("' command")};
  }
  return {command, {}};
}

}  // namespace switchback
