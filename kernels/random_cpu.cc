#include "kernels/random.h"

#include <algorithm>

#include "engine/base/error.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/random_fill.h"
#include "kernels/philox.h"

namespace ebb::cpu {

namespace {

template <typename Make>
void fill(const RandomSource& s, int64_t begin, int64_t end, float* y, const Make& make) {
  for (int64_t e = begin; e < end; e += 4, y += 4) {
    float four[4];
    make(random_words(s.seed, s.stream, s.image, s.step, static_cast<uint32_t>(e / 4)), four);
    std::copy(four, four + std::min<int64_t>(4, end - e), y);
  }
}

using FillFn = void(const RandomSource&, int64_t begin, int64_t end, float* y);

void fill_images(const RandomFillArgs& args, int threads, FillFn* fill_fn) {
  EBB_CHECK(args.image0 + static_cast<uint64_t>(args.n) <= kRandomImages, ShapeError,
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

void fill_normal(const RandomSource& source, int64_t begin, int64_t end, float* y) {
  fill(source, begin, end, y, [](const PhiloxWords& words, float* four) {
    for (int i = 0; i < 4; i += 2) {
      const NormalPair pair = normals_from_words(words.w[i], words.w[i + 1]);
      four[i] = pair.first;
      four[i + 1] = pair.second;
    }
  });
}

void fill_uniform(const RandomSource& source, int64_t begin, int64_t end, float* y) {
  fill(source, begin, end, y, [](const PhiloxWords& words, float* four) {
    for (int i = 0; i < 4; ++i) four[i] = uniform_from_word(words.w[i]);
  });
}

void random_normal(const RandomFillArgs& args, StreamHandle stream) {
  fill_images(args, stream.threads, fill_normal);
}

void random_uniform(const RandomFillArgs& args, StreamHandle stream) {
  fill_images(args, stream.threads, fill_uniform);
}

}  // namespace ebb::cpu
