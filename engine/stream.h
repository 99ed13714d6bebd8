#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "base/kernel_stream.h"

namespace ebb {

// Work that was recorded once and can be repeated as a whole, with the same addresses.
class CapturedGraph {
 public:
  virtual ~CapturedGraph() = default;
  virtual void launch() = 0;
};

// The queue of one device: kernels, copies and fills run in the order they were given. On the host
// everything is done when the call returns; a GPU runs behind, and only copy_to_host() and
// synchronize() wait for it. Shared by a context and its tensors.
class Stream {
 public:
  virtual ~Stream() = default;
  virtual KernelStream handle() const = 0;  // what kernels are given

  // Host to device; `from` may be reused on return.
  virtual void copy_to_device(void* to, const void* from, int64_t bytes) = 0;
  // Device to host: `rows` pieces of row_bytes, from_pitch bytes apart, made adjacent. Waits for
  // all work given before.
  virtual void copy_to_host(void* to, const void* from, int64_t rows, int64_t row_bytes,
                            int64_t from_pitch) = 0;
  virtual void copy(void* to, const void* from, int64_t bytes) = 0;  // within the device
  virtual void fill_zero(void* data, int64_t bytes) = 0;
  virtual void synchronize() = 0;

  // Seconds that the device spends on what `work` gives it. Waits for it.
  virtual double time_seconds(const std::function<void()>& work) = 0;

  // Records what `work` gives the queue, without running it. Null where recording saves nothing:
  // run the work itself each time. Everything `work` touches must stay where it is, and it must
  // neither allocate from the system nor copy in or out; both are errors here.
  virtual std::unique_ptr<CapturedGraph> capture(const std::function<void()>& work) = 0;
  // True while record() runs its work.
  virtual bool capturing() const { return false; }

 protected:
  // A recorded copy from the host would bring the same bytes for ever.
  void check_not_capturing(const char* what) const;
};

std::shared_ptr<Stream> host_stream(int threads);

}  // namespace ebb
