#include "apps/cli/completion.h"

#include <algorithm>

#include "base/error.h"
#include "base/text.h"

namespace ebb {
namespace {

constexpr const char* kImageEndings = "png jpg jpeg webp gif bmp ppm pgm pbm pnm tga";
constexpr const char* kWeightEndings = "safetensors";

std::string joined(const std::vector<std::string>& words, const char* between) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : between) + word;
  return text;
}

// A word in single quotes, for all three shells.
std::string quote(const std::string& text) {
  std::string result = "'";
  for (const char c : text) result += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return result + "'";
}

// Name of a shell function: "_train_mnist".
std::string function_of(const CommandRecord& program) { return "_" + program.name; }

std::vector<const FlagRecord*> arguments_of(const CommandRecord& command) {
  std::vector<const FlagRecord*> arguments;
  for (const FlagRecord& flag : command.flags) {
    if (flag.is_argument) arguments.push_back(&flag);
  }
  return arguments;
}

std::string all_flags(const CommandRecord& command) {
  std::string text;
  for (const FlagRecord& flag : command.flags) {
    if (!flag.is_argument) text += (text.empty() ? "" : " ") + joined(flag.names, " ");
  }
  return text;
}

// ---- bash

constexpr const char* kBashFiles =
    R"bash(# _ebb_files ENDING...: files with these endings (none: all), and directories
_ebb_files() {
  local IFS=$'\n' ending
  compopt -o filenames 2> /dev/null
  if [ $# -eq 0 ]; then
    COMPREPLY+=($(compgen -f -- "$cur"))
    return
  fi
  COMPREPLY+=($(compgen -d -- "$cur"))
  for ending in "$@"; do COMPREPLY+=($(compgen -f -X "!*.$ending" -- "$cur")); done
}

_ebb_models() {
  COMPREPLY+=($(compgen -W "$(ebb models --names 2> /dev/null)" -- "$cur"))
  _ebb_files safetensors
}
)bash";

std::string bash_value(const FlagRecord& flag) {
  if (!flag.choices.empty()) {
    return cat("COMPREPLY=($(compgen -W ", quote(joined(flag.choices, " ")), " -- \"$cur\"))");
  }
  switch (flag.value) {
    case FlagValue::kModel:
      return "_ebb_models";
    case FlagValue::kImage:
      return cat("_ebb_files ", kImageEndings);
    case FlagValue::kWeights:
      return cat("_ebb_files ", kWeightEndings);
    case FlagValue::kFile:
      return "_ebb_files";
    case FlagValue::kDirectory:
      return "compopt -o filenames 2> /dev/null; COMPREPLY=($(compgen -d -- \"$cur\"))";
    case FlagValue::kText:
      break;
  }
  return ":";
}

// Completion behind `command`: values of flags, then flags or arguments.
std::string bash_command(const CommandRecord& command, const std::string& indent) {
  std::string text = indent + "case $prev in\n";
  for (const FlagRecord& flag : command.flags) {
    if (flag.is_argument || !flag.takes_value()) continue;
    text += cat(indent, joined(flag.names, "|"), ") ", bash_value(flag), "; return ;;\n");
  }
  text += indent + "esac\n" + indent + "case $cur in\n";
  text +=
      cat(indent, "-*) COMPREPLY=($(compgen -W ", quote(all_flags(command)), " -- \"$cur\")) ;;\n");
  const auto arguments = arguments_of(command);
  if (!arguments.empty()) text += cat(indent, "*) ", bash_value(*arguments.front()), " ;;\n");
  return text + indent + "esac\n";
}

std::string bash_commands(const CommandRecord& program) {
  std::vector<std::string> names;
  for (const CommandRecord& command : program.commands) names.push_back(command.last_name());
  std::string text =
      cat("  local command= i\n"
          "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
          "    case ${COMP_WORDS[i]} in -*) ;; *) command=${COMP_WORDS[i]}; break ;; esac\n"
          "  done\n"
          "  case $command in\n"
          "  '')\n"
          "    COMPREPLY=($(compgen -W ",
          quote(joined(names, " ") + " " + all_flags(program)), " -- \"$cur\")) ;;\n");
  for (const CommandRecord& command : program.commands) {
    std::vector<std::string> called = {command.last_name()};
    called.insert(called.end(), command.aliases.begin(), command.aliases.end());
    text += cat("  ", joined(called, "|"), ")\n", bash_command(command, "    "), "    ;;\n");
  }
  return text + "  esac\n";
}

std::string bash_script(const CommandRecord& program) {
  return cat("# Completion of ", program.name, " for bash.\n\n", kBashFiles, "\n",
             function_of(program),
             "() {\n"
             "  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}\n"
             "  COMPREPLY=()\n"
             "  # \"--flag=value\" comes as three words.\n"
             "  if [ \"$cur\" = = ]; then\n"
             "    cur=\n"
             "  elif [ \"$prev\" = = ]; then\n"
             "    prev=${COMP_WORDS[COMP_CWORD - 2]}\n"
             "  fi\n",
             program.commands.empty() ? bash_command(program, "  ") : bash_commands(program),
             "}\n\ncomplete -F ", function_of(program), " ", program.name, "\n");
}

// ---- zsh

// A text inside "[...]" or between the colons of a specification of _arguments.
std::string zsh_text(const std::string& text) {
  std::string result;
  for (const char c : text) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') result += '\\';
    result += c;
  }
  return result;
}

std::string zsh_action(const FlagRecord& flag) {
  if (!flag.choices.empty()) return "(" + joined(flag.choices, " ") + ")";
  const auto files = [](const std::string& endings) {
    std::string pattern = endings;
    std::replace(pattern.begin(), pattern.end(), ' ', '|');
    return "_files -g \"*.(" + pattern + ")\"";
  };
  switch (flag.value) {
    case FlagValue::kModel:
      return "_ebb_models";
    case FlagValue::kImage:
      return files(kImageEndings);
    case FlagValue::kWeights:
      return files(kWeightEndings);
    case FlagValue::kFile:
      return "_files";
    case FlagValue::kDirectory:
      return "_files -/";
    case FlagValue::kText:
      break;
  }
  return " ";
}

std::string zsh_specification(const FlagRecord& flag) {
  const std::string message = zsh_text(flag.takes_value() ? flag.type : "");
  if (flag.is_argument) {
    return quote(cat(flag.repeats ? "*" : "", ":", message, ":", zsh_action(flag)));
  }
  std::string excluded = joined(flag.names, " ");
  if (!flag.excludes.empty()) excluded += " " + joined(flag.excludes, " ");
  std::string rest = "[" + zsh_text(flag.help) + "]";
  if (flag.takes_value()) {
    rest += cat(flag.value_optional ? "::" : ":", message, ":", zsh_action(flag));
  }
  const std::string names =
      flag.names.size() == 1 ? flag.names[0] : "{" + joined(flag.names, ",") + "}";
  return flag.repeats ? quote("*") + names + quote(rest)
                      : quote("(" + excluded + ")") + names + quote(rest);
}

std::string zsh_arguments(const CommandRecord& command, const std::string& indent) {
  std::string text = indent + "_arguments -s";
  for (const FlagRecord& flag : command.flags) {
    text += " \\\n" + indent + "  " + zsh_specification(flag);
  }
  return text + "\n";
}

std::string zsh_commands(const CommandRecord& program) {
  std::string list, cases;
  for (const CommandRecord& command : program.commands) {
    list += cat("    ", quote(command.last_name() + ":" + zsh_text(command.description)), "\n");
    std::vector<std::string> called = {command.last_name()};
    called.insert(called.end(), command.aliases.begin(), command.aliases.end());
    cases +=
        cat("    ", joined(called, "|"), ")\n", zsh_arguments(command, "      "), "      ;;\n");
  }
  return cat(
      "  local curcontext=$curcontext state line\n"
      "  local -A opt_args\n"
      "  local -a commands=(\n",
      list,
      "  )\n"
      "  _arguments -C '(-h --help)'{-h,--help}'[Print this help]' "
      "'(-V --version)'{-V,--version}'[Print the version]' '1: :->command' '*:: :->rest'\n"
      "  case $state in\n"
      "  command) _describe command commands ;;\n"
      "  rest)\n"
      "    case $words[1] in\n",
      cases, "    esac\n    ;;\n  esac\n");
}

std::string zsh_script(const CommandRecord& program) {
  const std::string function = function_of(program);
  return cat("#compdef ", program.name, "\n# Completion of ", program.name,
             " for zsh.\n\n"
             "_ebb_models() {\n"
             "  local -a names\n"
             "  names=(${(f)\"$(_call_program models ebb models --names 2> /dev/null)\"})\n"
             "  _alternative 'models:model:compadd -a names' "
             "'files:file:_files -g \"*.safetensors\"'\n"
             "}\n\n",
             function, "() {\n",
             program.commands.empty() ? zsh_arguments(program, "  ") : zsh_commands(program),
             "}\n\nif [ \"$funcstack[1]\" = ", function, " ]; then\n  ", function,
             " \"$@\"\nelse\n  compdef ", function, " ", program.name, "\nfi\n");
}

// ---- fish

std::string fish_value(const FlagRecord& flag) {
  if (!flag.choices.empty()) return " -x -a " + quote(joined(flag.choices, " "));
  switch (flag.value) {
    case FlagValue::kModel:
      return " -r -F -a '(ebb models --names 2>/dev/null)'";
    case FlagValue::kImage:
    case FlagValue::kWeights:
    case FlagValue::kFile:
      return " -r -F";
    case FlagValue::kDirectory:
      return " -x -a '(__fish_complete_directories)'";
    case FlagValue::kText:
      break;
  }
  return " -x";
}

// `condition`: where it holds, as arguments of `complete`.
std::string fish_flag(const CommandRecord& program, const std::string& condition,
                      const FlagRecord& flag) {
  std::string line = cat("complete -c ", program.name, condition);
  if (flag.is_argument) {
    if (flag.value == FlagValue::kText && flag.choices.empty()) return "";
    std::string value = fish_value(flag);
    if (value.starts_with(" -x")) value = " -f" + value.substr(3);
    if (value.starts_with(" -r")) value = value.substr(3);
    return line + value + "\n";
  }
  for (const std::string& name : flag.names) {
    line += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
  }
  return cat(line, flag.takes_value() ? fish_value(flag) : "", " -d ", quote(flag.help), "\n");
}

std::string fish_script(const CommandRecord& program) {
  std::string text =
      cat("# Completion of ", program.name, " for fish.\n\ncomplete -c ", program.name, " -f\n");
  const bool has_commands = !program.commands.empty();
  for (const FlagRecord& flag : program.flags) {
    text += fish_flag(program, has_commands ? " -n __fish_use_subcommand" : "", flag);
  }
  for (const CommandRecord& command : program.commands) {
    const std::string name = command.last_name();
    text += cat("complete -c ", program.name, " -n __fish_use_subcommand -a ", name, " -d ",
                quote(command.description), "\n");
    std::vector<std::string> called = {name};
    called.insert(called.end(), command.aliases.begin(), command.aliases.end());
    const std::string condition =
        " -n " + quote("__fish_seen_subcommand_from " + joined(called, " "));
    for (const FlagRecord& flag : command.flags) text += fish_flag(program, condition, flag);
  }
  return text;
}

}  // namespace

const std::vector<std::string>& shell_names() {
  static const std::vector<std::string> names = {"bash", "zsh", "fish"};
  return names;
}

std::string completion_script(const std::string& shell, const CommandRecord& program) {
  if (shell == "bash") return bash_script(program);
  if (shell == "zsh") return zsh_script(program);
  EBB_CHECK(shell == "fish", Error, "no completion for ", shell);
  return fish_script(program);
}

}  // namespace ebb
