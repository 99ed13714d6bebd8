#include "base/device.h"

#include "base/error.h"

namespace ebb {

std::string to_string(const Device& device) {
  switch (device.type) {
    case DeviceType::kCpu:
      return "cpu";
    case DeviceType::kCuda:
      return cat("cuda:", device.index);
    case DeviceType::kEmu:
      return "emu";
  }
  return "unknown";
}

Device parse_device(const std::string& text) {
  if (text == "cpu") return {DeviceType::kCpu, 0};
  if (text == "emu") return {DeviceType::kEmu, 0};
  if (text == "cuda") return {DeviceType::kCuda, 0};
  const std::string prefix = "cuda:";
  if (text.starts_with(prefix)) {
    const std::string digits = text.substr(prefix.size());
    if (!digits.empty() && digits.size() <= 3 &&
        digits.find_first_not_of("0123456789") == std::string::npos) {
      return {DeviceType::kCuda, std::stoi(digits)};
    }
  }
  throw UsageError(cat("--device ", text, ": expected auto, cpu, cuda, cuda:N or emu"));
}

}  // namespace ebb
