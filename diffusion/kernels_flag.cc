#include "diffusion/kernels_flag.h"

#include <algorithm>

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "kernels/cpu/conv_plan.h"

namespace ebb {

Flag add_kernels_flag(Command command) {
  static std::string none;
  return add_kernels_flag(command, {}, none);
}

Flag add_kernels_flag(Command command, const std::vector<std::string>& more, std::string& chosen) {
  std::string names = "default, direct";
  for (const std::string& name : more) names += ", " + name;
  const auto read = [more, names, &chosen](const std::string& name) {
    const bool is_extra = std::find(more.begin(), more.end(), name) != more.end();
    EBB_CHECK(is_extra || name == "default" || name == "direct", UsageError, "--kernels ",
              terminal_safe(name), ": must be one of ", names);
    cpu::set_conv_algorithms(name == "direct" ? cpu::ConvAlgorithms::kDirectOnly
                                              : cpu::ConvAlgorithms::kDefault);
    chosen = is_extra ? name : "";
  };
  return command
      .add_option_function("--kernels", read,
                           "convolution kernels: default, or direct to turn Winograd off" +
                               (more.empty() ? "" : " (" + names + ")"))
      .type_name("NAME");
}

std::string kernels_in_use() {
  return cpu::conv_algorithms() == cpu::ConvAlgorithms::kDirectOnly ? "direct" : "default";
}

}  // namespace ebb
