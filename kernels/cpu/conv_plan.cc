#include "kernels/cpu/conv_plan.h"

#include <atomic>

#include "kernels/cpu/conv_winograd.h"
#include "kernels/tap_list.h"

namespace ebb::cpu {
namespace {

std::atomic<ConvAlgorithms> allowed_algorithms{ConvAlgorithms::kDefault};

// A register tile of full vectors would compute 16 output channels to keep one. Dot products over
// input channels read whole vectors, of at most 16 lanes.
bool prefers_dot(const TapList& list) { return list.out.c <= 2 && list.in.c % 16 == 0; }

}  // namespace

void set_conv_algorithms(ConvAlgorithms algorithms) { allowed_algorithms = algorithms; }

ConvAlgorithm conv_algorithm(const ConvGeometry& geometry, ConvPass pass) {
  if (allowed_algorithms == ConvAlgorithms::kDirectOnly) return ConvAlgorithm::kDirect;
  const TapList list = tap_list(geometry, pass);
  if (pass != ConvPass::kBackwardWeight && prefers_dot(list)) return ConvAlgorithm::kDot;
  if (winograd_fits(list)) return ConvAlgorithm::kWinograd;
  return ConvAlgorithm::kDirect;
}

}  // namespace ebb::cpu
