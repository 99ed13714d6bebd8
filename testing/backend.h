#pragma once

#include <hwy/targets.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>
#include <vector>

#include "base/device.h"
#include "base/error.h"
#include "kernels/kernel_table.h"
#include "testing/device_memory.h"
#include "testing/simd_level.h"
#if EBB_TEST_EMULATOR
#include "testing/emulated.h"
#endif

namespace ebb::test {

// A backend whose kernels a test runs: the CPU at one SIMD level, or the CUDA kernels, on the
// emulator or on a GPU.
struct BackendChoice {
  int64_t simd_level = 0;
  DeviceType device = DeviceType::kCpu;
};

inline std::vector<BackendChoice> test_backends() {
#if EBB_TEST_CUDA
  if (gpu_is_wanted()) return {{0, DeviceType::kCuda}};
#endif
  std::vector<BackendChoice> choices;
  for (int64_t level : simd_levels()) choices.push_back({level, DeviceType::kCpu});
#if EBB_TEST_EMULATOR
  choices.push_back({0, DeviceType::kEmu});
#endif
  return choices;
}

// Makes KernelCall run on one backend for the lifetime of the object; without one it is the CPU:
//   const TestBackend backend(GENERATE(from_range(test_backends())));
class TestBackend {
 public:
  explicit TestBackend(const BackendChoice& choice)
      : device_(choice.device),
        level_(choice.device == DeviceType::kCpu ? choice.simd_level : HWY_SCALAR) {
    current() = this;
  }
  ~TestBackend() { current() = nullptr; }
  TestBackend(const TestBackend&) = delete;
  TestBackend& operator=(const TestBackend&) = delete;

  std::string name() const {
    return device_ == DeviceType::kEmu    ? "emu"
           : device_ == DeviceType::kCuda ? "cuda"
                                          : "cpu " + level_.name();
  }
  // Whether the CUDA kernels run, emulated or not.
  bool emulated() const { return device_ != DeviceType::kCpu; }
  // Whether multiply-add rounds once. Kernels say fmaf where it matters.
  bool has_fma() const { return emulated() || level_.has_fma(); }

  static DeviceType current_device() {
    return current() == nullptr ? DeviceType::kCpu : current()->device_;
  }

 private:
  static TestBackend*& current() {
    static TestBackend* backend = nullptr;
    return backend;
  }

  DeviceType device_;
  SimdLevel level_;
};

// The kernels of the current backend.
inline const KernelTable& current_kernels() {
#if EBB_TEST_CUDA
  if (TestBackend::current_device() == DeviceType::kCuda) return cuda_kernels();
#endif
#if EBB_TEST_EMULATOR
  if (TestBackend::current_device() == DeviceType::kEmu) return emu_kernels();
#endif
  return cpu_kernels();
}

// Null on the CPU.
inline DeviceMemory* current_memory() {
#if EBB_TEST_CUDA
  if (TestBackend::current_device() == DeviceType::kCuda) return &gpu_memory();
#endif
#if EBB_TEST_EMULATOR
  static EmulatedMemory emulated;
  if (TestBackend::current_device() == DeviceType::kEmu) return &emulated;
#endif
  return nullptr;
}

// One call of a kernel, with the memory that its arguments point to:
//   KernelCall call;
//   call.run(&KernelTable::ema, {count, decay, call.in(param), call.inout(ema)}, threads);
// On the CPU the pointers are the vectors' own. Elsewhere every array is a block of its own,
// written once and bounded. On the emulator the call runs checked in forward order and then in the
// two other orders, on a GPU twice; all must give the same bits.
class KernelCall {
 public:
  KernelCall() = default;
  KernelCall(const KernelCall&) = delete;
  KernelCall& operator=(const KernelCall&) = delete;
  ~KernelCall() {
    for (const Block& block : blocks_) memory_->release(block.device);
  }

  template <typename T>
  const T* in(const std::vector<T>& values) {
    return static_cast<const T*>(
        stage(const_cast<T*>(values.data()), values.size() * sizeof(T), Use::kIn));
  }
  // Everything is written.
  template <typename T>
  T* out(std::vector<T>& values) {
    return static_cast<T*>(stage(values.data(), values.size() * sizeof(T), Use::kOut));
  }
  template <typename T>
  T* out(T& value) {
    return static_cast<T*>(stage(&value, sizeof(T), Use::kOut));
  }
  template <typename T>
  T* inout(std::vector<T>& values) {
    return static_cast<T*>(stage(values.data(), values.size() * sizeof(T), Use::kInOut));
  }
  void* scratch(int64_t bytes) {
    scratch_.emplace_back(static_cast<size_t>(bytes), char{-1});
    return stage(scratch_.back().data(), scratch_.back().size(), Use::kScratch);
  }

  template <typename Args>
  void run(KernelEntry<void(const Args&, KernelStream)> KernelTable::*entry,
           const std::type_identity_t<Args>& args, int threads = 1) {
    const auto& [kernel, name] = current_kernels().*entry;
    EBB_CHECK(kernel != nullptr, Error, "kernel ", name, " missing in the table of ",
              current_kernels().name);
    if (memory_ == nullptr) {
      kernel(args, {.threads = threads});
      return;
    }
    for (int index = 0; index < memory_->runs(); ++index) {
      for (const Block& block : blocks_) fill(block, index == 0);
      memory_->run(index, [&, launch = kernel] { launch(args, {}); });
      for (Block& block : blocks_) collect(block, index == 0);
    }
    for (const Block& block : blocks_) {
      if (is_result(block)) std::memcpy(block.host, block.first_result.data(), block.bytes);
    }
  }

 private:
  enum class Use { kIn, kOut, kInOut, kScratch };
  struct Block {
    void* host;
    size_t bytes;
    Use use;
    void* device;
    std::vector<char> first_result;
  };

  void* stage(void* host, size_t bytes, Use use) {
    if (memory_ == nullptr || host == nullptr) return host;
    for (const Block& block : blocks_) {
      if (block.host == host) return block.device;  // the same array twice
    }
    blocks_.push_back({host, bytes, use, memory_->allocate(bytes), {}});
    return blocks_.back().device;
  }

  static bool is_result(const Block& block) {
    return block.use == Use::kOut || block.use == Use::kInOut;
  }

  // Fresh blocks hold NaN and count as unwritten; later runs start from NaN again.
  void fill(const Block& block, bool fresh) const {
    if (block.use == Use::kIn || block.use == Use::kInOut) {
      memory_->write(block.device, block.host, block.bytes);
    } else if (!fresh) {
      memory_->poison(block.device, block.bytes);
    }
  }

  void collect(Block& block, bool first) const {
    if (!is_result(block)) return;
    std::vector<char> result(block.bytes);
    memory_->read(result.data(), block.device, block.bytes);
    if (first) {
      block.first_result = std::move(result);
    } else {
      EBB_CHECK(result == block.first_result, Error,
                "the result depends on the order in which threads run");
    }
  }

  DeviceMemory* memory_ = current_memory();
  std::vector<Block> blocks_;
  std::vector<std::vector<char>> scratch_;
};

}  // namespace ebb::test
