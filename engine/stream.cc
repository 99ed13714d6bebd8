#include "engine/stream.h"

#include <chrono>
#include <cstring>

#include "base/error.h"

namespace ebb {
namespace {

class HostStream final : public Stream {
 public:
  explicit HostStream(int threads) : threads_(threads) {}

  KernelStream handle() const override { return {.native = nullptr, .threads = threads_}; }

  void copy_to_device(void* to, const void* from, int64_t bytes) override { copy(to, from, bytes); }

  void copy_to_host(void* to, const void* from, int64_t rows, int64_t row_bytes,
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

  std::unique_ptr<CapturedGraph> capture(const std::function<void()>&) override { return nullptr; }

 private:
  int threads_;
};

}  // namespace

void Stream::check_not_capturing(const char* what) const {
  EBB_CHECK(!capturing(), Error, "stream: ", what, " during graph capture");
}

std::shared_ptr<Stream> host_stream(int threads) { return std::make_shared<HostStream>(threads); }

}  // namespace ebb
