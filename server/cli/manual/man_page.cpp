#include "server/cli/manual/man_page.hpp"

#include <algorithm>

#include "server/version.hpp"

namespace switchback {
namespace {

// `name` in capitals and without spaces is how man names a page.
std::string Header(std::string name, const std::string& description) {
  std::string title = name;
  std::transform(title.begin(), title.end(), title.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
  return ".TH \"" + EscapeRoff(title) + "\" 1 \"\" \"switchback " + std::string(kVersion) +
         "\" \"Switchback\"\n.SH NAME\n" + EscapeRoff(name) + " \\- " + EscapeRoff(description) +
         "\n";
}

std::string NameOf(const CommandEntry& command) {
  return command.path.empty() ? "switchback" : "switchback " + command.path;
}

std::string Synopsis(const CommandEntry& command) {
  return "\\fB" + EscapeRoff(NameOf(command)) + "\\fR " + EscapeRoff(UsageOf(command)) + "\n";
}

std::string Join(const std::vector<std::string>& words, const char* separator) {
  std::string joined;
  for (const std::string& word : words) joined += (joined.empty() ? "" : separator) + word;
  return joined;
}

std::string OptionText(const OptionEntry& option) {
  std::string text = ".TP\n\\fB" + EscapeRoff(Join(option.names, ", ")) + "\\fR";
  if (!option.value.empty() && option.value != option.names.front()) {
    text += " \\fI" +
            EscapeRoff(option.choices.empty() ? option.value : Join(option.choices, "|")) + "\\fR";
  }
  // An empty line would end the paragraph.
  const std::string& description = option.description;
  return text + "\n" + EscapeRoff(description.empty() ? "." : description) + "\n";
}

std::string OptionTexts(const CommandEntry& command) {
  std::string text;
  for (const OptionEntry& positional : command.positionals) text += OptionText(positional);
  for (const OptionEntry& option : command.options) text += OptionText(option);
  return text;
}

// Footers are laid out by hand, for --help: line by line.
std::string FooterText(const CommandEntry& command) {
  if (command.footer.empty()) return "";
  return ".PP\n.nf\n" + EscapeRoff(command.footer) + "\n.fi\n";
}

std::string SeeAlso(const CommandEntry& program) {
  std::string text = ".SH SEE ALSO\n";
  const char* separator = "";
  for (const CommandEntry& command : program.commands) {
    text += separator;
    text += "\\fBswitchback\\-" + EscapeRoff(command.name) + "\\fR(1)";
    separator = ",\n";
  }
  return text + "\n";
}

}  // namespace

std::string EscapeRoff(std::string_view text) {
  std::string escaped;
  bool is_line_begun = false;
  for (const char c : text) {
    if (!is_line_begun && (c == '.' || c == '\'')) escaped += "\\&";
    is_line_begun = c != '\n';
    switch (c) {
      case '\\': escaped += "\\e"; break;
      case '-': escaped += "\\-"; break;
      case '\'': escaped += "\\(aq"; break;
      case '`': escaped += "\\(ga"; break;
      case '^': escaped += "\\(ha"; break;
      case '~': escaped += "\\(ti"; break;
      case '"': escaped += "\\(dq"; break;
      default: escaped += c;
    }
  }
  return escaped;
}

std::string ManualOfProgram(const CommandEntry& program) {
  std::string page = Header("switchback", program.description);
  page += ".SH SYNOPSIS\n" + Synopsis(program) + ".SH OPTIONS\n" + OptionTexts(program);
  page += ".SH COMMANDS\n";
  for (const CommandEntry& command : program.commands)
    page +=
        ".TP\n\\fB" + EscapeRoff(command.name) + "\\fR\n" + EscapeRoff(command.description) + "\n";
  page += ".SH NOTES\n" + FooterText(program);
  page +=
      ".SH FILES\n.TP\n\\fI/etc/switchback/config.json\\fR\nConfiguration of the service that the "
      "Debian package installs\n.TP\n\\fI/var/lib/switchback\\fR\nIts data\n";
  return page + SeeAlso(program);
}

std::string ManualOfCommand(const CommandEntry& command) {
  std::string page = Header("switchback-" + command.name, command.description);
  page += ".SH SYNOPSIS\n" + Synopsis(command) + ".SH OPTIONS\n" + OptionTexts(command);
  if (!command.commands.empty()) page += ".SH COMMANDS\n";
  for (const CommandEntry* below : FlattenCommands(command)) {
    if (below == &command) continue;
    page += ".SS \"" + EscapeRoff(NameOf(*below)) + "\"\n" + EscapeRoff(below->description) +
            ".\n.PP\n" + Synopsis(*below) + OptionTexts(*below) + FooterText(*below);
  }
  if (!command.footer.empty()) page += ".SH NOTES\n" + FooterText(command);
  return page + ".SH SEE ALSO\n\\fBswitchback\\fR(1)\n";
}

}  // namespace switchback
