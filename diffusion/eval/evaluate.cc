#include "diffusion/eval/evaluate.h"

#include <algorithm>

namespace ebb {

MnistDataset spread(const MnistDataset& data, int64_t count) {
  MnistDataset some{.count = std::min(count, data.count),
                    .images = {},
                    .labels = {},
                    .fingerprint = data.fingerprint};
  for (int64_t i = 0; i < some.count; ++i) {
    const int64_t index = i * data.count / some.count;
    const auto image = data.images.begin() + index * MnistDataset::kPixels;
    some.images.insert(some.images.end(), image, image + MnistDataset::kPixels);
    some.labels.push_back(data.labels[index]);
  }
  return some;
}

std::vector<float> to_floats(std::span<const uint8_t> bytes) {
  std::vector<float> values;
  values.reserve(bytes.size());
  for (const uint8_t byte : bytes) values.push_back(static_cast<float>(byte) / 255.0f);
  return values;
}

}  // namespace ebb
