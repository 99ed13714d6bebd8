#pragma once

#include <memory>

#include "engine/backend.h"
#include "kernels/kernel_table.h"
#include "testing/poison_allocator.h"

namespace ebb::test {

inline std::unique_ptr<Context> cpu_context(int threads = 1) {
  return make_context("cpu", threads);
}

// A CPU context whose memory shows uninitialized reads and writes out of bounds.
class PoisonedContext {
 public:
  explicit PoisonedContext(int threads = 1)
      : allocator_(std::make_shared<PoisonAllocator>()),
        context_({DeviceType::kCpu, 0}, host_stream(threads), allocator_, cpu_kernels()) {}

  Context& get() { return context_; }
  const PoisonAllocator& allocator() const { return *allocator_; }

 private:
  std::shared_ptr<PoisonAllocator> allocator_;
  Context context_;
};

}  // namespace ebb::test
