#include "engine/cuda/cuda_stream.h"

#include <cuda_runtime_api.h>

#include <array>
#include <cstdlib>
#include <cstring>

#include "base/error.h"
#include "engine/cuda/cuda_error.h"
#include "engine/cuda/staging.h"
#include "kernels/simt/scoped_device.h"

namespace ebb {
namespace {

class Event {
 public:
  explicit Event(unsigned flags) { EBB_CHECK_CUDA(cudaEventCreateWithFlags(&event_, flags)); }
  ~Event() { EBB_CUDA_QUIETLY(cudaEventDestroy(event_)); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  void capture(cudaStream_t stream) { EBB_CHECK_CUDA(cudaEventRecord(event_, stream)); }
  void wait() { EBB_CHECK_CUDA(cudaEventSynchronize(event_)); }
  double seconds_since(const Event& start) const {
    float milliseconds = 0;
    EBB_CHECK_CUDA(cudaEventElapsedTime(&milliseconds, start.event_, event_));
    return milliseconds * 1e-3;
  }

 private:
  cudaEvent_t event_ = nullptr;
};

// An instantiated graph.
class CudaCapturedGraph final : public CapturedGraph {
 public:
  CudaCapturedGraph(cudaGraph_t graph, cudaStream_t stream, int device)
      : stream_(stream), device_(device) {
    EBB_CHECK_CUDA(cudaGraphInstantiate(&executable_, graph, 0));
  }
  ~CudaCapturedGraph() override { EBB_CUDA_QUIETLY(cudaGraphExecDestroy(executable_)); }
  CudaCapturedGraph(const CudaCapturedGraph&) = delete;
  CudaCapturedGraph& operator=(const CudaCapturedGraph&) = delete;

  void launch() override {
    const simt::ScopedDevice scope(device_);
    EBB_CHECK_CUDA(cudaGraphLaunch(executable_, stream_));
  }

 private:
  cudaGraphExec_t executable_ = nullptr;
  cudaStream_t stream_;
  int device_;
};

struct GraphDeleter {
  void operator()(cudaGraph_t graph) const { EBB_CUDA_QUIETLY(cudaGraphDestroy(graph)); }
};
using GraphHandle = std::unique_ptr<std::remove_pointer_t<cudaGraph_t>, GraphDeleter>;

class CudaStream final : public Stream {
 public:
  // With the GPU current, where the events and the stream are to belong.
  CudaStream(int device, int threads) : device_(device), threads_(threads) {
    EBB_CHECK_CUDA(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
    EBB_CHECK_CUDA(cudaMallocHost(&staging_, kStagingSlots * kStagingBytes));
  }
  ~CudaStream() override {
    const simt::ScopedDevice scope(device_);
    EBB_CUDA_QUIETLY(cudaStreamSynchronize(stream_));
    EBB_CUDA_QUIETLY(cudaFreeHost(staging_));
    EBB_CUDA_QUIETLY(cudaStreamDestroy(stream_));
  }
  CudaStream(const CudaStream&) = delete;
  CudaStream& operator=(const CudaStream&) = delete;

  KernelStream handle() const override { return {.native = stream_, .threads = threads_}; }

  void copy_to_device(void* to, const void* from, int64_t bytes) override {
    check_not_capturing("copy from the host");
    const simt::ScopedDevice scope(device_);
    for_each_staging_chunk(bytes, slot_busy_, next_slot_, [&](const StagingChunk& chunk) {
      if (chunk.slot_in_use) slot_free_[static_cast<size_t>(chunk.slot)].wait();
      char* staged = slot(chunk.slot);
      const size_t size = static_cast<size_t>(chunk.bytes);
      std::memcpy(staged, static_cast<const char*>(from) + chunk.offset, size);
      EBB_CHECK_CUDA(cudaMemcpyAsync(static_cast<char*>(to) + chunk.offset, staged, size,
                                     cudaMemcpyHostToDevice, stream_));
      slot_free_[static_cast<size_t>(chunk.slot)].capture(stream_);
    });
  }

  void copy_to_host(void* to, const void* from, int64_t rows, int64_t row_bytes,
                    int64_t from_pitch) override {
    check_not_capturing("copy to the host");
    if (rows == 0 || row_bytes == 0) return;
    const simt::ScopedDevice scope(device_);
    const int64_t bytes = rows * row_bytes;
    // Small results (a loss, a norm) go through pinned memory; larger copies synchronize anyway.
    void* target = bytes <= kStagingBytes ? slot(0) : to;
    if (bytes <= kStagingBytes && slot_busy_[0]) slot_free_[0].wait();
    EBB_CHECK_CUDA(cudaMemcpy2DAsync(target, static_cast<size_t>(row_bytes), from,
                                     static_cast<size_t>(from_pitch),
                                     static_cast<size_t>(row_bytes), static_cast<size_t>(rows),
                                     cudaMemcpyDeviceToHost, stream_));
    synchronize();
    if (target != to) std::memcpy(to, target, static_cast<size_t>(bytes));
  }

  void copy(void* to, const void* from, int64_t bytes) override {
    if (bytes == 0) return;
    const simt::ScopedDevice scope(device_);
    EBB_CHECK_CUDA(
        cudaMemcpyAsync(to, from, static_cast<size_t>(bytes), cudaMemcpyDeviceToDevice, stream_));
  }

  void fill_zero(void* data, int64_t bytes) override {
    if (bytes == 0) return;
    const simt::ScopedDevice scope(device_);
    EBB_CHECK_CUDA(cudaMemsetAsync(data, 0, static_cast<size_t>(bytes), stream_));
  }

  void synchronize() override {
    const simt::ScopedDevice scope(device_);
    EBB_CHECK_CUDA(cudaStreamSynchronize(stream_));
  }

  double time_seconds(const std::function<void()>& work) override {
    const simt::ScopedDevice scope(device_);
    start_.capture(stream_);
    work();
    stop_.capture(stream_);
    stop_.wait();
    return stop_.seconds_since(start_);
  }

  std::unique_ptr<CapturedGraph> capture(const std::function<void()>& work) override {
    // EBB_SYNC_LAUNCH synchronizes after every launch, which is illegal during stream capture.
    if (std::getenv("EBB_SYNC_LAUNCH") != nullptr) return nullptr;
    const simt::ScopedDevice scope(device_);
    EBB_CHECK_CUDA(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal));
    capture_ = true;
    try {
      work();
    } catch (...) {
      capture_ = false;
      cudaGraph_t broken = nullptr;
      clear_cuda_error(cudaStreamEndCapture(stream_, &broken));
      const GraphHandle cleanup(broken);
      throw;
    }
    capture_ = false;
    cudaGraph_t graph = nullptr;
    EBB_CHECK_CUDA(cudaStreamEndCapture(stream_, &graph));
    const GraphHandle owner(graph);
    return std::make_unique<CudaCapturedGraph>(graph, stream_, device_);
  }

  bool capturing() const override { return capture_; }

 private:
  char* slot(int index) const { return static_cast<char*>(staging_) + index * kStagingBytes; }

  int device_;
  int threads_;
  bool capture_ = false;
  cudaStream_t stream_ = nullptr;
  void* staging_ = nullptr;  // [kStagingSlots, kStagingBytes], pinned
  bool slot_busy_[kStagingSlots] = {};
  int next_slot_ = 0;
  std::array<Event, kStagingSlots> slot_free_ = {Event(cudaEventDisableTiming),
                                                 Event(cudaEventDisableTiming)};
  Event start_{cudaEventDefault}, stop_{cudaEventDefault};
};

}  // namespace

std::shared_ptr<Stream> cuda_stream(int device, int threads) {
  const simt::ScopedDevice scope(device);
  EBB_CHECK_CUDA(scope.error());
  return std::make_shared<CudaStream>(device, threads);
}

}  // namespace ebb
