// The program's commands and options as plain data: what manual pages and shell completions are
// made from. It is read from the same objects that parse the command line and print --help, so that
// none of them can differ from another.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace switchback {

struct OptionEntry {
  std::vector<std::string> names;    // "-h", "--help"; of a positional its one name, "ID"
  std::string value;                 // what follows it, "TEXT"; "" for a flag
  std::vector<std::string> choices;  // the only values that it takes; empty: any
  std::string description;
  bool is_required = false;
};

struct CommandEntry {
  std::string name;  // "create"
  std::string path;  // without the program's name: "backup create", "" for the program itself
  std::string description;
  std::string footer;  // lines as --help ends with; "" when it is that of the command above it
  std::vector<OptionEntry> options, positionals;
  std::vector<CommandEntry> commands;
};

// Of `app` and everything below it, in the order of --help, which hides what has no group.
CommandEntry DescribeCommands(const CLI::App& app);

// Every entry of the tree, each before those below it. They live as long as `root`.
std::vector<const CommandEntry*> FlattenCommands(const CommandEntry& root);

// "[OPTIONS] ID", "COMMAND ...": what follows the command in its usage.
std::string UsageOf(const CommandEntry& command);

}  // namespace switchback
