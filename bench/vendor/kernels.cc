#include "bench/vendor/kernels.h"

#include "bench/vendor/api.h"
#include "bench/vendor/handles.h"
#include "bench/vendor/table.h"
#include "bench/vendor/widen.h"

namespace ebb {
namespace {

template <VendorMath kMathOfF32>
struct Nvidia {
  static constexpr VendorMath kMath = kMathOfF32;
  static const KernelTable& ebb() { return cuda_kernels(); }
  static int64_t bytes(const VendorConv& conv, ConvPass pass) {
    return vendor_conv_bytes(conv, pass);
  }
  static void run(const VendorConv& conv, ConvPass pass, const VendorConvPointers& at,
                  KernelStream stream) {
    run_vendor_conv(conv, pass, at, stream);
  }
  static void bias_gradient(const VendorConv& conv, const void* dy, void* db, KernelStream stream) {
    vendor_bias_gradient(conv, dy, db, stream);
  }
  static void widen(DType dtype, const void* from, int64_t count, float* to, KernelStream stream) {
    ebb::widen(dtype, from, count, to, stream);
  }
};

}  // namespace

const KernelTable* vendor_kernels(VendorMath math) {
  if (!vendor_api().missing.empty()) return nullptr;
  static const KernelTable f32 = vendor_table<Nvidia<VendorMath::kF32>>();
  static const KernelTable tf32 = vendor_table<Nvidia<VendorMath::kTf32>>();
  return math == VendorMath::kTf32 ? &tf32 : &f32;
}

std::string vendor_version() {
  const VendorApi& api = vendor_api();
  if (!api.missing.empty()) return api.missing;
  const size_t cudnn = api.cudnnGetVersion();  // 91300 is 9.13.0
  int cublas = 0;                              // 130002 is 13.0.2
  EBB_VENDOR(cublasGetVersion_v2, cublas_on({}), &cublas);
  return cat("cuDNN ", cudnn / 10000, ".", cudnn / 100 % 100, ".", cudnn % 100, ", cuBLAS ",
             cublas / 10000, ".", cublas / 100 % 100, ".", cublas % 100);
}

}  // namespace ebb
