#include "server/cli/manual/completion.hpp"

namespace switchback {
namespace {

// `path` is a special variable of zsh.
constexpr const char* kWalk = R"(_switchback() {
  local command= word choices i
  local -a commands options
  for ((i = 2; i < CURRENT; i++)); do
    word=$words[i]
    if _switchback_takes_value "$command" "$word"; then
      ((i++))
    elif _switchback_is_command "$command" "$word"; then
      command=${command:+$command }$word
    fi
  done
  if _switchback_takes_value "$command" "$words[CURRENT-1]"; then
    if choices=$(_switchback_choices "$command" "$words[CURRENT-1]"); then
      compadd -- ${=choices}
    else
      _files
    fi
    return
  fi
  _switchback_entries "$command"
  if [[ $words[CURRENT] == -* ]]; then
    _describe -o option options
  elif (( $#commands )); then
    _describe command commands
  else
    _files
  fi
}
if [[ $funcstack[1] == _switchback ]]; then _switchback "$@"; else compdef _switchback switchback; fi
)";

std::string Entry(const std::string& name, const std::string& description) {
  return " " + ShellQuoted(name + ":" + description);
}

}  // namespace

std::string ZshCompletion(const CommandEntry& program) {
  std::string entries = "_switchback_entries() {\n  case \"$1\" in\n";
  for (const CommandEntry* command : FlattenCommands(program)) {
    entries += "    " + ShellQuoted(command->path) + ")\n      commands=(";
    for (const CommandEntry& below : command->commands)
      entries += Entry(below.name, below.description);
    for (const OptionEntry& positional : command->positionals)
      for (const std::string& choice : positional.choices)
        entries += Entry(choice, positional.description);
    entries += " )\n      options=(";
    for (const OptionEntry& option : command->options)
      for (const std::string& name : option.names) entries += Entry(name, option.description);
    entries += " ) ;;\n";
  }
  entries += "  esac\n}\n";
  return "#compdef switchback\n# zsh completion for switchback, made by: switchback completion "
         "zsh\n" +
         SharedShellFunctions(program) + entries + kWalk;
}

}  // namespace switchback
