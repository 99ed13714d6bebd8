#include "bench/vendor/handles.h"

#include <cuda_runtime_api.h>

#include "engine/cuda/cuda_error.h"

namespace ebb {
namespace {

int narrow(int64_t value) { return static_cast<int>(value); }

void describe(cudnnTensorDescriptor_t tensor, int64_t n, int64_t h, int64_t w, int64_t c,
              cudnnDataType_t type) {
  EBB_VENDOR(cudnnSetTensor4dDescriptor, tensor, CUDNN_TENSOR_NHWC, type, narrow(n), narrow(c),
             narrow(h), narrow(w));
}

}  // namespace

cudnnHandle_t cudnn_on(KernelStream stream) {
  static const cudnnHandle_t handle = [] {
    cudnnHandle_t made = nullptr;
    EBB_VENDOR(cudnnCreate, &made);
    return made;  // lives as long as the process: the driver may be gone before its destructors
  }();
  EBB_VENDOR(cudnnSetStream, handle, static_cast<cudaStream_t>(stream.native));
  return handle;
}

cublasHandle_t cublas_on(KernelStream stream) {
  // Memory of our own, because cuBLAS would allocate some during graph capture.
  constexpr size_t kWorkspaceBytes = size_t{32} << 20;
  static void* workspace = nullptr;
  static const cublasHandle_t handle = [] {
    cublasHandle_t made = nullptr;
    EBB_VENDOR(cublasCreate_v2, &made);
    EBB_CHECK_CUDA(cudaMalloc(&workspace, kWorkspaceBytes));
    return made;
  }();
  EBB_VENDOR(cublasSetStream_v2, handle, static_cast<cudaStream_t>(stream.native));
  EBB_VENDOR(cublasSetWorkspace_v2, handle, workspace, kWorkspaceBytes);  // forgotten by the above
  return handle;
}

cudnnDataType_t cudnn_type(DType dtype) {
  return dtype == DType::kF32    ? CUDNN_DATA_FLOAT
         : dtype == DType::kBF16 ? CUDNN_DATA_BFLOAT16
                                 : CUDNN_DATA_HALF;
}

ConvDescriptors::ConvDescriptors(const ConvGeometry& g, cudnnDataType_t type,
                                 cudnnMathType_t math) {
  EBB_VENDOR(cudnnCreateTensorDescriptor, &large);
  EBB_VENDOR(cudnnCreateTensorDescriptor, &small);
  EBB_VENDOR(cudnnCreateFilterDescriptor, &filter);
  EBB_VENDOR(cudnnCreateConvolutionDescriptor, &conv);
  describe(g.transposed ? small : large, g.n, g.h, g.w, g.c, type);
  describe(g.transposed ? large : small, g.n, g.ho, g.wo, g.o, type);
  const int64_t k = g.transposed ? g.c : g.o, c = g.transposed ? g.o : g.c;
  EBB_VENDOR(cudnnSetFilter4dDescriptor, filter, type, CUDNN_TENSOR_NHWC, narrow(k), narrow(c),
             narrow(g.kh), narrow(g.kw));
  const int pad = narrow(g.pad), stride = narrow(g.stride);
  EBB_VENDOR(cudnnSetConvolution2dDescriptor, conv, pad, pad, stride, stride, 1, 1,
             CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT);
  EBB_VENDOR(cudnnSetConvolutionMathType, conv, math);
}

ConvDescriptors::~ConvDescriptors() {
  const VendorApi& api = vendor_api();
  if (conv != nullptr) api.cudnnDestroyConvolutionDescriptor(conv);
  if (filter != nullptr) api.cudnnDestroyFilterDescriptor(filter);
  if (small != nullptr) api.cudnnDestroyTensorDescriptor(small);
  if (large != nullptr) api.cudnnDestroyTensorDescriptor(large);
}

TensorDescriptor::TensorDescriptor(int64_t n, int64_t h, int64_t w, int64_t c,
                                   cudnnDataType_t type) {
  EBB_VENDOR(cudnnCreateTensorDescriptor, &tensor_);
  describe(tensor_, n, h, w, c, type);
}

TensorDescriptor::~TensorDescriptor() { vendor_api().cudnnDestroyTensorDescriptor(tensor_); }

}  // namespace ebb
