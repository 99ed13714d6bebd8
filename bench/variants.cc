#include "bench/variants.h"

#include "bench/cuda_facts.h"
#include "bench/prepared_op.h"
#include "bench/vendor/kernels.h"
#include "kernels/conv/cpu/conv_plan.h"
#include "kernels/conv/cpu/conv_winograd.h"
#include "kernels/conv/tap_list.h"

namespace ebb {
namespace {

const char* to_string(cpu::ConvAlgorithm algorithm) {
  switch (algorithm) {
    case cpu::ConvAlgorithm::kDirect:
      return "direct";
    case cpu::ConvAlgorithm::kDot:
      return "dot";
    case cpu::ConvAlgorithm::kWinograd2:
      return "Winograd F(2x2)";
    case cpu::ConvAlgorithm::kWinograd3:
      return "Winograd F(3x3)";
    case cpu::ConvAlgorithm::kWinograd4:
      return "Winograd F(4x4)";
  }
  return "unknown";
}

double saving(const ConvGeometry& g, ConvPass pass, cpu::ConvAlgorithm algorithm) {
  const int64_t size = cpu::winograd_size(algorithm);
  return size == 0 ? 1 : cpu::winograd_saving(tap_list(g, pass), size);
}

// The algorithm planned under --kernels and, if it differs, the direct one.
std::vector<Variant> cpu_conv_variants(const Context& context, const ConvGeometry& g,
                                       ConvPass pass) {
  std::vector<Variant> variants;
  const auto add = [&](const ConvMath& math) {
    const cpu::ConvAlgorithm algorithm = cpu::conv_algorithm(g, pass, math);
    if (!variants.empty() && variants.front().kernel == to_string(algorithm)) return;
    variants.push_back({.kernel = to_string(algorithm),
                        .dtype = DType::kF32,
                        .unit = MathUnit::kF32,
                        .saving = saving(g, pass, algorithm),
                        .conv_math = math});
  };
  add(context.conv_math());
  add({.winograd = false});
  return variants;
}

std::vector<Variant> gpu_conv_variants(const Context& context, bool hopper, const ConvGeometry& g,
                                       ConvPass pass) {
  auto* kernel_name = context.kernel(&KernelTable::conv_kernel_name);
  std::vector<Variant> variants;
  const auto add = [&](DType dtype, const ConvMath& math) {
    const std::string name = kernel_name(g, pass, dtype, math);
    const bool is_f32 = dtype == DType::kF32;
    const bool tensor_cores = name == "mma.sync" || name == "wgmma";
    const std::string kernel =
        cat(is_f32 && tensor_cores ? "tf32" : ebb::to_string(dtype), " ", name);
    for (const Variant& known : variants) {
      if (known.kernel == kernel) return;
    }
    variants.push_back({.kernel = kernel,
                        .dtype = dtype,
                        .unit = !is_f32        ? MathUnit::kHalf
                                : tensor_cores ? MathUnit::kTf32
                                               : MathUnit::kF32,
                        .conv_math = math});
  };
  add(DType::kF32, {});
  add(DType::kF32, {.tf32 = true});
  for (const DType dtype : {DType::kBF16, DType::kF16}) {
    if (hopper) add(dtype, {.wgmma = true});
    add(dtype, {});
  }
  return variants;
}

std::vector<Variant> storage_variants(bool with_halves) {
  std::vector<Variant> variants = {{.kernel = "f32", .dtype = DType::kF32, .unit = MathUnit::kF32}};
  if (with_halves) {
    variants.push_back({.kernel = "bf16", .dtype = DType::kBF16, .unit = MathUnit::kHalf});
  }
  return variants;
}

bool always_f32(const OpCase& c) {
  const auto* stream = std::get_if<StreamCase>(&c.shape);
  return stream != nullptr &&
         (stream->op == StreamOp::kAdam || stream->op == StreamOp::kRandomNormal);
}

// cuDNN's 16-bit convolutions were only ever run with channels in eights.
bool vendor_takes_halves(const ConvGeometry& g) { return g.c % 8 == 0 && g.o % 8 == 0; }

void add_vendor_variants(const ConvGeometry& g, std::vector<Variant>& variants) {
  if (vendor_kernels(VendorMath::kF32) == nullptr) return;
  const auto add = [&](const char* name, DType dtype, MathUnit unit, VendorMath math) {
    variants.push_back(
        {.kernel = name, .dtype = dtype, .unit = unit, .table = vendor_kernels(math)});
  };
  add("f32 cuDNN", DType::kF32, MathUnit::kF32, VendorMath::kF32);
  add("tf32 cuDNN", DType::kF32, MathUnit::kTf32, VendorMath::kTf32);
  if (!vendor_takes_halves(g)) return;
  add("bf16 cuDNN", DType::kBF16, MathUnit::kHalf, VendorMath::kF32);
  add("f16 cuDNN", DType::kF16, MathUnit::kHalf, VendorMath::kF32);
}

}  // namespace

std::vector<Variant> variants_of(const Context& context, const OpCase& c, CasePass pass) {
  const DeviceType device = context.device().type;
  const auto* conv = std::get_if<ConvShape>(&c.shape);
  if (conv == nullptr) return storage_variants(device != DeviceType::kCpu && !always_f32(c));
  const ConvGeometry g = conv->geometry();
  const ConvPass conv_pass = conv_pass_of(pass);
  switch (device) {
    case DeviceType::kCpu:
      return cpu_conv_variants(context, g, conv_pass);
    case DeviceType::kEmu:
      return gpu_conv_variants(context, /*hopper=*/true, g, conv_pass);
    case DeviceType::kCuda:
      break;
  }
  const bool hopper = context.properties().capability == 90;
  std::vector<Variant> variants = gpu_conv_variants(context, hopper, g, conv_pass);
  add_vendor_variants(g, variants);
  return variants;
}

}  // namespace ebb
