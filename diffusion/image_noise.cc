#include "diffusion/image_noise.h"

#include "kernels/kernel_table.h"

namespace ebb {

void ImageNoise::start(const Tensor& x) const { fill(RandomStream::kStart, 0, x); }

void ImageNoise::step(int64_t index, const Tensor& z) const {
  fill(RandomStream::kSampler, index, z);
}

void ImageNoise::reference(int64_t index, const Tensor& z) const {
  fill(RandomStream::kReference, index, z);
}

void ImageNoise::fill(RandomStream stream, int64_t step, const Tensor& y) const {
  // The image's seed is its number under one key: seed s + 1 is the second image of seed s.
  context_.launch(&KernelTable::random_normal,
                  RandomFillArgs{.seed = 0,
                                 .stream = stream,
                                 .image0 = first_seed_,
                                 .step = static_cast<uint32_t>(step),
                                 .n = y.shape()[0],
                                 .elements = y.elements() / y.shape()[0],
                                 .y = y.data<float>()});
}

}  // namespace ebb
