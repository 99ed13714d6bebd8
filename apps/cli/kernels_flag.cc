#include "apps/cli/kernels_flag.h"

namespace ebb {

Flag add_kernels_flag(Command command, std::string& kernels, const std::vector<std::string>& more) {
  std::vector<std::string> names{"default", "direct"};
  names.insert(names.end(), more.begin(), more.end());
  return add_choice(command, "--kernels", kernels, names,
                    "Convolution kernels (direct turns Winograd off)")
      .group(kMachineGroup);
}

}  // namespace ebb
