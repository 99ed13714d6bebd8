#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "base/kernel_stream.h"

namespace ebb {

// A captured sequence of work (a CUDA graph) that can be launched again, with the same addresses.
class CapturedGraph {
 public:
  virtual ~CapturedGraph() = default;
  virtual void launch() = 0;
};

// The stream of one device: kernels, copies and fills run in the order of the calls. On the host
// everything is done when the call returns; a GPU runs asynchronously, and only copy_to_host() and
// synchronize() wait for it. Shared by a context and its tensors.
class Stream {
 public:
  virtual ~Stream() = default;
  virtual KernelStream handle() const = 0;  // passed to kernels

  // Host to device; `from` may be reused on return.
  virtual void copy_to_device(void* to, const void* from, int64_t bytes) = 0;
  // Device to host: `rows` pieces of row_bytes, from_pitch bytes apart, made adjacent. Waits for
  // all earlier work.
  virtual void copy_to_host(void* to, const void* from, int64_t rows, int64_t row_bytes,
                            int64_t from_pitch) = 0;
  virtual void copy(void* to, const void* from, int64_t bytes) = 0;  // within the device
  virtual void fill_zero(void* data, int64_t bytes) = 0;
  virtual void synchronize() = 0;

  // Seconds that the device spends on the work that `work` enqueues. Waits for it.
  virtual double time_seconds(const std::function<void()>& work) = 0;

  // Captures the work that `work` enqueues, without running it. Null on devices where capture saves
  // nothing: run the work itself each time. Everything that it touches must keep its address, and
  // it must neither allocate from the system nor copy between host and device; both are errors
  // here.
  virtual std::unique_ptr<CapturedGraph> capture(const std::function<void()>& work) = 0;
  // True while capture() runs its work.
  virtual bool capturing() const { return false; }

 protected:
  // A captured host-to-device copy would replay stale bytes.
  void check_not_capturing(const char* what) const;
};

std::shared_ptr<Stream> host_stream(int threads);

}  // namespace ebb
