// Replaces the other files of this directory in builds without cuDNN.

#include "bench/vendor/kernels.h"

namespace ebb {

const KernelTable* vendor_kernels(VendorMath) { return nullptr; }
std::string vendor_version() { return "not in this build: " EBB_WHY_NO_VENDOR; }

}  // namespace ebb
