#include "apps/cli/command.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>

#include "base/error.h"
#include "base/text.h"

namespace ebb {
namespace {

// The long name among "-s,--seed", else the last one.
std::string flag_of(const std::string& names) {
  const size_t found = names.find("--");
  if (found == std::string::npos) return names.substr(names.rfind(',') + 1);
  return names.substr(found, names.find(',', found) - found);
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
  return command.add_option_function(names, read, help).type_name(cat(type, " ", low, "..", high));
}

}  // namespace

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

Flag Flag::hidden() {
  option_->group("");
  return *this;
}

bool Flag::given() const { return option_->count() > 0; }

std::vector<std::string> Flag::values() const { return option_->results(); }

Command Command::add_subcommand(const std::string& name, const std::string& description) {
  return Command(*app_->add_subcommand(name, description));
}

void Command::alias(const std::string& name) { app_->alias(name); }

void Command::require_subcommand() { app_->require_subcommand(1); }

void Command::callback(std::function<void()> run) { app_->callback(std::move(run)); }

Flag Command::add_option(const std::string& names, std::string& value, const std::string& help) {
  return Flag(*app_->add_option(names, value, help));
}

Flag Command::add_option(const std::string& names, std::vector<std::string>& values,
                         const std::string& help) {
  return Flag(*app_->add_option(names, values, help));
}

Flag Command::add_flag(const std::string& names, bool& value, const std::string& help) {
  return Flag(*app_->add_flag(names, value, help));
}

Flag Command::add_option_function(const std::string& names,
                                  const std::function<void(const std::string&)>& read,
                                  const std::string& help) {
  return Flag(*app_->add_option_function<std::string>(names, read, help));
}

Flag Command::option(const std::string& name) const { return Flag(*app_->get_option(name)); }

Program::Program(const std::string& description, const std::string& name)
    : Program(std::make_unique<CLI::App>(description, name)) {}

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
  const auto read = [choices, use, expected, flag = flag_of(names)](const std::string& text) {
    EBB_CHECK(std::find(choices.begin(), choices.end(), text) != choices.end(), UsageError, flag,
              " ", terminal_safe(text), ": must be one of ", expected);
    use(text);
  };
  return command.add_option_function(names, read, help + ": " + expected).type_name("NAME");
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
  return Flag(*command.app()
                   .add_option(names, value, help)
                   ->transform(CLI::AsSizeValue(/*kb_is_1000=*/false)));
}

}  // namespace ebb
