#include "engine/context.h"

#include "kernels/kernel_table.h"

namespace ebb {

void Context::reject_missing(const char* kernel_name) const {
  throw DeviceError(cat("--device ", kernels_.name, ": kernel ", kernel_name,
                        " is not available on this backend. Use --device cpu"));
}

}  // namespace ebb
