#pragma once

#include <cstddef>
#include <functional>
#include <memory>

namespace ebb::test {

// Operands of kernels that do not run on the CPU, and the checks of their launches.
class DeviceMemory {
 public:
  virtual ~DeviceMemory() = default;

  // Fresh memory holds NaN bytes. Writing beyond its end is an error that is found at the latest
  // when it is released.
  virtual void* allocate(size_t bytes) = 0;
  virtual void release(void* data) = 0;
  virtual void write(void* to, const void* from, size_t bytes) = 0;
  virtual void read(void* to, const void* from, size_t bytes) = 0;
  virtual void poison(void* data, size_t bytes) = 0;

  // The launch is run this many times, each time in another order where that can be chosen; all
  // must give the same bits.
  virtual int runs() const = 0;
  virtual void run(int index, const std::function<void()>& launch) = 0;
};

// A GPU, in builds with CUDA. DeviceError when there is none.
DeviceMemory& gpu_memory();
// Whether EBB_TEST_DEVICE=cuda selects tests of the kernels on a GPU alone.
bool gpu_is_wanted();

}  // namespace ebb::test
