#include "apps/ebb/image_start.h"

#include "nn/param_collector.h"

namespace ebb {

ImageFormat format_of(const SampleJob& job) {
  ImageFormat format = image_format(job.model().network);
  format.range = job.range();
  return format;
}

StartImage read_start(const SampleJob& job, const InputFlags& flags) {
  const ImageFormat format = format_of(job);
  StartImage start{.image = read_input(flags, format), .values = {}, .tensor = {}};
  start.values = start.image.values(format);
  start.tensor = Tensor::from_host(job.context(), with_batch(1, job.image()),
                                   std::span<const float>(start.values));
  return start;
}

std::vector<Image> images_of(const SampleJob& job, std::span<const float> values) {
  return to_images(values, job.image(), job.range());
}

}  // namespace ebb
