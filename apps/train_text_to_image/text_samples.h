#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "apps/train_text_to_image/captioned_images.h"
#include "apps/train_text_to_image/text_to_image_batches.h"
#include "diffusion/model.h"

namespace ebb {

// A prompt of a grid of samples, and of a second stage the image that is enlarged for it.
struct SamplePrompt {
  std::string text;
  std::optional<Image> small = {};
};

// The first captions of `count` images that are spread over the data set; the smaller images are
// those of the data.
std::vector<SamplePrompt> spread_prompts(const CaptionedImages& data, int64_t count,
                                         std::optional<int> small_side);

// Draws a sample for each prompt, guided, from fixed seeds, in a labeled grid of two columns of
// texts. False, without a file, when `go_on` says so between two steps.
bool write_text_samples(Context& context, const Model& model, const PromptEmbeddings& embeddings,
                        const std::vector<SamplePrompt>& prompts, const std::string& path,
                        const std::string& title, const std::function<bool()>& go_on);

}  // namespace ebb
