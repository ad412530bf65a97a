#include "server/cli/manual/completion.hpp"

namespace switchback {
namespace {

// In single quotes, as fish reads them.
std::string Quoted(const std::string& text) {
  std::string quoted = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "'";
}

constexpr const char* kWalk = R"(# Whether the words before the cursor name the command $argv[1].
function __switchback_at
  set -l tokens (commandline -opc)
  set -l place ''
  set -l is_value 0
  for token in $tokens[2..-1]
    if test $is_value = 1
      set is_value 0
    else if contains -- "$place:$token" $__switchback_values
      set is_value 1
    else if contains -- "$place:$token" $__switchback_commands
      set place (string trim -- "$place $token")
    end
  end
  test "$place" = "$argv[1]"
end
)";

std::string Condition(const CommandEntry& command) {
  return "complete -c switchback -n " + Quoted("__switchback_at \"" + command.path + "\"");
}

std::string Choices(const OptionEntry& option) {
  std::string words;
  for (const std::string& choice : option.choices) words += (words.empty() ? "" : " ") + choice;
  return " -f -a " + Quoted(words);
}

std::string OptionLine(const CommandEntry& command, const OptionEntry& option) {
  std::string line = Condition(command);
  for (const std::string& name : option.names)
    line += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
  if (!option.value.empty()) line += option.choices.empty() ? " -r -F" : " -r" + Choices(option);
  return line + " -d " + Quoted(option.description) + "\n";
}

}  // namespace

std::string FishCompletion(const CommandEntry& program) {
  std::string commands = "set -g __switchback_commands", values = "set -g __switchback_values";
  std::string lines;
  for (const CommandEntry* command : FlattenCommands(program)) {
    for (const CommandEntry& below : command->commands) {
      commands += " " + Quoted(PlaceOf(*command, below.name));
      lines +=
          Condition(*command) + " -f -a " + below.name + " -d " + Quoted(below.description) + "\n";
    }
    for (const OptionEntry& positional : command->positionals)
      if (!positional.choices.empty()) lines += Condition(*command) + Choices(positional) + "\n";
    for (const OptionEntry& option : command->options) {
      lines += OptionLine(*command, option);
      if (option.value.empty()) continue;
      for (const std::string& name : option.names) values += " " + Quoted(PlaceOf(*command, name));
    }
  }
  return "# fish completion for switchback, made by: switchback completion fish\n" + commands +
         "\n" + values + "\n" + kWalk + lines;
}

}  // namespace switchback
