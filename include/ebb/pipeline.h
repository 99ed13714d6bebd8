#pragma once

#include <ebb/context.h>
#include <ebb/export.h>
#include <ebb/image.h>
#include <ebb/model.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ebb::api {

// Settings of a pipeline's sampler.
struct PipelineOptions {
  std::string sampler = {};   // "ddpm", "ddim", "dpm++" for ddpm models, "euler", "heun" for flow;
                              // empty: the first that fits the model
  int64_t steps = 0;          // 0: the sampler's own number
  std::string variance = {};  // of ddpm: "fixed_large", "fixed_small"; empty: by model
  std::optional<double> eta = {};  // of ddim: 0 (the default) adds no noise, 1 as much as ddpm
  int64_t batch_size = 64;         // images computed at once; no pixel depends on it
};

// The images to generate. Image i has seed `seed + i`: it is the same, to the last bit, in any
// batch and with any number of threads.
struct GenerateRequest {
  // One for each image, or one for all: prompts that name a class ("7", "seven", "a photo of a
  // seven"), or labels, the numbers of classes from 0 (-1: any). Both empty: any class.
  std::vector<std::string> prompts = {};
  std::vector<int64_t> labels = {};
  int64_t images = 0;         // 0: one for each prompt or label, at least one
  double guidance_scale = 5;  // classifier-free guidance; 1: the condition alone
  uint64_t seed = 0;

  // Editing (SDEdit, Meng et al. 2022): starts from this image of the model's size, with the noise
  // of the last `strength` of the steps. 0 < strength <= 1.
  std::optional<Image> image = {};
  double strength = 0.75;
  // Inpainting: a gray image of the model's size; from 128 on the pixel is made anew, below it
  // stays that of `image`, to the last bit. All steps are taken; strength does not matter.
  std::optional<Image> mask = {};

  // Anagrams (Geng, Park, Owens, "Visual Anagrams", 2024): prompts or labels belong to views, one
  // for each, and every image shows all of them. "identity", "rotate_180", "flip", "rotate_cw",
  // "jigsaw", ...: `ebb anagram --help` lists them.
  std::vector<std::string> views = {};
};

// The state of images [first_image, first_image + N) after `step` of `steps` steps; step 0 is
// before the first. The functions may be called during the callback.
struct GenerateStep {
  int64_t first_image;
  int64_t step;
  int64_t steps;
  const std::function<std::vector<Image>()>& noisy_images;
  // The model's estimate of the clean images: costs one more evaluation of the model, changes no
  // later result.
  const std::function<std::vector<Image>()>& clean_images;
};

// Called after every step, batch by batch; returns false to stop. What it throws ends generate().
using GenerateCallback = std::function<bool(const GenerateStep& step)>;

// A model ready to generate images. Copies are the same pipeline.
class EBB_API Pipeline {
 public:
  // UsageError names the option that does not fit the model, or the model when it cannot sample.
  Pipeline(const Context& context, const Model& model, const PipelineOptions& options = {});

  // Stopped by the callback, it returns the images of complete batches, which may be none.
  // UsageError names the field of the request that does not fit; DivergedError when a pixel is not
  // finite.
  std::vector<Image> generate(const GenerateRequest& request,
                              const GenerateCallback& on_step = nullptr) const;

  std::string sampler() const;  // "ddpm", ...
  int64_t steps() const;

 private:
  struct EBB_LOCAL Impl;
  std::shared_ptr<const Impl> impl_;
};

}  // namespace ebb::api
