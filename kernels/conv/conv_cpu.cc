#include "kernels/conv/conv.h"

#include "base/kernel_stream.h"
#include "kernels/conv/cpu/conv_direct.h"
#include "kernels/conv/cpu/conv_plan.h"
#include "kernels/conv/cpu/conv_wgrad.h"
#include "kernels/conv/cpu/conv_winograd.h"
#include "kernels/cpu/f32.h"
#include "kernels/cpu/parallel.h"

namespace ebb::cpu {
namespace {

void run_pass(const ConvGeometry& geometry, ConvPass pass, const ConvPassArgs& args,
              const KernelStream& stream) {
  const int threads = stream.threads;
  const ConvAlgorithm algorithm = conv_algorithm(geometry, pass, stream.conv_math);
  switch (algorithm) {
    case ConvAlgorithm::kDirect:
      return direct_run(args, threads);
    case ConvAlgorithm::kDot:
      return dot_run(args, threads);
    case ConvAlgorithm::kWinograd2:
    case ConvAlgorithm::kWinograd3:
    case ConvAlgorithm::kWinograd4:
      return winograd_run(args, winograd_size(algorithm), threads);
  }
}

// y = y * scale + shift, rounded twice.
void scale_and_shift(const ConvForwardArgs& args, int threads) {
  const ConvGeometry& g = args.geometry;
  const auto of_image = [&](const void* vectors, int64_t count, int64_t image) {
    return vectors == nullptr ? nullptr : as_f32(vectors) + image % count * g.o;
  };
  parallel_for(threads, g.n * g.ho, [&](int64_t row) {
    const float* scale = of_image(args.scale, args.scale_n, row / g.ho);
    const float* shift = of_image(args.shift, args.shift_n, row / g.ho);
    float* y = as_f32(args.y) + row * g.wo * g.y_pitch;
    for (int64_t x = 0; x < g.wo; ++x, y += g.y_pitch) {
      if (scale != nullptr) {
        for (int64_t o = 0; o < g.o; ++o) y[o] *= scale[o];
      }
      if (shift != nullptr) {
        for (int64_t o = 0; o < g.o; ++o) y[o] += shift[o];
      }
    }
  });
}

}  // namespace

int64_t conv_packed_bytes(const ConvGeometry& geometry, ConvPass pass, DType dtype,
                          const ConvMath& math) {
  require_f32("conv", dtype);
  const TapList list = tap_list(geometry, pass);
  const ConvAlgorithm algorithm = conv_algorithm(geometry, pass, math);
  switch (algorithm) {
    case ConvAlgorithm::kDirect:
      return direct_packed_bytes(list);
    case ConvAlgorithm::kDot:
      return dot_packed_bytes(list);
    case ConvAlgorithm::kWinograd2:
    case ConvAlgorithm::kWinograd3:
    case ConvAlgorithm::kWinograd4:
      return winograd_packed_bytes(list, winograd_size(algorithm));
  }
  return 0;
}

void conv_pack(const ConvPackArgs& args, KernelStream stream) {
  require_f32("conv", args.dtype);
  const TapList list = tap_list(args.geometry, args.pass);
  const ConvAlgorithm algorithm = conv_algorithm(args.geometry, args.pass, stream.conv_math);
  switch (algorithm) {
    case ConvAlgorithm::kDirect:
      return direct_pack(list, args.pass, args.w, args.packed, stream.threads);
    case ConvAlgorithm::kDot:
      return dot_pack(list, args.pass, args.w, as_f32(args.packed), stream.threads);
    case ConvAlgorithm::kWinograd2:
    case ConvAlgorithm::kWinograd3:
    case ConvAlgorithm::kWinograd4:
      return winograd_pack(list, args.pass, winograd_size(algorithm), args.w, args.packed,
                           stream.threads);
  }
}

int64_t conv_workspace_bytes(const ConvGeometry& geometry, ConvPass pass, DType dtype,
                             const ConvMath& math, int threads) {
  require_f32("conv", dtype);
  const ConvAlgorithm algorithm = conv_algorithm(geometry, pass, math);
  const int64_t size = winograd_size(algorithm);
  if (pass == ConvPass::kBackwardWeight) {
    return size > 0 ? winograd_wgrad_workspace_bytes(geometry, size, threads)
                    : wgrad_workspace_bytes(geometry, threads);
  }
  const TapList list = tap_list(geometry, pass);
  return size > 0 ? winograd_workspace_bytes(list, size, threads)
                  : direct_workspace_bytes(list, threads);
}

// None: BatchNorm reads its statistics from x.
int64_t conv_moment_chunks(const ConvGeometry&, DType, const ConvMath&) { return 0; }

void conv_forward(const ConvForwardArgs& args, KernelStream stream) {
  require_f32("conv", args.dtype);
  EBB_CHECK(args.moments == nullptr, Error, "cpu kernels: conv gives no moments");
  run_pass(args.geometry, ConvPass::kForward,
           {.list = tap_list(args.geometry, ConvPass::kForward),
            .in = as_f32(args.x),
            .packed = args.packed,
            .out = as_f32(args.y),
            .epilogue = {.bias = args.bias,
                         .residual = as_f32(args.residual),
                         .residual_n = args.residual_n,
                         .activation = args.activation},
            .workspace = args.workspace},
           stream);
  if (args.scale != nullptr || args.shift != nullptr) scale_and_shift(args, stream.threads);
}

void conv_backward_input(const ConvBackwardInputArgs& args, KernelStream stream) {
  require_f32("conv", args.dtype);
  run_pass(args.geometry, ConvPass::kBackwardInput,
           {.list = tap_list(args.geometry, ConvPass::kBackwardInput),
            .in = as_f32(args.dy),
            .packed = args.packed,
            .out = as_f32(args.dx),
            .workspace = args.workspace},
           stream);
}

void conv_backward_weight(const ConvBackwardWeightArgs& args, KernelStream stream) {
  require_f32("conv", args.dtype);
  const ConvWgradArgs wgrad{.geometry = args.geometry,
                            .x = as_f32(args.x),
                            .dy = as_f32(args.dy),
                            .dw = args.dw,
                            .db = args.db,
                            .workspace = args.workspace};
  const int64_t size =
      winograd_size(conv_algorithm(args.geometry, ConvPass::kBackwardWeight, stream.conv_math));
  if (size > 0) {
    winograd_wgrad_run(wgrad, size, stream.threads);
  } else {
    wgrad_run(wgrad, stream.threads);
  }
}

}  // namespace ebb::cpu
