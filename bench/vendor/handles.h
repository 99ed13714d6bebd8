#pragma once

#include "bench/vendor/api.h"
#include "kernels/conv/conv.h"

namespace ebb {

// The process's handles, on a stream.
cudnnHandle_t cudnn_on(KernelStream stream);
cublasHandle_t cublas_on(KernelStream stream);

// Descriptors of the two images and the filter of an ordinary convolution, NHWC and KRSC.
class ConvDescriptors {
 public:
  ConvDescriptors(const ConvGeometry& g, cudnnDataType_t type, cudnnMathType_t math);
  ~ConvDescriptors();
  ConvDescriptors(const ConvDescriptors&) = delete;
  ConvDescriptors& operator=(const ConvDescriptors&) = delete;

  cudnnTensorDescriptor_t large = nullptr, small = nullptr;
  cudnnFilterDescriptor_t filter = nullptr;
  cudnnConvolutionDescriptor_t conv = nullptr;
};

// A dense NHWC tensor.
class TensorDescriptor {
 public:
  TensorDescriptor(int64_t n, int64_t h, int64_t w, int64_t c, cudnnDataType_t type);
  ~TensorDescriptor();
  TensorDescriptor(const TensorDescriptor&) = delete;
  TensorDescriptor& operator=(const TensorDescriptor&) = delete;
  cudnnTensorDescriptor_t get() const { return tensor_; }

 private:
  cudnnTensorDescriptor_t tensor_ = nullptr;
};

cudnnDataType_t cudnn_type(DType dtype);

}  // namespace ebb
