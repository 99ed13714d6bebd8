#include "kernels/random/random.h"

#include "base/error.h"
#include "base/kernel_stream.h"
#include "kernels/cpu/parallel.h"
#include "kernels/random/cpu/random_fill.h"
#include "kernels/random/philox.h"

namespace ebb::cpu {

namespace {

using FillFn = void(const RandomSource&, int64_t begin, int64_t end, float* y);

void fill_images(const RandomFillArgs& args, int threads, FillFn* fill_fn) {
  EBB_CHECK(args.image0 <= kRandomImages - static_cast<uint64_t>(args.n), ShapeError,
            "cpu kernels: random numbers exist for images below 2^56, got image ", args.image0);
  EBB_CHECK(args.elements <= kRandomElements, ShapeError,
            "cpu kernels: random numbers exist for up to 2^34 elements per image, got ",
            args.elements);
  parallel_row_chunks(
      threads, args.n, args.elements, [&](int64_t image, int64_t begin, int64_t end) {
        const RandomSource source = {args.seed, args.stream,
                                     args.image0 + static_cast<uint64_t>(image), args.step};
        fill_fn(source, begin, end, args.y + image * args.elements + begin);
      });
}

}  // namespace

void random_normal(const RandomFillArgs& args, KernelStream stream) {
  fill_images(args, stream.threads, fill_normal);
}

void random_uniform(const RandomFillArgs& args, KernelStream stream) {
  fill_images(args, stream.threads, fill_uniform);
}

}  // namespace ebb::cpu
