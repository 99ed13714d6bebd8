#include "engine/cuda/emu_context.h"

#include <algorithm>
#include <functional>
#include <map>
#include <vector>

#include "base/error.h"
#include "kernels/kernel_table.h"
#include "kernels/simt/emulator.h"

namespace ebb {
namespace {

namespace emulator = simt::emulator;

// The host's queue, telling the checker what copies and fills write. It records as a GPU's stream
// does, so that what is wrong with recorded work shows without one.
class EmuQueue final : public DeviceQueue {
 public:
  StreamHandle handle() const override { return host_->handle(); }
  void copy_in(void* to, const void* from, int64_t bytes) override {
    check_not_recording("copy from the host");
    copy(to, from, bytes);
  }
  void copy_out(void* to, const void* from, int64_t rows, int64_t row_bytes,
                int64_t from_pitch) override {
    check_not_recording("copy to the host");
    host_->copy_out(to, from, rows, row_bytes, from_pitch);
  }
  void copy(void* to, const void* from, int64_t bytes) override {
    run([this, to, from, bytes] {
      host_->copy(to, from, bytes);
      emulator::mark_initialised(to, bytes);
    });
  }
  void fill_zero(void* data, int64_t bytes) override {
    run([this, data, bytes] {
      host_->fill_zero(data, bytes);
      emulator::mark_initialised(data, bytes);
    });
  }
  // A block that is handed out again holds nothing that anybody may read.
  void forget(void* data) {
    run([data] { emulator::forget(data); });
  }
  void synchronize() override {}
  double time_seconds(const std::function<void()>& work) override {
    return host_->time_seconds(work);
  }

  std::unique_ptr<RecordedWork> record(const std::function<void()>& work) override {
    auto recorded = std::make_unique<RecordedSteps>();
    const Recording recording(*this, recorded->steps);
    work();
    return recorded;
  }
  bool recording() const override { return steps_ != nullptr; }

 private:
  using Steps = std::vector<std::function<void()>>;

  struct RecordedSteps final : RecordedWork {
    void replay() override {
      for (const auto& step : steps) step();
    }
    Steps steps;
  };

  struct Recording {
    Recording(EmuQueue& recorder, Steps& steps) : queue(recorder) { set(&steps); }
    ~Recording() { set(nullptr); }
    Recording(const Recording&) = delete;
    Recording& operator=(const Recording&) = delete;

    void set(Steps* steps) {
      queue.steps_ = steps;
      emulator::record_launches(steps);
    }
    EmuQueue& queue;
  };

  void run(std::function<void()> step) {
    if (steps_ == nullptr) return step();
    steps_->push_back(std::move(step));
  }

  std::shared_ptr<DeviceQueue> host_ = host_queue(1);
  Steps* steps_ = nullptr;  // of the open recording
};

// Every block is the emulator's own. A pool keeps its blocks, each for requests of exactly its
// size, so that bounds stay exact.
class EmuAllocator final : public Allocator {
 public:
  EmuAllocator(std::shared_ptr<EmuQueue> queue, bool is_pool)
      : queue_(std::move(queue)), is_pool_(is_pool) {}
  ~EmuAllocator() override {
    for (const auto& [bytes, data] : kept_) emulator::release(data);
  }
  EmuAllocator(const EmuAllocator&) = delete;
  EmuAllocator& operator=(const EmuAllocator&) = delete;

  void* allocate(int64_t bytes) override {
    stats_.bytes_in_use += bytes;
    stats_.peak_bytes_in_use = std::max(stats_.peak_bytes_in_use, stats_.bytes_in_use);
    ++stats_.allocations;
    if (const auto found = kept_.find(bytes); found != kept_.end()) {
      void* data = found->second;
      kept_.erase(found);
      queue_->forget(data);
      return data;
    }
    EBB_CHECK(!queue_->recording(), Error, "device queue: ", bytes,
              " bytes are asked of the system while work is being recorded");
    stats_.bytes_reserved += bytes;
    ++stats_.system_allocations;
    return emulator::allocate(bytes, "tensor", /*track_initialisation=*/true);
  }
  void release(void* data, int64_t bytes) noexcept override {
    stats_.bytes_in_use -= bytes;
    if (is_pool_) {
      kept_.emplace(bytes, data);
    } else {
      stats_.bytes_reserved -= bytes;
      emulator::release(data);
    }
  }
  std::shared_ptr<Allocator> pool() const override {
    return std::make_shared<EmuAllocator>(queue_, /*is_pool=*/true);
  }
  AllocatorStats stats() const override { return stats_; }

 private:
  std::shared_ptr<EmuQueue> queue_;
  bool is_pool_;
  std::multimap<int64_t, void*> kept_;  // bytes -> block
  AllocatorStats stats_;
};

}  // namespace

std::unique_ptr<Context> make_emu_context(Precision precision) {
  emulator::options().check = true;
  const KernelTable& kernels = emu_kernels();
  kernels.choose_conv_units({.tf32 = precision == Precision::kTf32, .hopper = false});
  auto queue = std::make_shared<EmuQueue>();
  auto allocator = std::make_shared<EmuAllocator>(queue, /*is_pool=*/false);
  return std::make_unique<Context>(Device{DeviceType::kEmu, 0}, std::move(queue),
                                   std::move(allocator), kernels, precision);
}

}  // namespace ebb
