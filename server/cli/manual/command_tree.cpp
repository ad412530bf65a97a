#include "server/cli/manual/command_tree.hpp"

#include <CLI/App.hpp>
#include <algorithm>
#include <sstream>
#include <string_view>

namespace switchback {
namespace {

// CLI11 keeps a set of choices only as text: "TEXT:{log,stores}".
std::vector<std::string> ChoicesOf(const std::string& type) {
  const auto begin = type.find('{');
  const auto end = type.find('}');
  std::vector<std::string> choices;
  if (begin == std::string::npos || end == std::string::npos || end < begin) return choices;
  std::istringstream words(type.substr(begin + 1, end - begin - 1));
  for (std::string word; std::getline(words, word, ',');) choices.push_back(word);
  return choices;
}

OptionEntry Describe(const CLI::Option& option) {
  OptionEntry entry;
  for (const std::string& name : option.get_snames()) entry.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) entry.names.push_back("--" + name);
  if (entry.names.empty()) entry.names.push_back(option.get_name(true, false));
  if (option.get_items_expected_max() != 0) {
    const std::string type = option.get_type_name();
    entry.choices = ChoicesOf(type);
    entry.value = type.substr(0, type.find(':'));
    if (entry.value.empty()) entry.value = "VALUE";
  }
  entry.description = option.get_description();
  entry.is_required = option.get_required();
  return entry;
}

CommandEntry Describe(const CLI::App& app, const std::string& path, std::string_view footer_above) {
  CommandEntry entry;
  entry.name = app.get_name();
  entry.path = path;
  entry.description = app.get_description();
  const std::string footer = app.get_footer();
  if (footer != footer_above) entry.footer = footer;
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_group().empty()) continue;
    (option->nonpositional() ? entry.options : entry.positionals).push_back(Describe(*option));
  }
  for (const CLI::App* command : app.get_subcommands({})) {
    if (command->get_group().empty()) continue;
    const std::string below = path.empty() ? command->get_name() : path + " " + command->get_name();
    entry.commands.push_back(Describe(*command, below, footer));
  }
  return entry;
}

void AddFlat(const CommandEntry& entry, std::vector<const CommandEntry*>& entries) {
  entries.push_back(&entry);
  for (const CommandEntry& command : entry.commands) AddFlat(command, entries);
}

}  // namespace

CommandEntry DescribeCommands(const CLI::App& app) {
  return Describe(app, "", "");
}

std::vector<const CommandEntry*> FlattenCommands(const CommandEntry& root) {
  std::vector<const CommandEntry*> entries;
  AddFlat(root, entries);
  return entries;
}

std::string UsageOf(const CommandEntry& command) {
  std::string usage = "[OPTIONS]";
  for (const OptionEntry& positional : command.positionals) {
    const std::string& name = positional.names.front();
    usage += positional.is_required ? " " + name : " [" + name + "]";
  }
  if (!command.commands.empty()) usage += " COMMAND ...";
  return usage;
}

}  // namespace switchback
