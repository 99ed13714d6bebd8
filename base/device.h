#pragma once

#include <string>

namespace ebb {

// kEmu runs the CUDA kernel sources on the host; only test builds have it.
enum class DeviceType { kCpu, kCuda, kEmu };

struct Device {
  DeviceType type = DeviceType::kCpu;
  int index = 0;

  friend bool operator==(const Device&, const Device&) = default;
};

// "cpu", "cuda:0", "emu".
std::string to_string(const Device& device);

// Reads "cpu", "cuda", "cuda:N" or "emu"; anything else throws UsageError. "auto" is resolved by
// make_context(), not here.
Device parse_device(const std::string& text);

}  // namespace ebb
