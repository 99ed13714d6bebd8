#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apps/ebb/invocation.h"
#include "apps/ebb/sample_flags.h"
#include "apps/ebb/sample_output.h"
#include "diffusion/pipeline.h"

namespace ebb {

// The part that all sampling commands share: opens device and model, turns flags into a request for
// the pipeline, shows progress, and describes the images in files and messages.
class SampleJob {
 public:
  // Prints the model's warnings. `invocation` must outlive the job.
  SampleJob(const SampleFlags& flags, const Invocation& invocation);

  Context& context() const { return *context_; }
  Results& results() const { return results_; }
  std::ostream& out() const { return results_.text(); }
  std::ostream& err() const { return invocation_.err; }
  const Model& model() const { return model_; }
  const Objective& objective() const { return model_.objective; }
  Shape image() const { return model_.network.sample().shape; }  // [H, W, C]
  DataRange range() const { return model_.objective.data_range; }
  uint64_t first_seed() const { return first_seed_; }

  // Made on first use: UsageError for a model that cannot sample, and for --sampler, --variance and
  // --eta that do not fit it.
  Pipeline& pipeline();

  // The class of each of `images`: --class or --prompt, else `otherwise` ("all", or "" for none).
  // Several classes take turns. UsageError when the model does not know one.
  std::vector<int64_t> classes(int64_t images, const std::string& otherwise);
  std::vector<int64_t> class_turns(const std::string& otherwise);  // those that take turns
  // The guidance to a class per image.
  Guidance guided_to(std::span<const int64_t> labels) const;

  // The assignment's strided list from entry `start` on; with --steps, as many steps from that
  // level to the clean image. UsageError when the list is too short, naming --i-start.
  SamplingSchedule assignment_schedule(int64_t start);
  // Seeds, guidance and schedule for `images`; the rest is the command's. An empty schedule is the
  // pipeline's.
  GenerateRequest request(int64_t images, const SamplingSchedule& schedule = {});

  // -o, --grid, --gif; `columns` when --grid-cols is not given. Checked before the work begins.
  // `motion`: what the command's other animation shows, kTurn or kStepBack.
  OutputFiles files(int64_t images, int64_t columns, const std::string& motion = "") const;

  // A line about an input, shown once the files are known: one of them may take standard output.
  void note_input(const std::string& line) const { input_note_ = line; }

  // Whether the command is to mean what it meant in early versions, see RerunTarget.
  bool early() const { return invocation_.rerun.early; }

  // Index of the single image that `ebb rerun` regenerates; nullopt: generate all.
  std::optional<int64_t> only_image() const;

  // Generates the values [images, H, W, C] with a progress bar and writes the frames of --gif.
  std::vector<float> generate(const GenerateRequest& request, const OutputFiles& files,
                              const std::function<void(const GenerateStep&)>& on_step = nullptr);

  // Call before the last use of the weights: each is then freed as soon as it is packed.
  void release_weights() { releases_weights_ = true; }
  // The parameters for an executor; with release_weights() the job keeps none.
  TensorMap params();

  // `request` is null for commands that take no steps.
  Provenance provenance(const GenerateRequest* request, const std::string& prompt) const;

  // The part of all timesteps from which `request` denoises its start image, 0 to 1.
  double denoising_strength(const GenerateRequest& request) const;

  // The end of a command that samples: "20 images in 3.1s: ddpm, 300 steps, guidance 5, cpu", and
  // the profile with --profile; or the object of --json.
  void print_summary(int64_t images, const GenerateRequest& request);
  // The end of one that does not.
  void print_results();

 private:
  // The value of --gif for the value of -o.
  std::string gif_path(const std::string& output, int64_t images) const;
  double cfg_scale() const;  // 1 for a model without classes
  Provenance animation_provenance(const GenerateRequest& request) const;

  SampleFlags flags_;
  const Invocation& invocation_;
  mutable Results results_;
  std::vector<std::string> arguments_;
  mutable std::string input_note_;
  Progress progress_;
  std::unique_ptr<Context> context_;
  Model model_;
  std::optional<Pipeline> pipeline_;
  uint64_t first_seed_;
  bool releases_weights_ = false;
  double seconds_ = 0;  // spent in generate()
};

// "class 3", "" for kNoClass.
std::string class_text(int64_t label);
// For figures: the class of all images, "" when they differ; and the label of image k, its seed
// and, where they differ, its class.
std::string shared_class(std::span<const int64_t> labels);
std::string image_label(std::span<const int64_t> labels, int64_t k, uint64_t first_seed);
// As square as it gets.
int64_t square_columns(int64_t images);

}  // namespace ebb
