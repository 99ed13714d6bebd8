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

// The host's stream, reporting the writes of copies and fills to the checker. It captures graphs
// like a GPU's stream, so that errors in captured work show without a GPU.
class EmuStream final : public Stream {
 public:
  KernelStream handle() const override { return host_->handle(); }
  void copy_to_device(void* to, const void* from, int64_t bytes) override {
    check_not_capturing("copy from the host");
    copy(to, from, bytes);
  }
  void copy_to_host(void* to, const void* from, int64_t rows, int64_t row_bytes,
                    int64_t from_pitch) override {
    check_not_capturing("copy to the host");
    host_->copy_to_host(to, from, rows, row_bytes, from_pitch);
  }
  void copy(void* to, const void* from, int64_t bytes) override {
    run([this, to, from, bytes] {
      host_->copy(to, from, bytes);
      emulator::mark_initialized(to, bytes);
    });
  }
  void fill_zero(void* data, int64_t bytes) override {
    run([this, data, bytes] {
      host_->fill_zero(data, bytes);
      emulator::mark_initialized(data, bytes);
    });
  }
  // A reused block counts as uninitialized.
  void forget(void* data) {
    run([data] { emulator::forget(data); });
  }
  void synchronize() override {}
  double time_seconds(const std::function<void()>& work) override {
    return host_->time_seconds(work);
  }

  std::unique_ptr<CapturedGraph> capture(const std::function<void()>& work) override {
    auto captured = std::make_unique<CapturedSteps>();
    const CaptureScope capturing(*this, captured->steps);
    work();
    return captured;
  }
  bool capturing() const override { return steps_ != nullptr; }

 private:
  using Steps = std::vector<std::function<void()>>;

  struct CapturedSteps final : CapturedGraph {
    void launch() override {
      for (const auto& step : steps) step();
    }
    Steps steps;
  };

  struct CaptureScope {
    CaptureScope(EmuStream& owner, Steps& steps) : stream(owner) { set(&steps); }
    ~CaptureScope() { set(nullptr); }
    CaptureScope(const CaptureScope&) = delete;
    CaptureScope& operator=(const CaptureScope&) = delete;

    void set(Steps* steps) {
      stream.steps_ = steps;
      emulator::record_launches(steps);
    }
    EmuStream& stream;
  };

  void run(std::function<void()> step) {
    if (steps_ == nullptr) return step();
    steps_->push_back(std::move(step));
  }

  std::shared_ptr<Stream> host_ = host_stream(1);
  Steps* steps_ = nullptr;  // of the graph being captured
};

// Every block is the emulator's own. A pool keeps its blocks, each for requests of exactly its
// size, so that bounds stay exact.
class EmuAllocator final : public Allocator {
 public:
  EmuAllocator(std::shared_ptr<EmuStream> stream, bool is_pool)
      : stream_(std::move(stream)), is_pool_(is_pool) {}
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
      stream_->forget(data);
      return data;
    }
    EBB_CHECK(!stream_->capturing(), Error, "stream: ", bytes,
              " bytes are requested from the system during graph capture");
    stats_.bytes_reserved += bytes;
    ++stats_.system_allocations;
    return emulator::allocate(bytes, "tensor", /*track_initialization=*/true);
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
    return std::make_shared<EmuAllocator>(stream_, /*is_pool=*/true);
  }
  AllocatorStats stats() const override { return stats_; }

 private:
  std::shared_ptr<EmuStream> stream_;
  bool is_pool_;
  std::multimap<int64_t, void*> kept_;  // bytes -> block
  AllocatorStats stats_;
};

}  // namespace

std::unique_ptr<Context> make_emu_context(const ContextOptions& options) {
  emulator::options().check = true;
  const ConvMath conv_math{.tf32 = options.precision == Precision::kTf32,
                           .wgmma = options.emulated.capability == 90};
  auto stream = std::make_shared<EmuStream>();
  auto allocator = std::make_shared<EmuAllocator>(stream, /*is_pool=*/false);
  return std::make_unique<Context>(Device{DeviceType::kEmu, 0}, std::move(stream),
                                   std::move(allocator), emu_kernels(), options.precision,
                                   conv_math, options.emulated);
}

}  // namespace ebb
