#include "kernels/kernel_table.h"

namespace ebb {

const KernelTable& cuda_kernels() {
  static const KernelTable table = {.name = "cuda"};
  return table;
}

}  // namespace ebb
