#include "apps/ebb/rerun_flags.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "apps/cli/cli.h"

namespace ebb {
namespace {

constexpr const char* kOutput = "--redraw-to";
constexpr const char* kImage = "--redraw-picture";
constexpr const char* kAnimation = "--redraw-gif";

}  // namespace

void add_rerun_flags(Command command, RerunFlags& flags) {
  command.add_option(kOutput, flags.output, "").hidden();
  add_integer(command, kImage, flags.image, 0, INT32_MAX, "").hidden();
  command.add_flag(kAnimation, flags.animation, "").hidden();
}

std::vector<std::string> with_rerun_flags(std::vector<std::string> arguments,
                                          const RerunFlags& flags) {
  std::vector<std::string> added = {kOutput, flags.output, kImage, std::to_string(flags.image)};
  if (flags.animation) added.push_back(kAnimation);
  // Behind the command's name: what stands at the end might follow a "--".
  arguments.insert(arguments.begin() + 2, added.begin(), added.end());
  return arguments;
}

bool is_sampling_command(const std::string& name) {
  constexpr std::array<std::string_view, 10> kCommands = {"sample", "forward", "blur",    "denoise",
                                                          "edit",   "inpaint", "anagram", "hybrid",
                                                          "draw",   "plot"};
  return std::find(kCommands.begin(), kCommands.end(), name) != kCommands.end();
}

}  // namespace ebb
