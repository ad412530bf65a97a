#include "server/cli/manual/completion.hpp"

namespace switchback {
namespace {

constexpr const char* kWalk = R"(_switchback() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}
  local command= word choices i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    if _switchback_takes_value "$command" "$word"; then
      ((i++))
    elif _switchback_is_command "$command" "$word"; then
      command=${command:+$command }$word
    fi
  done
  if _switchback_takes_value "$command" "$previous"; then
    # Without choices bash goes on with the names of files.
    choices=$(_switchback_choices "$command" "$previous") || return 0
  else
    choices=$(_switchback_words "$command")
  fi
  COMPREPLY=($(compgen -W "$choices" -- "$current"))
}
complete -o bashdefault -o default -F _switchback switchback
)";

}  // namespace

std::string BashCompletion(const CommandEntry& program) {
  std::string words = "_switchback_words() {\n  case \"$1\" in\n";
  for (const CommandEntry* command : FlattenCommands(program)) {
    words += "    " + ShellQuoted(command->path) + ") echo";
    for (const CommandEntry& below : command->commands) words += " " + below.name;
    for (const OptionEntry& positional : command->positionals)
      for (const std::string& choice : positional.choices) words += " " + ShellQuoted(choice);
    for (const OptionEntry& option : command->options)
      for (const std::string& name : option.names) words += " " + name;
    words += " ;;\n";
  }
  words += "  esac\n}\n";
  return "# bash completion for switchback, made by: switchback completion bash\n" +
         SharedShellFunctions(program) + words + kWalk;
}

}  // namespace switchback
