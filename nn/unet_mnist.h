#pragma once

#include <optional>

#include "nn/ops.h"

namespace ebb {

enum class Conditioning { kNone, kTime, kClass };

// Combination with the time vectors when there is no class: z + t1 (DDPM preset) or z * t1 (flow
// preset). With a class it is always c1 * z + t1.
enum class TimeFusion { kAdd, kMultiply };

struct UnetMnistConfig {
  Conditioning conditioning = Conditioning::kNone;
  TimeFusion time_fusion = TimeFusion::kAdd;
  int64_t hidden = 64;  // D
  int64_t classes = 10;
};

// The assignment's UNet on 28x28 images.
//   x [N, 28, 28, 1];  t [N, 1] in [0, 1] with kTime and kClass;  c [N, classes] one-hot or zero
//   with kClass.  Returns [N, 28, 28, 1].
Value unet_mnist(Ops& ops, const UnetMnistConfig& config, Value x, std::optional<Value> t,
                 std::optional<Value> c);

}  // namespace ebb
