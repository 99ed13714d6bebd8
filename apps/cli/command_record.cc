#include "apps/cli/command_record.h"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "apps/cli/command.h"
#include "apps/cli/command_notes.h"

namespace ebb {
namespace {

std::string full_name(const CLI::App& app) {
  return app.get_parent() == nullptr ? app.get_name()
                                     : full_name(*app.get_parent()) + " " + app.get_name();
}

std::vector<std::string> names_of(const CLI::Option& option) {
  if (option.get_positional()) return {option.get_name(true)};
  std::vector<std::string> names;
  for (const std::string& name : option.get_snames()) names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) names.push_back("--" + name);
  return names;
}

std::string upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}

std::string type_of(const CLI::Option& option, FlagValue value) {
  if (option.get_expected_max() == 0) return "";
  const std::string type = option.get_type_name();
  if (type != "TEXT") return type;
  switch (value) {
    case FlagValue::kModel:
      return "MODEL";
    case FlagValue::kDirectory:
      return "DIR";
    case FlagValue::kImage:
    case FlagValue::kWeights:
    case FlagValue::kFile:
      return "FILE";
    case FlagValue::kText:
      break;
  }
  return option.get_positional() ? upper(option.get_name(true)) : type;
}

FlagRecord record_of_flag(const CLI::Option& option, const FlagNotes& notes) {
  FlagRecord record;
  record.names = names_of(option);
  record.type = type_of(option, notes.value);
  record.help = option.get_description();
  record.group = option.get_group();
  record.default_text = option.get_default_str();
  record.choices = notes.choices;
  for (const CLI::Option* other : option.get_excludes()) {
    record.excludes.push_back(names_of(*other).back());
  }
  std::sort(record.excludes.begin(), record.excludes.end());
  record.value = notes.value;
  record.is_argument = option.get_positional();
  record.required = option.get_required();
  record.repeats = notes.is_list || option.get_expected_max() > 1;
  record.value_optional = record.takes_value() && option.get_expected_min() == 0;
  return record;
}

// The groups in the order of their first flags, the common ones last.
std::vector<std::string> group_order(const std::vector<FlagRecord>& flags) {
  std::vector<std::string> groups;
  for (const char* first : {kArgumentGroup, kOptionGroup}) groups.emplace_back(first);
  for (const FlagRecord& flag : flags) {
    if (std::find(groups.begin(), groups.end(), flag.group) == groups.end() &&
        flag.group != kOutputGroup && flag.group != kMachineGroup && flag.group != kHelpGroup) {
      groups.push_back(flag.group);
    }
  }
  for (const char* last : {kOutputGroup, kMachineGroup, kHelpGroup}) groups.emplace_back(last);
  return groups;
}

void sort_by_group(std::vector<FlagRecord>& flags) {
  const std::vector<std::string> groups = group_order(flags);
  const auto place = [&groups](const FlagRecord& flag) {
    return std::find(groups.begin(), groups.end(), flag.group) - groups.begin();
  };
  std::stable_sort(flags.begin(), flags.end(),
                   [&](const FlagRecord& a, const FlagRecord& b) { return place(a) < place(b); });
}

}  // namespace

CommandRecord record_of(const Command& command) {
  const CLI::App& app = command.app();
  const CommandNotes& notes = notes_of(app);
  CommandRecord record;
  record.name = full_name(app);
  record.family = notes.family;
  record.description = app.get_description();
  record.aliases = app.get_aliases();
  record.examples = notes.examples;
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_group().empty()) continue;  // hidden
    record.flags.push_back(record_of_flag(*option, command.notes_of(*option)));
    FlagRecord& flag = record.flags.back();
    if (flag.is_argument) flag.group = kArgumentGroup;
    const std::string& name = flag.names.back();
    if (name == "--help" || name == "--version") flag.group = kHelpGroup;
  }
  sort_by_group(record.flags);
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (sub->get_group().empty()) continue;
    record.commands.push_back(record_of(Command(const_cast<CLI::App&>(*sub))));
  }
  return record;
}

}  // namespace ebb
