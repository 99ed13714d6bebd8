#pragma once

#include <cstring>
#include <initializer_list>
#include <iterator>
#include <span>
#include <vector>

#include "emulator/launch_log.h"
#include "kernels/simt/emulator.h"
#include "testing/device_memory.h"

// Memory and settings for tests that run CUDA kernels on the emulator.
namespace ebb::test {

// An array in emulated device memory. Fresh ones hold NaN bytes; reading uninitialized bytes is an
// error under the checker.
template <class T>
class DeviceArray {
 public:
  DeviceArray(size_t count, const char* name)
      : count_(count),
        data_(static_cast<T*>(simt::emulator::allocate(static_cast<int64_t>(count * sizeof(T)),
                                                       name, /*track_initialization=*/true))) {}
  DeviceArray(const std::vector<T>& values, const char* name) : DeviceArray(values.size(), name) {
    upload(values);
  }
  ~DeviceArray() { simt::emulator::release(data_); }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;

  void upload(std::span<const T> values) {
    std::memcpy(data_, values.data(), values.size_bytes());
    simt::emulator::mark_initialized(data_, static_cast<int64_t>(values.size_bytes()));
  }
  std::vector<T> values() const { return {data_, data_ + count_}; }
  T* get() const { return data_; }
  size_t size() const { return count_; }

 private:
  size_t count_;
  T* data_;
};

// Sets the emulator's options and restores the old ones.
class EmulatorOptions {
 public:
  explicit EmulatorOptions(simt::emulator::Options options) : old_(simt::emulator::options()) {
    simt::emulator::options() = options;
  }
  ~EmulatorOptions() { simt::emulator::options() = old_; }

 private:
  simt::emulator::Options old_;
};

inline constexpr simt::emulator::Order kOrders[] = {simt::emulator::Order::kForward,
                                                    simt::emulator::Order::kReverse,
                                                    simt::emulator::Order::kShuffled};

// Runs the test checked in forward order, then unchecked in the other orders.
template <typename Test>
void for_each_order(const Test& test) {
  for (const simt::emulator::Order order : kOrders) {
    const EmulatorOptions options(
        {.order = order, .check = order == simt::emulator::Order::kForward});
    test();
  }
}

class EmulatedMemory final : public DeviceMemory {
 public:
  void* allocate(size_t bytes) override {
    return simt::emulator::allocate(static_cast<int64_t>(bytes), "array", /*track=*/true);
  }
  void release(void* data) override { simt::emulator::release(data); }
  void write(void* to, const void* from, size_t bytes) override {
    std::memcpy(to, from, bytes);
    simt::emulator::mark_initialized(to, static_cast<int64_t>(bytes));
  }
  void read(void* to, const void* from, size_t bytes) override { std::memcpy(to, from, bytes); }
  void poison(void* data, size_t bytes) override { std::memset(data, 0xff, bytes); }

  int runs() const override { return static_cast<int>(std::size(kOrders)); }
  void run(int index, const std::function<void()>& launch) override {
    const EmulatorOptions options({.order = kOrders[index], .check = index == 0});
    launch();
    if (index == runs() - 1) simt::engine::log_case();
  }
};

}  // namespace ebb::test
