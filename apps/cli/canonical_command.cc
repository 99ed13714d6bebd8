#include "apps/cli/canonical_command.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace ebb {
namespace {

struct DroppedFlag {
  std::string_view name;
  bool takes_value;
};

constexpr std::array kDropped = {
    DroppedFlag{"--output", true},   DroppedFlag{"--force", false},
    DroppedFlag{"--threads", true},  DroppedFlag{"--batch-size", true},
    DroppedFlag{"--profile", false}, DroppedFlag{"--progress", true},
    DroppedFlag{"--json", false},    DroppedFlag{"--no-metadata", false},
    DroppedFlag{"--follow", false},  DroppedFlag{"--part", true},
    DroppedFlag{"--missing", false}, DroppedFlag{"--launcher", true},
    DroppedFlag{"--gray", false},
};

// The flag's name in "--batch_size=5", with the dashes that may be written as '_'.
std::string flag_name(const std::string& argument) {
  std::string name = argument.substr(0, argument.find('='));
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}

// Number of arguments, from this one on, that belong to a flag that changes no pixel.
size_t dropped_arguments(const std::string& argument) {
  if (argument == "-o") return 2;
  if (argument.starts_with("-o")) return 1;  // -oFILE
  if (!argument.starts_with("--")) return 0;
  const std::string name = flag_name(argument);
  const auto* const flag = std::find_if(kDropped.begin(), kDropped.end(),
                                        [&](const DroppedFlag& f) { return f.name == name; });
  if (flag == kDropped.end()) return 0;
  return flag->takes_value && argument.find('=') == std::string::npos ? 2 : 1;
}

}  // namespace

std::vector<std::string> canonical_command(const std::vector<std::string>& argv) {
  std::vector<std::string> result = {"ebb"};
  size_t at = 1;
  for (; at < argv.size() && argv[at] != "--"; ++at) {
    const size_t dropped = dropped_arguments(argv[at]);
    if (dropped == 0) {
      result.push_back(argv[at]);
    } else {
      at += dropped - 1;
    }
  }
  // Behind "--" nothing is a flag.
  for (; at < argv.size(); ++at) result.push_back(argv[at]);
  return result;
}

}  // namespace ebb
