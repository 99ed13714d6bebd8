#include "bench/vendor/convs.h"

#include <cuda_runtime_api.h>

#include <array>
#include <map>
#include <memory>
#include <tuple>

#include "bench/vendor/handles.h"
#include "engine/cuda/cuda_error.h"

namespace ebb {
namespace {

constexpr float kOne = 1, kZero = 0;
constexpr size_t kMaxScratch = size_t{1} << 30;

// The cuDNN operation of a pass.
enum class Role { kForward, kData, kFilter };
Role role_of(const ConvGeometry& g, ConvPass pass) {
  if (pass == ConvPass::kBackwardWeight) return Role::kFilter;
  return (pass == ConvPass::kForward) != g.transposed ? Role::kForward : Role::kData;
}

// The fastest algorithm that was found, as cuDNN's enumerations number them.
struct Plan {
  int algorithm = -1;
  cudnnMathType_t math{};
  size_t bytes = 0;
};

cudnnMathType_t math_of(const VendorConv& c) {
  if (c.dtype != DType::kF32) return CUDNN_TENSOR_OP_MATH;
  return c.math == VendorMath::kTf32 ? CUDNN_DEFAULT_MATH : CUDNN_FMA_MATH;
}

struct DeviceDeleter {
  void operator()(void* data) const { EBB_CUDA_QUIETLY(cudaFree(data)); }
};
using DeviceBytes = std::unique_ptr<void, DeviceDeleter>;
DeviceBytes device_bytes(size_t bytes) {
  void* data = nullptr;
  EBB_CHECK_CUDA(cudaMalloc(&data, bytes));
  EBB_CHECK_CUDA(cudaMemset(data, 0, bytes));
  return DeviceBytes(data);
}

template <typename Result>
Plan best_of(const Result* results, int count, const VendorConv& c) {
  for (int i = 0; i < count; ++i) {  // in order of time
    if (results[i].status != CUDNN_STATUS_SUCCESS || results[i].memory > kMaxScratch) continue;
    return {static_cast<int>(results[i].algo), results[i].mathType, results[i].memory};
  }
  throw DeviceError(cat("cuDNN: no algorithm for a convolution of ", c.g.n, "x", c.g.h, "x", c.g.w,
                        "x", c.g.c, " to ", c.g.o, " channels, ", to_string(c.dtype),
                        ". Use --kernels default"));
}

Plan find_plan(const VendorConv& c, ConvPass pass) {
  constexpr int kMax = 16;
  const ConvDescriptors d(c.g, cudnn_type(c.dtype), math_of(c));
  const size_t size = static_cast<size_t>(size_of(c.dtype));
  const DeviceBytes x = device_bytes(size * static_cast<size_t>(c.x_count()));
  const DeviceBytes y = device_bytes(size * static_cast<size_t>(c.y_count()));
  const DeviceBytes w = device_bytes(size * static_cast<size_t>(c.w_count()));
  const DeviceBytes scratch = device_bytes(kMaxScratch);
  void* const large = c.g.transposed ? y.get() : x.get();
  void* const small = c.g.transposed ? x.get() : y.get();
  const cudnnHandle_t handle = cudnn_on({});
  int count = 0;
  switch (role_of(c.g, pass)) {
    case Role::kForward: {
      std::array<cudnnConvolutionFwdAlgoPerf_t, kMax> found;
      EBB_VENDOR(cudnnFindConvolutionForwardAlgorithmEx, handle, d.large, large, d.filter, w.get(),
                 d.conv, d.small, small, kMax, &count, found.data(), scratch.get(), kMaxScratch);
      return best_of(found.data(), count, c);
    }
    case Role::kData: {
      std::array<cudnnConvolutionBwdDataAlgoPerf_t, kMax> found;
      EBB_VENDOR(cudnnFindConvolutionBackwardDataAlgorithmEx, handle, d.filter, w.get(), d.small,
                 small, d.conv, d.large, large, kMax, &count, found.data(), scratch.get(),
                 kMaxScratch);
      return best_of(found.data(), count, c);
    }
    case Role::kFilter:
      break;
  }
  std::array<cudnnConvolutionBwdFilterAlgoPerf_t, kMax> found;
  EBB_VENDOR(cudnnFindConvolutionBackwardFilterAlgorithmEx, handle, d.large, large, d.small, small,
             d.conv, d.filter, w.get(), kMax, &count, found.data(), scratch.get(), kMaxScratch);
  return best_of(found.data(), count, c);
}

const Plan& plan_of(const VendorConv& c, ConvPass pass) {
  const ConvGeometry& g = c.g;
  const auto key =
      std::tuple(std::array<int64_t, 9>{g.n, g.h, g.w, g.c, g.o, g.kh, g.kw, g.stride, g.pad},
                 g.transposed, pass, c.dtype, c.math);
  static std::map<std::remove_const_t<decltype(key)>, Plan> plans;
  auto known = plans.find(key);
  if (known == plans.end()) known = plans.emplace(key, find_plan(c, pass)).first;
  return known->second;
}

// The three products of a linear layer on M = N * H * W rows, all matrices dense and row by row. To
// cuBLAS, which counts column by column, each of them is transposed.
void run_gemm(const VendorConv& c, ConvPass pass, const VendorConvPointers& at,
              KernelStream stream) {
  const int rows = static_cast<int>(c.g.n * c.g.h * c.g.w), in = static_cast<int>(c.g.c);
  const int out = static_cast<int>(c.g.o);
  const cudaDataType type = c.dtype == DType::kF32    ? CUDA_R_32F
                            : c.dtype == DType::kBF16 ? CUDA_R_16BF
                                                      : CUDA_R_16F;
  const cublasComputeType_t compute = c.dtype == DType::kF32 && c.math == VendorMath::kTf32
                                          ? CUBLAS_COMPUTE_32F_FAST_TF32
                                          : CUBLAS_COMPUTE_32F;
  const auto multiply = [&](cublasOperation_t op_a, cublasOperation_t op_b, int m, int n, int k,
                            const void* a, int lda, const void* b, int ldb, void* result) {
    EBB_VENDOR(cublasGemmEx, cublas_on(stream), op_a, op_b, m, n, k, &kOne, a, type, lda, b, type,
               ldb, &kZero, result, type, m, compute, CUBLAS_GEMM_DEFAULT);
  };
  if (pass == ConvPass::kForward) {
    multiply(CUBLAS_OP_T, CUBLAS_OP_N, out, rows, in, at.w, in, at.x, in, at.y);
  } else if (pass == ConvPass::kBackwardInput) {
    multiply(CUBLAS_OP_N, CUBLAS_OP_N, in, rows, out, at.w, in, at.y, out, at.x);
  } else {
    multiply(CUBLAS_OP_N, CUBLAS_OP_T, in, out, rows, at.x, in, at.y, out, at.w);
  }
}

}  // namespace

int64_t vendor_conv_bytes(const VendorConv& conv, ConvPass pass) {
  return conv.is_linear() ? 0 : static_cast<int64_t>(plan_of(conv, pass).bytes);
}

void run_vendor_conv(const VendorConv& c, ConvPass pass, const VendorConvPointers& at,
                     KernelStream stream) {
  if (c.is_linear()) return run_gemm(c, pass, at, stream);
  const Plan& plan = plan_of(c, pass);
  const ConvDescriptors d(c.g, cudnn_type(c.dtype), plan.math);
  void* const large = c.g.transposed ? at.y : at.x;
  void* const small = c.g.transposed ? at.x : at.y;
  const cudnnHandle_t handle = cudnn_on(stream);
  switch (role_of(c.g, pass)) {
    case Role::kForward:
      EBB_VENDOR(cudnnConvolutionForward, handle, &kOne, d.large, large, d.filter, at.w, d.conv,
                 static_cast<cudnnConvolutionFwdAlgo_t>(plan.algorithm), at.scratch, plan.bytes,
                 &kZero, d.small, small);
      return;
    case Role::kData:
      EBB_VENDOR(cudnnConvolutionBackwardData, handle, &kOne, d.filter, at.w, d.small, small,
                 d.conv, static_cast<cudnnConvolutionBwdDataAlgo_t>(plan.algorithm), at.scratch,
                 plan.bytes, &kZero, d.large, large);
      return;
    case Role::kFilter:
      EBB_VENDOR(cudnnConvolutionBackwardFilter, handle, &kOne, d.large, large, d.small, small,
                 d.conv, static_cast<cudnnConvolutionBwdFilterAlgo_t>(plan.algorithm), at.scratch,
                 plan.bytes, &kZero, d.filter, at.w);
      return;
  }
}

void vendor_bias_gradient(const VendorConv& c, const void* dy, void* db, KernelStream stream) {
  const TensorDescriptor image(c.g.n, c.g.ho, c.g.wo, c.g.o, cudnn_type(c.dtype));
  const TensorDescriptor channels(1, 1, 1, c.g.o, cudnn_type(c.dtype));
  EBB_VENDOR(cudnnConvolutionBackwardBias, cudnn_on(stream), &kOne, image.get(), dy, &kZero,
             channels.get(), db);
}

}  // namespace ebb
