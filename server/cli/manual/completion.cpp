#include "server/cli/manual/completion.hpp"

namespace switchback {
namespace {

// NAME() { case "$1:$2" in PLACE|PLACE) return 0 ;; esac; return 1; }
std::string Membership(const std::string& name, const std::vector<std::string>& places) {
  std::string text = name + "() {\n  case \"$1:$2\" in\n";
  for (const std::string& place : places) text += "    " + ShellQuoted(place) + ") return 0 ;;\n";
  return text + "  esac\n  return 1\n}\n";
}

}  // namespace

std::string PlaceOf(const CommandEntry& command, const std::string& word) {
  return command.path + ":" + word;
}

std::string ShellQuoted(const std::string& text) {
  std::string quoted = "'";
  for (const char c : text) {
    if (c == '\'') {
      quoted += "'\\''";
    } else {
      quoted += c;
    }
  }
  return quoted + "'";
}

std::string SharedShellFunctions(const CommandEntry& program) {
  std::vector<std::string> commands, values;
  std::string choices = "_switchback_choices() {\n  case \"$1:$2\" in\n";
  for (const CommandEntry* command : FlattenCommands(program)) {
    for (const CommandEntry& below : command->commands)
      commands.push_back(PlaceOf(*command, below.name));
    for (const OptionEntry& option : command->options) {
      if (option.value.empty()) continue;
      for (const std::string& name : option.names) {
        values.push_back(PlaceOf(*command, name));
        if (option.choices.empty()) continue;
        choices += "    " + ShellQuoted(values.back()) + ") echo";
        for (const std::string& choice : option.choices) choices += " " + ShellQuoted(choice);
        choices += " ;;\n";
      }
    }
  }
  choices += "    *) return 1 ;;\n  esac\n}\n";
  return Membership("_switchback_is_command", commands) +
         Membership("_switchback_takes_value", values) + choices;
}

}  // namespace switchback
