#pragma once

#include <nlohmann/json.hpp>

#include "base/dtype.h"
#include "engine/context.h"

namespace ebb {

// Units that compute a convolution's products: ordinary ones, or tensor cores on f32 rounded to
// tf32 or on 16-bit types.
enum class MathUnit { kF32, kTf32, kHalf };

// The roofline of the device. NaN: unknown, or without a meaning (the emulator).
struct DeviceRates {
  double f32_gflops, tf32_gflops, half_gflops;
  double gbytes_per_second;  // of a long copy: bytes read plus bytes written

  double gflops(MathUnit unit) const {
    return unit == MathUnit::kF32    ? f32_gflops
           : unit == MathUnit::kTf32 ? tf32_gflops
                                     : half_gflops;
  }
};

// cpu: measured in about 100 ms, the multiply-adds on operands in L1. cuda: the copy is measured,
// multiply-adds are those of the architecture at the clock that the driver reports.
DeviceRates measure_rates(Context& context);

// Name, driver and so on of a GPU, for the head of a report; empty on other devices.
nlohmann::ordered_json device_facts(const Context& context);

}  // namespace ebb
