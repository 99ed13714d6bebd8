#include "kernels/kernel_table.h"

namespace ebb {

namespace cpu {
#define EBB_KERNEL(kernel, Args) void kernel(const Args&, KernelStream);
#define EBB_QUERY(query, Fn) Fn query;
#define EBB_GPU_ONLY(line)
#include "kernels/kernels.def"
}  // namespace cpu

const KernelTable& cpu_kernels() {
  static constexpr KernelTable kTable = [] {
    KernelTable table;
    table.name = "cpu";
#define EBB_KERNEL(kernel, Args) table.kernel.fn = cpu::kernel;
#define EBB_QUERY(query, Fn) table.query.fn = cpu::query;
#define EBB_GPU_ONLY(line)
#include "kernels/kernels.def"
    return table;
  }();
  return kTable;
}

}  // namespace ebb
