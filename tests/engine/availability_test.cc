#include "engine/cuda/availability.h"

#include <vector>

#include "engine/cuda/staging.h"
#include "testing/catch.h"

namespace ebb {
namespace {

constexpr const char* kBuiltFor = "80, 90a, 120";

// A machine with two GPUs where all is well.
CudaProbe healthy() {
  CudaProbe probe;
  probe.device_count = 2;
  probe.runtime_version = 13000;
  probe.driver_version = 13010;
  probe.capability = 75;
  probe.name = "NVIDIA T4";
  return probe;
}

std::string reason(const CudaProbe& probe) { return why_no_cuda(probe, kBuiltFor).reason; }

TEST_CASE("cuda: a GPU that can be used has no reason and no advice", "[engine]") {
  CudaProbe probe = healthy();
  for (const int wanted : {0, 1}) {
    probe.wanted = wanted;
    CHECK(reason(probe) == "");
    CHECK(why_no_cuda(probe, kBuiltFor).advice == "");
  }
}

TEST_CASE("cuda: a missing driver and one that is too old have different messages", "[engine]") {
  CudaProbe probe = healthy();
  probe.device_count = 0;
  probe.count_error = kCudaInsufficientDriver;
  probe.driver_version = 0;
  CHECK(reason(probe) == "no NVIDIA driver");
  probe.driver_version = 12020;
  CHECK(reason(probe) == "the driver supports CUDA 12.2, this program needs 13.0");
  CHECK(why_no_cuda(probe, kBuiltFor).advice == "Install a newer driver");
}

TEST_CASE("cuda: a driver without a visible GPU names the variable that may hide it", "[engine]") {
  CudaProbe probe = healthy();
  probe.device_count = 0;
  probe.count_error = kCudaNoDevice;
  CHECK(reason(probe) == "driver found, no GPU visible, CUDA_VISIBLE_DEVICES is not set");
  probe.visible_is_set = true;
  CHECK(reason(probe) == "driver found, no GPU visible, CUDA_VISIBLE_DEVICES is ''");
  probe.visible = "7";
  CHECK(reason(probe) == "driver found, no GPU visible, CUDA_VISIBLE_DEVICES is '7'");
  probe.count_error = 0;  // success and none
  CHECK(reason(probe) == "driver found, no GPU visible, CUDA_VISIBLE_DEVICES is '7'");
}

TEST_CASE("cuda: a GPU that the program has no code for is named with both sides", "[engine]") {
  CudaProbe probe = healthy();
  for (const int error : {kCudaNoKernelImage, kCudaUnsupportedPtx}) {
    probe.use_error = error;
    CHECK(reason(probe) == "built for sm_80, 90a, 120; NVIDIA T4 is sm_75");
    CHECK(why_no_cuda(probe, kBuiltFor).advice == "Build with -DCMAKE_CUDA_ARCHITECTURES=75");
  }
}

TEST_CASE("cuda: a driver of another version than its library is named with both", "[engine]") {
  CudaProbe probe = healthy();
  probe.device_count = 0;
  for (const int error : {kCudaSystemNotReady, kCudaDriverMismatch}) {
    probe.count_error = error;
    probe.module_version = "";
    CHECK(reason(probe) ==
          "driver and library versions differ: kernel module unknown, user library for CUDA 13.1");
    probe.module_version = "570.86.15";
    CHECK(reason(probe) ==
          "driver and library versions differ: kernel module 570.86.15, user library for CUDA "
          "13.1");
  }
}

TEST_CASE("cuda: a GPU in exclusive use is not taken for a broken one", "[engine]") {
  CudaProbe probe = healthy();
  probe.use_error = kCudaDevicesUnavailable;
  CHECK(reason(probe) == "NVIDIA T4 is in exclusive use by another process");
}

TEST_CASE("cuda: a number beyond the GPUs and an unknown error are reported", "[engine]") {
  CudaProbe probe = healthy();
  probe.wanted = 2;
  CHECK(reason(probe) == "this machine shows 2 GPUs, the last is cuda:1");
  probe.device_count = 1;
  CHECK(reason(probe) == "this machine shows 1 GPU, the last is cuda:0");
  probe = healthy();
  probe.error_text = "cudaErrorUnknown, unknown error";
  probe.use_error = 999;
  CHECK(reason(probe) == "NVIDIA T4 failed with cudaErrorUnknown, unknown error");
  probe.count_error = 999;
  CHECK(reason(probe) == "the CUDA runtime failed with cudaErrorUnknown, unknown error");
}

TEST_CASE("cuda: only errors that end the process's use of the GPU are sticky", "[engine]") {
  for (const int error : {214, 700, 702, 710, 714, 715, 716, 719})
    CHECK(is_sticky_cuda_error(error));
  for (const int error : {0, 1, 2, 9, 35, 46, 100, 209, 600})
    CHECK_FALSE(is_sticky_cuda_error(error));
}

TEST_CASE("cuda: a long copy takes the pinned buffers in turn and waits for their reuse",
          "[engine]") {
  bool busy[kStagingSlots] = {};
  int next = 0;
  const int64_t bytes = 3 * kStagingBytes + 5;
  std::vector<StagingChunk> chunks;
  const auto copy = [&](int64_t size) {
    chunks.clear();
    for_each_staging_chunk(size, busy, next, [&](const StagingChunk& c) { chunks.push_back(c); });
  };
  copy(bytes);
  REQUIRE(chunks.size() == 4);
  int64_t end = 0;
  for (size_t i = 0; i < chunks.size(); ++i) {
    CHECK(chunks[i].offset == end);
    CHECK(chunks[i].slot == static_cast<int>(i % 2));
    CHECK(chunks[i].slot_in_use == (i >= 2));
    end += chunks[i].bytes;
  }
  CHECK(end == bytes);
  CHECK(chunks.back().bytes == 5);
  copy(1);
  REQUIRE(chunks.size() == 1);
  CHECK(chunks[0].slot_in_use);
  copy(0);
  CHECK(chunks.empty());
}

}  // namespace
}  // namespace ebb
