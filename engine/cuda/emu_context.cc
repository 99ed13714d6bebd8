#include "engine/cuda/emu_context.h"

#include <algorithm>
#include <cstring>

#include "kernels/kernel_table.h"
#include "kernels/simt/emulator.h"

namespace ebb {
namespace {

namespace emulator = simt::emulator;

class EmuAllocator final : public Allocator {
 public:
  void* allocate(int64_t bytes) override {
    stats_.bytes_in_use += bytes;
    stats_.peak_bytes_in_use = std::max(stats_.peak_bytes_in_use, stats_.bytes_in_use);
    stats_.bytes_reserved = stats_.bytes_in_use;
    ++stats_.allocations;
    ++stats_.system_allocations;
    return emulator::allocate(bytes, "tensor", /*track_initialisation=*/true);
  }
  void release(void* data, int64_t bytes) noexcept override {
    stats_.bytes_in_use -= bytes;
    stats_.bytes_reserved = stats_.bytes_in_use;
    emulator::release(data);
  }
  AllocatorStats stats() const override { return stats_; }

 private:
  AllocatorStats stats_;
};

// The host's queue, telling the checker what copies and fills write.
class EmuQueue final : public DeviceQueue {
 public:
  StreamHandle handle() const override { return host_->handle(); }
  void copy_in(void* to, const void* from, int64_t bytes) override { copy(to, from, bytes); }
  void copy_out(void* to, const void* from, int64_t rows, int64_t row_bytes,
                int64_t from_pitch) override {
    host_->copy_out(to, from, rows, row_bytes, from_pitch);
  }
  void copy(void* to, const void* from, int64_t bytes) override {
    host_->copy(to, from, bytes);
    emulator::mark_initialised(to, bytes);
  }
  void fill_zero(void* data, int64_t bytes) override {
    host_->fill_zero(data, bytes);
    emulator::mark_initialised(data, bytes);
  }
  void synchronize() override {}
  double time_seconds(const std::function<void()>& work) override {
    return host_->time_seconds(work);
  }
  std::unique_ptr<RecordedWork> record(const std::function<void()>&) override { return nullptr; }

 private:
  std::shared_ptr<DeviceQueue> host_ = host_queue(1);
};

}  // namespace

std::unique_ptr<Context> make_emu_context() {
  emulator::options().check = emulator::checker_available();
  return std::make_unique<Context>(Device{DeviceType::kEmu, 0}, std::make_shared<EmuQueue>(),
                                   std::make_shared<EmuAllocator>(), emu_kernels());
}

}  // namespace ebb
