#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apps/ebb/sample_flags.h"
#include "apps/ebb/sample_output.h"
#include "diffusion/generate.h"
#include "diffusion/model_file.h"

namespace ebb {

// What every drawing command does with its flags: opens device and model, chooses what was left
// open, draws with a progress bar and writes the images with their provenance.
class SampleJob {
 public:
  // Prints the model's warnings. `arguments`: the program's command line.
  SampleJob(const SampleFlags& flags, const std::vector<std::string>& arguments);

  Context& context() const { return *context_; }
  const LoadedModel& model() const { return model_; }
  const Objective& objective() const { return model_.objective; }
  Shape image() const { return model_.network.sample().shape; }  // [H, W, C]
  DataRange range() const { return model_.objective.data_range; }
  uint64_t first_seed() const { return first_seed_; }

  // The class of each of `images`: --class or --prompt, else `otherwise` ("all", or "" for none).
  // UsageError when the model does not know it.
  std::vector<int64_t> classes(int64_t images, const std::string& otherwise) const;
  // The class that a prompt means, for commands with prompts of their own; UsageError names `flag`.
  int64_t class_of(const std::string& prompt, const std::string& flag) const;

  // The guidance scale in use: 1 for a model without classes.
  double cfg_scale() const;
  // The answer for a class per image, guided.
  Guidance guided_to(std::span<const int64_t> labels) const;

  SamplerKind sampler() const;
  // From pure noise to the clean image: --steps, or the sampler's own number of them; for ddpm with
  // a learned variance the assignment's strided list.
  SamplingSchedule full_schedule() const;
  // The assignment's strided list from entry `start` on; with --steps, as many steps from that
  // level to the clean image. UsageError when the list is too short, naming --i-start.
  SamplingSchedule assignment_schedule(int64_t start) const;
  // Sampler, seeds and batches for `images` on `walk`; the rest is the command's.
  GenerateRequest request(int64_t images, const SamplingSchedule& schedule) const;

  // -o, --grid, --gif; `columns` when --grid-cols does not say. Checked before the work begins.
  OutputFiles files(int64_t images, int64_t columns) const;

  // The number of the image in a file of its own that is drawn again, and may be drawn alone.
  std::optional<int64_t> only_image() const;

  // Runs generate() with a progress bar and keeps frames for --gif, which are written at once.
  std::vector<float> generate(const GenerateRequest& request, const OutputFiles& files,
                              const GenerateCallback& also = nullptr);

  // What draws next is the last to need the weights: each is then freed as soon as it is packed.
  void release_weights() { releases_weights_ = true; }
  // The parameters for an executor; with release_weights() the model keeps none.
  TensorMap params() { return releases_weights_ ? std::move(model_.params) : model_.params; }

  // `request` may be null for commands that take no steps.
  Provenance provenance(const GenerateRequest* request, const std::string& prompt) const;

  // "20 images in 3.1s: ddpm, 300 steps, guidance 5, cpu", and the profile with --profile.
  void print_summary(int64_t images, const GenerateRequest& request) const;

 private:
  int64_t default_steps(SamplerKind kind) const;
  DdpmVariance variance(const SamplingSchedule& schedule) const;
  Provenance animation_provenance(const GenerateRequest& request) const;

  SampleFlags flags_;
  std::vector<std::string> arguments_;
  std::unique_ptr<Context> context_;
  LoadedModel model_;
  uint64_t first_seed_;
  bool releases_weights_ = false;
  double seconds_ = 0;  // spent in draw()
};

// "class 3", "" for kNoClass.
std::string class_text(int64_t label);
// As square as it gets.
int64_t square_columns(int64_t images);

}  // namespace ebb
