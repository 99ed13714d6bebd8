#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "apps/cli/command_record.h"

namespace CLI {
class App;
}

namespace ebb {

// Facts of a flag that CLI11 has no place for.
struct FlagNotes {
  std::vector<std::string> choices;
  // Other words for a choice.
  std::shared_ptr<std::map<std::string, std::string>> aliases;
  FlagValue value = FlagValue::kText;
  bool is_list = false;
};

// The same of a command.
struct CommandNotes {
  std::string family, bare_word;
  std::vector<Example> examples;
};
CommandNotes& notes_of(const CLI::App& app);

}  // namespace ebb
