#include "engine/device_queue.h"

#include <chrono>
#include <cstring>

#include "base/error.h"

namespace ebb {
namespace {

class HostQueue final : public DeviceQueue {
 public:
  explicit HostQueue(int threads) : threads_(threads) {}

  StreamHandle handle() const override { return {nullptr, threads_}; }

  void copy_in(void* to, const void* from, int64_t bytes) override { copy(to, from, bytes); }

  void copy_out(void* to, const void* from, int64_t rows, int64_t row_bytes,
                int64_t from_pitch) override {
    if (from_pitch == row_bytes) return copy(to, from, rows * row_bytes);
    for (int64_t r = 0; r < rows; ++r) {
      copy(static_cast<char*>(to) + r * row_bytes, static_cast<const char*>(from) + r * from_pitch,
           row_bytes);
    }
  }

  void copy(void* to, const void* from, int64_t bytes) override {
    if (bytes > 0) std::memcpy(to, from, static_cast<size_t>(bytes));
  }

  void fill_zero(void* data, int64_t bytes) override {
    if (bytes > 0) std::memset(data, 0, static_cast<size_t>(bytes));
  }

  void synchronize() override {}

  double time_seconds(const std::function<void()>& work) override {
    const auto start = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }

  std::unique_ptr<RecordedWork> record(const std::function<void()>&) override { return nullptr; }

 private:
  int threads_;
};

}  // namespace

void DeviceQueue::check_not_recording(const char* what) const {
  EBB_CHECK(!recording(), Error, "device queue: ", what, " while work is being recorded");
}

std::shared_ptr<DeviceQueue> host_queue(int threads) {
  return std::make_shared<HostQueue>(threads);
}

}  // namespace ebb
