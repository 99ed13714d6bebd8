#include "diffusion/commands/redraw_flags.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "diffusion/program/cli.h"

namespace ebb {
namespace {

constexpr const char* kOutput = "--redraw-to";
constexpr const char* kPicture = "--redraw-picture";
constexpr const char* kAnimation = "--redraw-gif";

}  // namespace

void add_redraw_flags(Command command, RedrawFlags& flags) {
  command.add_option(kOutput, flags.output, "").hidden();
  add_integer(command, kPicture, flags.picture, 0, INT32_MAX, "").hidden();
  command.add_flag(kAnimation, flags.animation, "").hidden();
}

std::vector<std::string> with_redraw_flags(std::vector<std::string> arguments,
                                           const RedrawFlags& flags) {
  std::vector<std::string> added = {kOutput, flags.output, kPicture, std::to_string(flags.picture)};
  if (flags.animation) added.push_back(kAnimation);
  // Behind the command's name: what stands at the end might follow a "--".
  arguments.insert(arguments.begin() + 2, added.begin(), added.end());
  return arguments;
}

bool is_drawing_command(const std::string& name) {
  constexpr std::array<std::string_view, 10> kCommands = {"sample", "forward", "blur",    "denoise",
                                                          "edit",   "inpaint", "anagram", "hybrid",
                                                          "draw",   "plot"};
  return std::find(kCommands.begin(), kCommands.end(), name) != kCommands.end();
}

}  // namespace ebb
