#include "apps/cli/help_text.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <sstream>

namespace ebb {
namespace {

constexpr size_t kUsualWidth = 80, kLeast = 40, kMost = 100;
constexpr size_t kFlagColumn = 28, kCommandColumn = 14;  // where help begins
constexpr size_t kIndent = 2;

// `head` at an indent of 2 and `text` beside it from `column` on, wrapped; below it when the head
// is too long.
std::string entry(const std::string& head, const std::string& text, size_t column, size_t width) {
  std::string result = std::string(kIndent, ' ') + head;
  size_t at = result.size();
  const auto new_line = [&] {
    result += "\n" + std::string(column, ' ');
    at = column;
  };
  if (text.empty()) return result + "\n";
  if (at + kIndent > column) {
    new_line();
  } else {
    result += std::string(column - at, ' ');
    at = column;
  }
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    if (at > column && at + 1 + word.size() > width) new_line();
    if (at > column) {
      result += ' ';
      ++at;
    }
    result += word;
    at += word.size();
  }
  return result + "\n";
}

// A paragraph of its own.
std::string paragraph(const std::string& text, size_t width) {
  const std::string lines = entry("", text, 0, width);
  return lines.substr(lines.find_first_not_of(" \n"));
}

std::string commands_text(const CommandRecord& program, size_t width) {
  std::string text, family;
  for (const CommandRecord& command : program.commands) {
    if (command.family != family) {
      family = command.family;
      text += "\n" + family + ":\n";
    }
    text += entry(command.last_name(), command.description, kCommandColumn, width);
  }
  return text;
}

std::string flags_text(const CommandRecord& command, size_t width) {
  std::string text, group;
  // In a narrow terminal the help stands below the flags.
  const size_t column = width < 2 * kFlagColumn ? 3 * kIndent : kFlagColumn;
  for (const FlagRecord& flag : command.flags) {
    if (flag.group != group) {
      group = flag.group;
      text += "\n" + group + ":\n";
    }
    text += entry(heading_of(flag), full_help(flag), column, width);
  }
  return text;
}

}  // namespace

size_t help_width() {
  size_t width = 0;
  if (const char* columns = std::getenv("COLUMNS")) {
    width = static_cast<size_t>(std::max(0, std::atoi(columns)));
  }
  winsize window{};
  if (width == 0 && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0) width = window.ws_col;
  return width == 0 ? kUsualWidth : std::clamp(width, kLeast, kMost);
}

std::string usage_of(const CommandRecord& command) {
  std::string usage = command.name;
  if (!command.commands.empty()) return usage + " COMMAND [FLAGS]";
  for (const FlagRecord& flag : command.flags) {
    if (!flag.is_argument) continue;
    const std::string shown = flag.type + (flag.repeats ? "..." : "");
    usage += flag.required ? " " + shown : " [" + shown + "]";
  }
  return usage + " [FLAGS]";
}

std::string heading_of(const FlagRecord& flag) {
  if (flag.is_argument) return flag.type + (flag.repeats ? "..." : "");
  std::string heading;
  for (const std::string& name : flag.names) heading += (heading.empty() ? "" : ", ") + name;
  if (!flag.takes_value()) return heading;
  return heading + " " + (flag.value_optional ? "[" + flag.type + "]" : flag.type);
}

std::string full_help(const FlagRecord& flag) {
  std::string help = flag.help;
  if (!flag.default_text.empty()) help += " (" + flag.default_text + ")";
  if (flag.required && !flag.is_argument) help += ". Required.";
  return help;
}

std::string help_text(const CommandRecord& command, size_t width) {
  std::string text = paragraph(command.description, width);
  text += "\n" + paragraph("Usage: " + usage_of(command), width);
  text += commands_text(command, width) + flags_text(command, width);
  if (!command.examples.empty()) text += "\nExamples:\n";
  for (const Example& example : command.examples) {
    text += "  " + example.line + "\n" + entry("", example.what, 3 * kIndent, width);
  }
  if (!command.commands.empty()) {
    text += "\n" + paragraph(command.name + " help COMMAND shows the flags of a command.", width);
  }
  return text;
}

}  // namespace ebb
