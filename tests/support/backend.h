#pragma once

#include <hwy/targets.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>
#include <vector>

#include "engine/base/error.h"
#include "kernels/kernel_table.h"
#include "tests/support/simd_level.h"
#if EBB_TEST_EMULATOR
#include "tests/support/emulated.h"
#endif

namespace ebb::test {

// A backend whose kernels a test runs: the CPU at one SIMD level, or the CUDA kernels on the
// emulator.
struct BackendChoice {
  int64_t simd_level = 0;
  bool emulated = false;
};

inline std::vector<BackendChoice> test_backends() {
  std::vector<BackendChoice> choices;
  for (int64_t level : simd_levels()) choices.push_back({level, false});
#if EBB_TEST_EMULATOR
  choices.push_back({0, true});
#endif
  return choices;
}

// Makes KernelCall run on one backend for the lifetime of the object; without one it is the CPU:
//   const TestBackend backend(GENERATE(from_range(test_backends())));
class TestBackend {
 public:
  explicit TestBackend(const BackendChoice& choice)
      : emulated_(choice.emulated), level_(choice.emulated ? HWY_SCALAR : choice.simd_level) {
    current() = this;
  }
  ~TestBackend() { current() = nullptr; }
  TestBackend(const TestBackend&) = delete;
  TestBackend& operator=(const TestBackend&) = delete;

  std::string name() const { return emulated_ ? "emu" : "cpu " + level_.name(); }
  bool emulated() const { return emulated_; }
  // Whether multiply-add rounds once. Kernels say fmaf where it matters.
  bool has_fma() const { return emulated_ || level_.has_fma(); }

  static bool runs_emulated() { return current() != nullptr && current()->emulated_; }

 private:
  static TestBackend*& current() {
    static TestBackend* backend = nullptr;
    return backend;
  }

  bool emulated_;
  SimdLevel level_;
};

// The kernels of the current backend.
inline const KernelTable& current_kernels() {
#if EBB_TEST_EMULATOR
  if (TestBackend::runs_emulated()) return emu_kernels();
#endif
  return cpu_kernels();
}

// One call of a kernel, with the memory that its arguments point to:
//   KernelCall call;
//   call.run(&KernelTable::ema, {count, decay, call.in(param), call.inout(ema)}, threads);
// On the CPU the pointers are the vectors' own. On the emulator every array is a block of its own,
// written once and bounded; the call runs checked in forward order and then in the two other
// orders, which must give the same bits.
class KernelCall {
 public:
  KernelCall() = default;
  KernelCall(const KernelCall&) = delete;
  KernelCall& operator=(const KernelCall&) = delete;
  ~KernelCall() {
#if EBB_TEST_EMULATOR
    for (const Block& block : blocks_) simt::emulator::release(block.device);
#endif
  }

  template <typename T>
  const T* in(const std::vector<T>& values) {
    return static_cast<const T*>(
        place(const_cast<T*>(values.data()), values.size() * sizeof(T), Use::kIn));
  }
  // Everything is written.
  template <typename T>
  T* out(std::vector<T>& values) {
    return static_cast<T*>(place(values.data(), values.size() * sizeof(T), Use::kOut));
  }
  template <typename T>
  T* out(T& value) {
    return static_cast<T*>(place(&value, sizeof(T), Use::kOut));
  }
  template <typename T>
  T* inout(std::vector<T>& values) {
    return static_cast<T*>(place(values.data(), values.size() * sizeof(T), Use::kInOut));
  }
  void* scratch(int64_t bytes) {
    scratch_.emplace_back(static_cast<size_t>(bytes), char{-1});
    return place(scratch_.back().data(), scratch_.back().size(), Use::kScratch);
  }

  template <typename Args>
  void run(void (*KernelTable::*entry)(const Args&, StreamHandle),
           const std::type_identity_t<Args>& args, int threads = 1) {
    auto* kernel = current_kernels().*entry;
    EBB_CHECK(kernel != nullptr, Error, "kernel missing in the table of ", current_kernels().name);
#if EBB_TEST_EMULATOR
    if (TestBackend::runs_emulated()) {
      run_in_all_orders([&] { kernel(args, {}); });
      return;
    }
#endif
    kernel(args, {nullptr, threads});
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

  void* place(void* host, size_t bytes, Use use) {
#if EBB_TEST_EMULATOR
    if (TestBackend::runs_emulated() && host != nullptr) {
      for (const Block& block : blocks_) {
        if (block.host == host) return block.device;  // the same array twice
      }
      void* device = simt::emulator::allocate(static_cast<int64_t>(bytes), "array", /*track=*/true);
      blocks_.push_back({host, bytes, use, device, {}});
      return device;
    }
#endif
    (void)bytes;
    (void)use;
    return host;
  }

#if EBB_TEST_EMULATOR
  template <typename Launch>
  void run_in_all_orders(const Launch& launch) {
    for (const simt::emulator::Order order : kOrders) {
      const bool first = order == simt::emulator::Order::kForward;
      const EmulatorOptions options(
          {.order = order, .check = first && simt::emulator::checker_available()});
      for (const Block& block : blocks_) fill(block, first);
      launch();
      for (Block& block : blocks_) collect(block, first);
    }
    for (const Block& block : blocks_) {
      if (is_result(block)) std::memcpy(block.host, block.first_result.data(), block.bytes);
    }
  }

  static bool is_result(const Block& block) {
    return block.use == Use::kOut || block.use == Use::kInOut;
  }

  // Fresh blocks hold NaN and count as unwritten; later runs start from NaN again.
  static void fill(const Block& block, bool fresh) {
    if (block.use == Use::kIn || block.use == Use::kInOut) {
      std::memcpy(block.device, block.host, block.bytes);
      simt::emulator::mark_initialised(block.device, static_cast<int64_t>(block.bytes));
    } else if (!fresh) {
      std::memset(block.device, 0xff, block.bytes);
    }
  }

  static void collect(Block& block, bool first) {
    if (!is_result(block)) return;
    const char* data = static_cast<const char*>(block.device);
    if (first) {
      block.first_result.assign(data, data + block.bytes);
    } else {
      EBB_CHECK(std::memcmp(data, block.first_result.data(), block.bytes) == 0, Error,
                "the result depends on the order in which threads run");
    }
  }
#endif

  std::vector<Block> blocks_;
  std::vector<std::vector<char>> scratch_;
};

}  // namespace ebb::test
