#include "kernels/conv/cpu/conv_plan.h"

#include "kernels/conv/cpu/conv_winograd.h"
#include "kernels/conv/tap_list.h"

namespace ebb::cpu {
namespace {

// A register tile of full vectors would compute 16 output channels to keep one. Dot products over
// input channels read whole vectors, of at most 16 lanes.
bool prefers_dot(const TapList& list) { return list.out.c <= 2 && list.in.c % 16 == 0; }

// From here on, tiles of 4x4 stay within what a sum of so many rounded products is allowed, the
// limit of every algorithm in tests/kernels/conv/conv_test.cc: it grows with the sum, their error
// hardly.
constexpr int64_t kMinTerms4 = 9 * 64;

// Below, the transforms cost more than the products they save.
constexpr double kMinSaving = 1.6, kMinSaving4 = 2.5;

// Transformed weights (or the partial gradient) are 16/9 or 4 times the weights. From here on that
// is more memory than speed is worth.
constexpr int64_t kMaxPartsBytes = int64_t{128} << 20;

// Transforming weights where they are used costs as much as the products of a few tiles. This is
// for one image: packed weights serve every batch.
constexpr int64_t kMinTransformingTiles = 16;

bool pays(const TapList& list, ConvPass pass, int64_t size, double min_saving) {
  if (winograd_saving(list, size) < min_saving) return false;
  if (pass != ConvPass::kBackwardWeight && winograd_transforms_in_use(list, size)) {
    return winograd_image_tiles(list, size) >= kMinTransformingTiles;
  }
  return winograd_parts_bytes(list, size) <= kMaxPartsBytes;
}

}  // namespace

ConvAlgorithm conv_algorithm(const ConvGeometry& geometry, ConvPass pass, const ConvMath& math) {
  if (!math.winograd) return ConvAlgorithm::kDirect;
  const TapList list = tap_list(geometry, pass);
  if (pass != ConvPass::kBackwardWeight && prefers_dot(list)) return ConvAlgorithm::kDot;
  // A weight gradient sums over pixels instead of channels.
  const bool weight = pass == ConvPass::kBackwardWeight;
  const int64_t terms = weight ? list.out.h * list.out.w : 9 * list.in.c;
  if (terms >= kMinTerms4 && pays(list, pass, 4, kMinSaving4)) return ConvAlgorithm::kWinograd4;
  if (pays(list, pass, 3, kMinSaving)) return ConvAlgorithm::kWinograd3;
  return pays(list, pass, 2, kMinSaving) ? ConvAlgorithm::kWinograd2 : ConvAlgorithm::kDirect;
}

}  // namespace ebb::cpu
