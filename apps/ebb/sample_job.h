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
#include "diffusion/presets.h"
#include "diffusion/prompt_embeddings.h"

namespace ebb {

// The part that all sampling commands share: opens device and model, turns flags into a request for
// the pipeline, shows progress, and describes the images in files and messages.
class SampleJob {
 public:
  // Prints the model's warnings. `invocation` must outlive the job. UsageError when the model does
  // not enlarge images and the command does, or the other way round.
  SampleJob(const SampleFlags& flags, const Invocation& invocation, bool enlarges = false);

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

  // Null for a model without a condition; UsageError for one whose condition the flags do not give.
  Conditioner* conditioner();
  // The number of the condition that a prompt of the command's own names; UsageError names `flag`.
  int64_t find_prompt(const std::string& prompt, const std::string& flag);

  // The condition of each of `images`: --class or --prompt, else `otherwise` ("all", or "" for
  // none). Several classes take turns. UsageError when the model does not know one.
  std::vector<int64_t> classes(int64_t images, const std::string& otherwise);
  std::vector<int64_t> class_turns(const std::string& otherwise);  // those that take turns
  // The guidance to a condition per image.
  Guidance guided_to(std::span<const int64_t> labels);

  // A condition in words: "class 3", a prompt, "" for kNoClass.
  std::string text_of(int64_t label);
  // For figures: what all images show, "" when they differ; and the label of image k, its seed and,
  // where they differ, what it shows.
  std::string shared_text(std::span<const int64_t> labels);
  std::string image_label(std::span<const int64_t> labels, int64_t k, uint64_t first_seed);

  // The assignment's strided list from entry `start` on; with --steps, as many steps from that
  // level to the clean image. UsageError when the list is too short, naming --i-start.
  SamplingSchedule assignment_schedule(int64_t start);
  // The last part of the pipeline's schedule, in steps, as diffusers' "strength" 0..1 counts it.
  // UsageError, naming --strength, when that is not a step.
  SamplingSchedule strength_schedule(double strength);
  // Whether --preset, or a list of timesteps, asks for the ways of diffusers' pipelines.
  bool is_as_pipeline() const;
  // Defaults of a command that is a pipeline of its own: steps and guidance to a text, see
  // is_as_pipeline().
  void set_pipeline_defaults(int64_t steps, double text_scale);
  // Seeds, guidance and schedule for `images`; the rest is the command's. An empty schedule is the
  // pipeline's.
  GenerateRequest request(int64_t images, const SamplingSchedule& schedule = {});

  // -o, --grid, --gif; `columns` when --grid-cols is not given. Checked before the work begins.
  // `motion`: what the command's other animation shows, kTurn or kStepBack.
  OutputFiles files(int64_t images, int64_t columns, const std::string& motion = "") const;

  // A line about an input, shown once the files are known: one of them may take standard output.
  void note_input(const std::string& line) const { input_note_ = line; }

  // An input has the model's size: images of their own keep it, unless --scale is given. Call
  // before files().
  void keep_size() const { keeps_size_ = true; }

  // Whether the command is to mean what it meant in early versions, see RerunTarget.
  bool early() const { return invocation_.rerun.early; }

  // Index of the single image that `ebb rerun` regenerates; nullopt: generate all.
  std::optional<int64_t> only_image() const;

  // Generates the values [images, H, W, C] with a progress bar and writes the frames of --gif.
  std::vector<float> generate(const GenerateRequest& request, const OutputFiles& files,
                              const std::function<void(const GenerateStep&)>& on_step = nullptr);

  // Generates images [done, done + request.images) of `all`, as one part of a longer work with one
  // progress bar; nothing else is written.
  std::vector<float> generate_block(const GenerateRequest& request, int64_t done, int64_t all);

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
  double cfg_scale() const;  // 1 for a model that knows nothing to guide away from
  bool reads_text() const { return text_input(model_.network) != nullptr; }
  void make_conditioner();
  void refuse_condition_flags() const;
  void check_class_flags() const;
  int64_t negative();
  Provenance animation_provenance(const GenerateRequest& request) const;

  SampleFlags flags_;
  const Invocation& invocation_;
  mutable Results results_;
  std::vector<std::string> arguments_;
  mutable std::string input_note_;
  mutable bool keeps_size_ = false;
  Progress progress_;
  std::unique_ptr<Context> context_;
  Model model_;
  std::shared_ptr<Conditioner> conditioner_;  // see conditioner()
  bool has_conditioner_ = false;              // it was made
  std::optional<InputFile> embeddings_file_;
  std::optional<Pipeline> pipeline_;
  uint64_t first_seed_;
  double text_scale_ = 7;  // of the assignment, and of the pipeline that samples
  bool enlarges_;
  bool releases_weights_ = false;
  double seconds_ = 0;  // spent in generate()
};

// As square as it gets.
int64_t square_columns(int64_t images);

}  // namespace ebb
