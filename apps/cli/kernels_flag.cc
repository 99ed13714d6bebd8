#include "apps/cli/kernels_flag.h"

#include "kernels/conv/cpu/conv_plan.h"

namespace ebb {

Flag add_kernels_flag(Command command, const std::vector<std::string>& more, std::string* chosen) {
  std::vector<std::string> names{"default", "direct"};
  names.insert(names.end(), more.begin(), more.end());
  const auto use = [chosen](const std::string& name) {
    const bool is_direct = name == "direct", is_extra = !is_direct && name != "default";
    cpu::set_conv_algorithms(is_direct ? cpu::ConvAlgorithms::kDirectOnly
                                       : cpu::ConvAlgorithms::kDefault);
    if (chosen != nullptr) *chosen = is_extra ? name : "";
  };
  return add_choice_function(command, "--kernels", names, use,
                             "convolution kernels (direct turns Winograd off)");
}

std::string kernels_in_use() {
  return cpu::conv_algorithms() == cpu::ConvAlgorithms::kDirectOnly ? "direct" : "default";
}

}  // namespace ebb
