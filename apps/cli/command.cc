#include "apps/cli/command.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <map>

#include "apps/cli/command_notes.h"
#include "base/closest_name.h"
#include "base/error.h"
#include "base/text.h"

namespace ebb {
namespace {

// CLI11's command with ebb's notes on it and on its flags.
class NotedApp : public CLI::App {
 public:
  NotedApp(const std::string& description, const std::string& name, CLI::App* parent)
      : CLI::App(description, name, parent) {
    if (parent == nullptr) set_help_flag("-h,--help", "Print this help");
    option_defaults()->group(kOptionGroup);
  }

  CommandNotes notes;
  std::map<const CLI::Option*, FlagNotes> flag_notes;  // by address; never moved
};

// Every command of a Program is one.
NotedApp& noted(CLI::App& app) { return static_cast<NotedApp&>(app); }

// The long name among "-s,--seed", else the last one.
std::string flag_of(const std::string& names) {
  const size_t found = names.find("--");
  if (found == std::string::npos) return names.substr(names.rfind(',') + 1);
  return names.substr(found, names.find(',', found) - found);
}

std::string choice_suggestion(const std::string& text, const std::vector<std::string>& choices) {
  const std::string suggestion = did_you_mean(text, choices);
  return suggestion.empty() ? "" : "." + suggestion;
}

// `value` is a T or a std::optional<T>.
template <typename T, typename Value>
Flag add_value(Command command, const std::string& names, Value& value, T low, T high,
               const char* type, const std::string& help) {
  const auto read = [&value, low, high, flag = flag_of(names)](const std::string& text) {
    T parsed{};
    const char* end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, parsed);
    // NaN fails the comparisons.
    const bool valid = error == std::errc() && rest == end && parsed >= low && parsed <= high;
    EBB_CHECK(valid, UsageError, flag, " ", terminal_safe(text), ": must be ",
              std::is_integral_v<T> ? "" : "a number from ", low,
              std::is_integral_v<T> ? ".." : " to ", high);
    value = parsed;
  };
  constexpr double kTelling = 1e12;  // larger bounds say nothing
  const bool tells = low > -kTelling && high < kTelling;
  const std::string range = tells ? cat(" ", low, "..", high) : "";
  return command.add_option_function(names, read, help).type_name(type + range);
}

}  // namespace

CommandNotes& notes_of(const CLI::App& app) { return noted(const_cast<CLI::App&>(app)).notes; }

Flag Flag::required(bool required) {
  option_->required(required);
  return *this;
}

Flag Flag::excludes(Flag other) {
  option_->excludes(other.option_);
  return *this;
}

Flag Flag::needs(Flag other) {
  option_->needs(other.option_);
  return *this;
}

Flag Flag::value_optional() {
  option_->expected(0, 1);
  return *this;
}

Flag Flag::last_counts() {
  option_->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  return *this;
}

Flag Flag::or_environment(const std::string& variable) {
  option_->envname(variable);
  return *this;
}

Flag Flag::type_name(const std::string& name) {
  option_->type_name(name);
  return *this;
}

Flag Flag::show_default() {
  option_->capture_default_str();
  return *this;
}

Flag Flag::default_text(const std::string& text) {
  option_->default_str(text);
  return *this;
}

Flag Flag::hidden() { return group(""); }

Flag Flag::group(const std::string& name) {
  option_->group(name);
  return *this;
}

Flag Flag::takes(FlagValue value) {
  notes_->value = value;
  return *this;
}

Flag Flag::list() {
  notes_->is_list = true;
  return *this;
}

Flag Flag::also(const std::string& word, const std::string& choice) {
  (*notes_->aliases)[word] = choice;
  return *this;
}

bool Flag::given() const { return option_->count() > 0; }

std::vector<std::string> Flag::values() const { return option_->results(); }

Command Command::add_subcommand(const std::string& name, const std::string& description) {
  return Command(*app_->add_subcommand(std::make_shared<NotedApp>(description, name, app_)));
}

void Command::alias(const std::string& name) { app_->alias(name); }

void Command::require_subcommand() { app_->require_subcommand(1); }

void Command::start_group(const std::string& name) { app_->option_defaults()->group(name); }

void Command::example(const std::string& line, const std::string& what) {
  noted(*app_).notes.examples.push_back({line, what});
}

void Command::family(const std::string& name) { noted(*app_).notes.family = name; }

void Command::hide() { app_->group(""); }

void Command::bare_word(const std::string& flag) { noted(*app_).notes.bare_word = flag; }

void Command::callback(std::function<void()> run) { app_->callback(std::move(run)); }

Flag Command::add_option(const std::string& names, std::string& value, const std::string& help) {
  CLI::Option& option = *app_->add_option(names, value, help);
  return {option, notes_of(option)};
}

Flag Command::add_option(const std::string& names, std::vector<std::string>& values,
                         const std::string& help) {
  CLI::Option& option = *app_->add_option(names, values, help);
  return {option, notes_of(option)};
}

Flag Command::add_flag(const std::string& names, bool& value, const std::string& help) {
  CLI::Option& option = *app_->add_flag(names, value, help);
  return {option, notes_of(option)};
}

Flag Command::add_option_function(const std::string& names,
                                  const std::function<void(const std::string&)>& read,
                                  const std::string& help) {
  CLI::Option& option = *app_->add_option_function<std::string>(names, read, help);
  return {option, notes_of(option)};
}

Flag Command::option(const std::string& name) const {
  CLI::Option& option = *app_->get_option(name);
  return {option, notes_of(option)};
}

FlagNotes& Command::notes_of(const CLI::Option& option) const {
  return noted(*app_).flag_notes[&option];
}

Command Command::root() const {
  CLI::App* app = app_;
  while (app->get_parent() != nullptr) app = app->get_parent();
  return Command(*app);
}

std::optional<Command> Command::subcommand(const std::string& name_or_alias) const {
  for (CLI::App* command : app_->get_subcommands([](CLI::App*) { return true; })) {
    if (command->check_name(name_or_alias)) return Command(*command);
  }
  return std::nullopt;
}

std::vector<std::string> Command::subcommand_names() const {
  std::vector<std::string> names;
  for (const CLI::App* command : app_->get_subcommands([](CLI::App*) { return true; })) {
    if (!command->get_group().empty()) names.push_back(command->get_name());
  }
  return names;
}

Program::Program(const std::string& description, const std::string& name)
    : Program(std::make_unique<NotedApp>(description, name, nullptr)) {}

Program::Program(std::unique_ptr<CLI::App> app) : Command(*app), app_(std::move(app)) {}

Program::~Program() = default;

Flag add_integer(Command command, const std::string& names, int64_t& value, int64_t low,
                 int64_t high, const std::string& help) {
  return add_value(command, names, value, low, high, "INT", help);
}

Flag add_integer(Command command, const std::string& names, std::optional<int64_t>& value,
                 int64_t low, int64_t high, const std::string& help) {
  return add_value(command, names, value, low, high, "INT", help);
}

Flag add_number(Command command, const std::string& names, double& value, double low, double high,
                const std::string& help) {
  return add_value(command, names, value, low, high, "NUMBER", help);
}

Flag add_number(Command command, const std::string& names, std::optional<double>& value, double low,
                double high, const std::string& help) {
  return add_value(command, names, value, low, high, "NUMBER", help);
}

Flag add_choice_function(Command command, const std::string& names,
                         const std::vector<std::string>& choices,
                         const std::function<void(const std::string&)>& use,
                         const std::string& help) {
  std::string expected;
  for (const std::string& choice : choices) expected += (expected.empty() ? "" : ", ") + choice;
  const auto aliases = std::make_shared<std::map<std::string, std::string>>();
  const auto read = [choices, use, expected, aliases,
                     flag = flag_of(names)](const std::string& text) {
    const auto alias = aliases->find(text);
    const std::string* choice = same_name(alias == aliases->end() ? text : alias->second, choices);
    EBB_CHECK(choice != nullptr, UsageError, flag, " ", terminal_safe(text), ": must be one of ",
              expected, choice_suggestion(text, choices));
    use(*choice);
  };
  CLI::App& app = command.app();
  CLI::Option& option = *app.add_option_function<std::string>(names, read, help + ": " + expected);
  FlagNotes& notes = command.notes_of(option);
  notes.choices = choices;
  notes.aliases = aliases;
  return Flag(option, notes).type_name("NAME");
}

Flag add_choice(Command command, const std::string& names, std::string& value,
                const std::vector<std::string>& choices, const std::string& help) {
  return add_choice_function(
      command, names, choices, [&value](const std::string& text) { value = text; }, help);
}

Flag add_choice(Command command, const std::string& names, std::optional<std::string>& value,
                const std::vector<std::string>& choices, const std::string& help) {
  return add_choice_function(
      command, names, choices, [&value](const std::string& text) { value = text; }, help);
}

Flag add_bytes(Command command, const std::string& names, uint64_t& value,
               const std::string& help) {
  CLI::Option& option = *command.app().add_option(names, value, help);
  option.transform(CLI::AsSizeValue(/*kb_is_1000=*/false).description(""));
  return Flag(option, command.notes_of(option)).type_name("BYTES");
}

}  // namespace ebb
