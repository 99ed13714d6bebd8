#pragma once

#include <map>
#include <vector>

#include "apps/train_text_to_image/captioned_images.h"
#include "apps/train_text_to_image/text_source.h"
#include "apps/train_text_to_image/text_to_image_config.h"
#include "diffusion/batch_order.h"
#include "diffusion/schedule.h"
#include "nn/network.h"

namespace ebb {

// The numbers of a training example before they reach the device, [H, W, 3] each.
struct DiffusionExample {
  std::vector<float> clean = {}, noise = {}, noisy = {};
  std::vector<float> low_res = {};  // of the second stage: enlarged again, with noise
  int64_t timestep = 0, low_res_timestep = 0;
  int32_t text = 0;  // of the data set
};

// Makes the examples of a run. Each is a function of (seed, number of the example in the run).
class DiffusionExamples {
 public:
  DiffusionExamples(const CaptionedImages& data, const TextToImageConfig& config);

  int side() const { return side_; }
  const NoiseSchedule& schedule() const { return schedule_; }
  // Image `row` of the data set, augmented, at a random noise level.
  DiffusionExample random(int64_t row, uint64_t number) const;
  // The same image as it is with its first caption, at this level.
  DiffusionExample fixed(int64_t row, uint64_t number, int64_t timestep) const;

 private:
  DiffusionExample noisy(DiffusionExample example, uint64_t number) const;

  const CaptionedImages& data_;
  TextToImageConfig config_;
  int side_;
  NoiseSchedule schedule_;
};

// Batches of a training network (text_to_image_network.h). So a run resumes anywhere with nothing
// but its step.
class TextToImageBatches {
 public:
  TextToImageBatches(Context& context, const CaptionedImages& data, const TextToImageConfig& config,
                     const Network& network, const TextSource& text);

  int64_t steps_per_epoch() const { return order_.steps_per_epoch(); }
  // The inputs of a step from 0, on the device; batches of one size share their tensors.
  const TensorMap& stage(int64_t step);
  // The first images of the data set at one noise level, always with the same noise.
  const TensorMap& stage_fixed(int64_t images, int64_t timestep);

  const DiffusionExamples& examples() const { return examples_; }

 private:
  const TensorMap& write(const std::vector<DiffusionExample>& examples);
  const TensorMap& tensors(int64_t images);

  Context& context_;
  const Network& network_;
  const TextSource& text_;
  DiffusionExamples examples_;
  BatchOrder order_;
  std::map<int64_t, TensorMap> staged_;  // by images
};

}  // namespace ebb
