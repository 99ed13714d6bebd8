#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apps/cli/command_record.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace ebb {

struct FlagNotes;

// Groups of flags in --help, which shows arguments and options first and these last.
inline constexpr const char* kArgumentGroup = "Arguments";
inline constexpr const char* kOptionGroup = "Options";  // of every flag that is given no other
inline constexpr const char* kOutputGroup = "Output";
inline constexpr const char* kMachineGroup = "Machine";
inline constexpr const char* kHelpGroup = "Help";

// A command line's flags. CLI11 does the work behind these handles but is included by no header: it
// is slow to compile.

// A flag, an option or a positional argument. A handle: copies mean the same flag.
class Flag {
 public:
  Flag(CLI::Option& option, FlagNotes& notes) : option_(&option), notes_(&notes) {}

  Flag required(bool required = true);
  Flag excludes(Flag other);
  Flag needs(Flag other);
  Flag value_optional();  // "--gif" as well as "--gif FILE"
  Flag last_counts();     // may be given more than once
  Flag or_environment(const std::string& variable);
  // A list of numbers: those that follow as words of their own ("-t 250 500") belong to it, too,
  // and arrive as one text with commas.
  Flag list();
  Flag also(const std::string& word, const std::string& choice);  // another word for a choice

  // In --help:
  Flag type_name(const std::string& name);
  Flag show_default();  // the value that the bound variable has now
  Flag default_text(const std::string& text);
  Flag hidden();
  Flag group(const std::string& name);
  Flag takes(FlagValue value);  // TEXT in --help becomes FILE, MODEL or DIR

  // After parsing:
  bool given() const;
  std::vector<std::string> values() const;

 private:
  CLI::Option* option_;
  FlagNotes* notes_;
};

// A program, or one of its subcommands. A handle as well.
class Command {
 public:
  explicit Command(CLI::App& app) : app_(&app) {}

  Command add_subcommand(const std::string& name, const std::string& description);
  void alias(const std::string& name);  // of a subcommand
  void require_subcommand();
  void start_group(const std::string& name);  // of the flags that are added from here on
  void example(const std::string& line, const std::string& what);
  void family(const std::string& name);  // heading of a subcommand in the program's help
  void hide();
  // The flag that a word without one was probably meant for: "ebb sample 7".
  void bare_word(const std::string& flag);
  void callback(std::function<void()> run);  // runs after parsing

  // The variables hold the defaults and must live until the command has run.
  Flag add_option(const std::string& names, std::string& value, const std::string& help);
  Flag add_option(const std::string& names, std::vector<std::string>& values,
                  const std::string& help);
  Flag add_flag(const std::string& names, bool& value, const std::string& help);
  // `read` takes the text of the value and throws UsageError when it is none.
  Flag add_option_function(const std::string& names,
                           const std::function<void(const std::string&)>& read,
                           const std::string& help);
  Flag option(const std::string& name) const;  // one that was added before

  Command root() const;  // the program that a subcommand belongs to
  std::optional<Command> subcommand(const std::string& name_or_alias) const;
  std::vector<std::string> subcommand_names() const;  // without hidden ones

  CLI::App& app() const { return *app_; }
  FlagNotes& notes_of(const CLI::Option& option) const;

 private:
  CLI::App* app_;
};

// Owns what the handles of a program refer to.
class Program : public Command {
 public:
  Program(const std::string& description, const std::string& name);
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  ~Program();

 private:
  explicit Program(std::unique_ptr<CLI::App> app);
  std::unique_ptr<CLI::App> app_;
};

// Options with checked values. Anything but a number in low..high is a UsageError that names the
// flag, the value and the range. An optional without default stays empty until the flag is given.
Flag add_integer(Command command, const std::string& names, int64_t& value, int64_t low,
                 int64_t high, const std::string& help);
Flag add_integer(Command command, const std::string& names, std::optional<int64_t>& value,
                 int64_t low, int64_t high, const std::string& help);
Flag add_number(Command command, const std::string& names, double& value, double low, double high,
                const std::string& help);
Flag add_number(Command command, const std::string& names, std::optional<double>& value, double low,
                double high, const std::string& help);
// One of `choices`, which --help lists.
Flag add_choice(Command command, const std::string& names, std::string& value,
                const std::vector<std::string>& choices, const std::string& help);
Flag add_choice(Command command, const std::string& names, std::optional<std::string>& value,
                const std::vector<std::string>& choices, const std::string& help);
// The same for a flag that does something: `use` gets one of the choices.
Flag add_choice_function(Command command, const std::string& names,
                         const std::vector<std::string>& choices,
                         const std::function<void(const std::string&)>& use,
                         const std::string& help);
// A number of bytes with a unit: 500, 32KiB, 24GB.
Flag add_bytes(Command command, const std::string& names, uint64_t& value, const std::string& help);

}  // namespace ebb
