#include "apps/cli/usage_message.h"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "apps/cli/command_notes.h"
#include "base/closest_name.h"
#include "base/error.h"
#include "base/text.h"

namespace ebb {
namespace {

constexpr size_t kMaxMessage = 2000;  // characters of a message that quotes the command line

// CLI11's message for "--grid=3" when the flag takes no value; the flag's name precedes it.
constexpr const char* kValueOfFlag = " was given a disallowed flag override";

std::string full_name(const CLI::App& app) {
  return app.get_parent() == nullptr ? app.get_name()
                                     : full_name(*app.get_parent()) + " " + app.get_name();
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

bool is_flag(const std::string& word) { return word.size() > 1 && word[0] == '-'; }

std::vector<std::string> flag_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_group().empty()) continue;
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

bool knows_flag(const CLI::App& app, const std::string& flag) {
  return app.get_option_no_throw(flag.substr(0, flag.find('='))) != nullptr;
}

// " Did you mean --prompts 6 9?" for words without a flag, all of them where the flag takes a list.
std::string bare_word_suggestion(const Command& command, const std::vector<std::string>& words) {
  const std::string& flag = notes_of(command.app()).bare_word;
  if (flag.empty()) return "";
  const CLI::Option* option = command.app().get_option_no_throw(flag);
  const bool takes_all = command.notes_of(*option).is_list || option->get_expected_max() > 1;
  std::string shown;
  for (size_t i = 0; i < (takes_all ? words.size() : 1); ++i)
    shown += " " + terminal_safe(words[i]);
  return cat(" Did you mean ", flag, shown, "?");
}

// Words that nothing takes, behind `command`: what is wrong with `word`, one of them.
std::string surplus_message(const Command& command, const std::vector<std::string>& words,
                            const std::string& word) {
  const CLI::App& app = command.app();
  const std::string name = full_name(app), shown = terminal_safe(word);
  const std::string help = cat(" See ", name, " --help.");
  if (is_flag(word)) {
    const std::string flag = word.substr(0, word.find('='));
    return cat(shown, ": unknown flag of ", name, ".", did_you_mean(flag, flag_names(app)), help);
  }
  if (command.root().subcommand(word)) {
    return cat(shown, ": unexpected argument of ", name, ". Give one command at a time.");
  }
  const std::vector<std::string> commands = command.subcommand_names();
  if (!commands.empty()) {
    const std::string suggestion = did_you_mean(word, commands);
    if (!suggestion.empty()) return cat(shown, ": unknown command.", suggestion, help);
    return cat(shown, ": unknown command, expected one of ", joined(commands), ".", help);
  }
  return cat(shown, ": unexpected argument of ", name, ".", bare_word_suggestion(command, words),
             help);
}

// Words before the command: "ebb --threads 1 sample".
std::string misplaced_message(const Command& program, const Command& command,
                              const std::vector<std::string>& words) {
  const auto flag = std::find_if(words.begin(), words.end(), is_flag);
  if (flag == words.end()) return surplus_message(program, words, words.front());
  if (!knows_flag(command.app(), *flag)) return surplus_message(program, words, *flag);
  const std::string name = full_name(command.app());
  return cat(terminal_safe(*flag), ": belongs behind the command. Write ", name, " ",
             terminal_safe(*flag), ".");
}

// The words that the parser rejected; the first unknown flag is what to speak of, but before the
// command the first word, which is no command.
std::string rejected_message(const Command& program, const Command& command) {
  const CLI::App& app = command.app();
  const std::vector<std::string> before = program.app().remaining(/*recurse=*/false);
  if (&app != &program.app() && !before.empty()) {
    return misplaced_message(program, command, before);
  }
  const std::vector<std::string> words = app.remaining(/*recurse=*/true);
  if (words.empty()) return "";
  const auto flag = std::find_if(words.begin(), words.end(), is_flag);
  const bool takes_commands = !command.subcommand_names().empty();
  return surplus_message(command, words,
                         flag == words.end() || takes_commands ? words.front() : *flag);
}

// Numbers with or without commas: "250", ".2,.4", "250,".
bool is_number(const std::string& text) {
  constexpr const char* kDigits = "0123456789";
  return text.find_first_not_of("0123456789.,eE+-") == std::string::npos &&
         text.find_first_of(kDigits) != std::string::npos && text.find_first_of("0123456789.") == 0;
}

bool takes_list(const Command& command, const std::string& word) {
  if (!is_flag(word)) return false;
  const CLI::Option* option = command.app().get_option_no_throw(word);
  return option != nullptr && command.notes_of(*option).is_list;
}

}  // namespace

Command active_command(const Command& program) {
  const auto chosen = program.app().get_subcommands();
  return chosen.empty() ? program : active_command(Command(*chosen.front()));
}

std::string usage_message(const Command& program, const CLI::ParseError& error) {
  const Command command = active_command(program);
  const std::string name = full_name(command.app());
  const bool is_missing = dynamic_cast<const CLI::RequiredError*>(&error) != nullptr;
  const bool is_surplus = dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr;
  if (is_surplus || is_missing) {
    const std::string message = rejected_message(program, command);
    if (!message.empty()) return message;
  }
  const std::string help = cat("See ", name, " --help.");
  const std::vector<std::string> commands = command.subcommand_names();
  if (is_missing && !commands.empty()) {
    return cat(name, ": no command given, expected one of ", joined(commands), ". ", help);
  }
  const std::string text = terminal_safe(error.what(), kMaxMessage);
  if (const size_t end = text.find(kValueOfFlag); end != std::string::npos) {
    return cat("--", text.substr(0, end), ": takes no value. ", help);
  }
  return cat(text.starts_with('-') ? "" : name + ": ", text, ". ", help);
}

std::vector<std::string> normalized_arguments(const Command& program,
                                              std::vector<std::string> arguments) {
  std::vector<std::string> result;
  std::optional<Command> command = program;
  bool only_words = false;
  for (size_t i = 0; i < arguments.size(); ++i) {
    std::string& word = arguments[i];
    only_words = only_words || word == "--";
    if (!only_words && word.starts_with("--")) {
      const auto end = static_cast<int64_t>(std::min(word.find('='), word.size()));
      std::replace(word.begin(), word.begin() + end, '_', '-');
    }
    result.push_back(word);
    if (only_words) continue;
    if (const auto chosen = command->subcommand(word)) {
      command.emplace(*chosen);
    } else if (takes_list(*command, word) && i + 1 < arguments.size()) {
      result.push_back(arguments[++i]);
      if (!is_number(result.back())) continue;
      while (i + 1 < arguments.size() && is_number(arguments[i + 1])) {
        result.back() += (result.back().ends_with(',') ? "" : ",") + arguments[++i];
      }
    }
  }
  return result;
}

}  // namespace ebb
