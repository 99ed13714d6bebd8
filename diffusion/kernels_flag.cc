#include "diffusion/kernels_flag.h"

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "kernels/cpu/conv_plan.h"

namespace ebb {

Flag add_kernels_flag(Command command) {
  const auto read = [](const std::string& name) {
    EBB_CHECK(name == "default" || name == "direct", UsageError, "--kernels ", terminal_safe(name),
              ": must be one of default, direct");
    cpu::set_conv_algorithms(name == "direct" ? cpu::ConvAlgorithms::kDirectOnly
                                              : cpu::ConvAlgorithms::kDefault);
  };
  return command
      .add_option_function("--kernels", read,
                           "convolution kernels: default, or direct to turn Winograd off")
      .type_name("NAME");
}

std::string kernels_in_use() {
  return cpu::conv_algorithms() == cpu::ConvAlgorithms::kDirectOnly ? "direct" : "default";
}

}  // namespace ebb
