#pragma once

// Device memory and tensor maps of the conformance cases, for the emulator and for a GPU.

#include <cstring>
#include <vector>

#include "kernels/simt/emulator.h"
#include "kernels/simt/simt.h"
#if defined(__CUDACC__)
#include "engine/cuda/cuda_error.h"
#endif

namespace ebb::EBB_GPU_NAMESPACE {

// Starts as 0xff bytes: NaN.
template <class T>
class Buffer {
 public:
  explicit Buffer(size_t count) : count_(count), data_(static_cast<T*>(allocate(bytes()))) {}
  explicit Buffer(const std::vector<T>& values) : Buffer(values.size()) { upload(values.data()); }
  ~Buffer() { release(data_); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  T* get() const { return data_; }
  std::vector<uint8_t> content() const {
    std::vector<uint8_t> all(bytes());
    download(all.data());
    return all;
  }

 private:
  size_t bytes() const { return count_ * sizeof(T); }

#if defined(__CUDACC__)
  static void* allocate(size_t bytes) {
    void* data = nullptr;
    EBB_CHECK_CUDA(cudaMalloc(&data, bytes));
    EBB_CHECK_CUDA(cudaMemset(data, 0xff, bytes));
    return data;
  }
  static void release(void* data) { EBB_CUDA_QUIETLY(cudaFree(data)); }
  void upload(const T* values) {
    EBB_CHECK_CUDA(cudaMemcpy(data_, values, bytes(), cudaMemcpyHostToDevice));
  }
  void download(void* to) const {
    EBB_CHECK_CUDA(cudaDeviceSynchronize());
    EBB_CHECK_CUDA(cudaMemcpy(to, data_, bytes(), cudaMemcpyDeviceToHost));
  }
#else
  static void* allocate(size_t bytes) {
    return simt::emulator::allocate(static_cast<int64_t>(bytes), "buffer");
  }
  static void release(void* data) { simt::emulator::release(data); }
  void upload(const T* values) { std::memcpy(data_, values, bytes()); }
  void download(void* to) const { std::memcpy(to, data_, bytes()); }
#endif

  size_t count_;
  T* data_;
};

// A tile map without swizzle, innermost size first; strides in bytes, of sizes 1 and up. `box`
// counts the elements that arrive: every steps[i]-th one, where the driver counts all it passes.
struct PlainMap {
  int rank, element_bytes;  // 2 or 4, integers
  uint64_t sizes[4], strides[3];
  uint32_t box[4], steps[4];
};

#if defined(__CUDACC__)
inline simt::TensorMap plain_map(const void* base, const PlainMap& p) {
  static auto* const encode =
      simt::detail::driver_function<decltype(cuTensorMapEncodeTiled)>("cuTensorMapEncodeTiled");
  cuuint64_t sizes[4], strides[3];
  cuuint32_t box[4], steps[4];
  for (int i = 0; i < p.rank; ++i) {
    sizes[i] = p.sizes[i];
    if (i > 0) strides[i - 1] = p.strides[i - 1];
    box[i] = p.box[i] * p.steps[i];
    steps[i] = p.steps[i];
  }
  simt::TensorMap map;
  simt::detail::check_encoded(encode(
      &map, p.element_bytes == 2 ? CU_TENSOR_MAP_DATA_TYPE_UINT16 : CU_TENSOR_MAP_DATA_TYPE_INT32,
      static_cast<cuuint32_t>(p.rank), const_cast<void*>(base), sizes, strides, box, steps,
      CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_NONE, CU_TENSOR_MAP_L2_PROMOTION_NONE,
      CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE));
  return map;
}
#else
inline simt::TensorMap plain_map(const void* base, const PlainMap& p) {
  simt::TensorMap map;
  map.base = base;
  map.element_bytes = p.element_bytes;
  map.rank = p.rank;
  for (int i = 0; i < p.rank; ++i) {
    map.sizes[i] = p.sizes[i];
    if (i > 0) map.strides[i - 1] = p.strides[i - 1];
    map.box[i] = p.box[i];
    map.element_strides[i] = p.steps[i];
  }
  return map;
}
#endif

}  // namespace ebb::EBB_GPU_NAMESPACE
