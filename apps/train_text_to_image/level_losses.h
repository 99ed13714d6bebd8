#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "apps/train_text_to_image/text_to_image_batches.h"

namespace ebb {

// The loss of the noise at some timesteps from the least to the most noise, of fixed images.
struct LevelLoss {
  int64_t timestep;
  double squared_error;  // mean over all numbers
};

// With these weights, through the inference graph. Nothing when `go_on` says no between two levels.
// embeddings: of the first captions of the first `images` images, in their order.
std::optional<std::vector<LevelLoss>> level_losses(Context& context, const Network& unet,
                                                   const TensorMap& weights,
                                                   const PromptEmbeddings& embeddings,
                                                   const DiffusionExamples& examples,
                                                   int64_t images,
                                                   const std::function<bool()>& go_on);

}  // namespace ebb
