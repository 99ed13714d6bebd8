#pragma once

#include <cublas_v2.h>
#include <cudnn.h>

#include <string>

#include "base/error.h"

#define EBB_CUDNN_FUNCTIONS(X)                     \
  X(cudnnCreate)                                   \
  X(cudnnSetStream)                                \
  X(cudnnGetVersion)                               \
  X(cudnnGetErrorString)                           \
  X(cudnnCreateTensorDescriptor)                   \
  X(cudnnDestroyTensorDescriptor)                  \
  X(cudnnSetTensor4dDescriptor)                    \
  X(cudnnCreateFilterDescriptor)                   \
  X(cudnnDestroyFilterDescriptor)                  \
  X(cudnnSetFilter4dDescriptor)                    \
  X(cudnnCreateConvolutionDescriptor)              \
  X(cudnnDestroyConvolutionDescriptor)             \
  X(cudnnSetConvolution2dDescriptor)               \
  X(cudnnSetConvolutionMathType)                   \
  X(cudnnFindConvolutionForwardAlgorithmEx)        \
  X(cudnnFindConvolutionBackwardDataAlgorithmEx)   \
  X(cudnnFindConvolutionBackwardFilterAlgorithmEx) \
  X(cudnnConvolutionForward)                       \
  X(cudnnConvolutionBackwardData)                  \
  X(cudnnConvolutionBackwardFilter)                \
  X(cudnnConvolutionBackwardBias)
#define EBB_CUBLAS_FUNCTIONS(X) \
  X(cublasCreate_v2)            \
  X(cublasSetStream_v2)         \
  X(cublasSetWorkspace_v2)      \
  X(cublasGetVersion_v2)        \
  X(cublasGetStatusString)

namespace ebb {

// cuDNN 9 and cuBLAS, opened on first use and not linked: a machine without them loses their
// columns, not the program. Searched as the dynamic loader does (LD_LIBRARY_PATH).
struct VendorApi {
#define EBB_VENDOR_FUNCTION(name) decltype(&::name) name = nullptr;
  EBB_CUDNN_FUNCTIONS(EBB_VENDOR_FUNCTION)
  EBB_CUBLAS_FUNCTIONS(EBB_VENDOR_FUNCTION)
#undef EBB_VENDOR_FUNCTION
  // The header overloads this name.
  cublasStatus_t (*cublasGemmEx)(cublasHandle_t, cublasOperation_t, cublasOperation_t, int m, int n,
                                 int k, const void* alpha, const void* a, cudaDataType, int lda,
                                 const void* b, cudaDataType, int ldb, const void* beta, void* c,
                                 cudaDataType, int ldc, cublasComputeType_t,
                                 cublasGemmAlgo_t) = nullptr;
  std::string missing;  // why they cannot be used; empty when they can
};
const VendorApi& vendor_api();

inline void check_vendor(cudnnStatus_t status, const char* call) {
  EBB_CHECK(status == CUDNN_STATUS_SUCCESS, DeviceError, "cuDNN: ", call, " failed with ",
            vendor_api().cudnnGetErrorString(status), ". Use --kernels default");
}
inline void check_vendor(cublasStatus_t status, const char* call) {
  EBB_CHECK(status == CUBLAS_STATUS_SUCCESS, DeviceError, "cuBLAS: ", call, " failed with ",
            vendor_api().cublasGetStatusString(status), ". Use --kernels default");
}

}  // namespace ebb

// EBB_VENDOR(cudnnSetStream, handle, stream)
#define EBB_VENDOR(function, ...) \
  ::ebb::check_vendor(::ebb::vendor_api().function(__VA_ARGS__), #function)
