#include "kernels/kernel_table.h"
#include "kernels/simt.h"

namespace ebb {

#if defined(__CUDACC__)
const KernelTable& cuda_kernels() {
  static const KernelTable table = {.name = "cuda"};
  return table;
}
#else
const KernelTable& emu_kernels() {
  static const KernelTable table = {.name = "emu"};
  return table;
}
#endif

}  // namespace ebb
