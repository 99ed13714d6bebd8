#pragma once

#include <string>
#include <vector>

namespace ebb {

class Command;

// The kind of thing that a flag names. A shell completes it accordingly.
enum class FlagValue { kText, kImage, kModel, kWeights, kFile, kDirectory };

// A flag, an option or a positional argument, as help, completions and manuals show it.
struct FlagRecord {
  std::vector<std::string> names;  // "-s", "--seed"; of an argument "files"
  std::string type;                // "INT 0..9"; empty when it takes no value
  std::string help, group, default_text;
  std::vector<std::string> choices;
  std::vector<std::string> excludes;  // long names of other flags
  FlagValue value = FlagValue::kText;
  bool is_argument = false, required = false, repeats = false, value_optional = false;

  bool takes_value() const { return !type.empty(); }
};

struct Example {
  std::string line, what;
};

// A program or one of its commands, without what is hidden.
struct CommandRecord {
  std::string name;    // "ebb sample"
  std::string family;  // heading in the help of the program
  std::string description;
  std::vector<std::string> aliases;
  std::vector<FlagRecord> flags;  // in the order of their groups
  std::vector<Example> examples;
  std::vector<CommandRecord> commands;

  std::string last_name() const { return name.substr(name.rfind(' ') + 1); }
};

// Records of a command and those below it: the one source of help, completions, manuals and
// docs/reference.md.
CommandRecord record_of(const Command& command);

}  // namespace ebb
