#pragma once

#include <string>
#include <vector>

#include "bench/device_rates.h"
#include "kernels/kernel_table.h"
#include "testing/op_cases.h"
#include "testing/op_roofline.h"

namespace ebb {

// One way to compute a pass of a case on a device.
struct Variant {
  std::string kernel;  // "Winograd F(4x4)", "bf16 wgmma", "f32 cuDNN"
  DType dtype;
  MathUnit unit;
  double saving = 1;  // multiply-adds of a direct convolution per one that is executed
  const KernelTable* table = nullptr;  // null: the context's
  ConvMath conv_math = {};
};

// The product's own choice first; vendor kernels, in builds that have them, last.
std::vector<Variant> variants_of(const Context& context, const OpCase& c, CasePass pass);

}  // namespace ebb
