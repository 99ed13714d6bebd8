#include "kernels/kernel_table.h"
#include "kernels/simt/simt.h"

namespace ebb {
namespace EBB_GPU_NAMESPACE {

#define EBB_KERNEL(kernel, Args) void kernel(const Args&, KernelStream);
#define EBB_QUERY(query, Fn) Fn query;
#define EBB_CPU_ONLY(line)
#include "kernels/kernels.def"

namespace {

constexpr KernelTable make_table(const char* name) {
  KernelTable table;
  table.name = name;
#define EBB_KERNEL(kernel, Args) table.kernel.fn = kernel;
#define EBB_QUERY(query, Fn) table.query.fn = query;
#define EBB_CPU_ONLY(line)
#include "kernels/kernels.def"
  return table;
}

}  // namespace
}  // namespace EBB_GPU_NAMESPACE

#if defined(__CUDACC__)
const KernelTable& cuda_kernels() {
  static constexpr KernelTable kTable = cuda::make_table("cuda");
  return kTable;
}
#else
const KernelTable& emu_kernels() {
  static constexpr KernelTable kTable = emu::make_table("emu");
  return kTable;
}
#endif

}  // namespace ebb
