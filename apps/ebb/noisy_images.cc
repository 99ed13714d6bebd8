#include "apps/ebb/noisy_images.h"

#include "base/text.h"
#include "diffusion/combine.h"
#include "nn/param_collector.h"

namespace ebb {

void add_noisy_image_flags(Command command, NoisyImageFlags& flags) {
  add_input_flags(command, flags.input);
  command.add_option("-t,--timesteps", flags.timesteps, "Timesteps, 0..999 of 1000 (250,500,750)")
      .type_name("LIST")
      .list();
}

void refuse_network_flags(const SampleFlags& flags, const std::string& command) {
  EBB_CHECK(!flags.gif, UsageError, "--gif: ", command, " has no steps to animate. Leave it out.");
  refuse_step_flags(flags, cat("for ", command, ", which has no steps"));
  refuse_flag("--cfg-scale", flags.cfg_given, cat("for ", command, ", which runs no network"));
}

int64_t count_levels(const std::string& timesteps) {
  return static_cast<int64_t>(parse_integers(timesteps, "-t", 0, kScale - 1).size());
}

std::vector<NoisyImages> noise_image(const SampleJob& job, const StartImage& start,
                                     const std::string& timesteps, int64_t images) {
  EBB_CHECK(takes_time(job.objective()), UsageError, "--model ", path_label(job.model().path),
            ": has no timesteps. Use a model with time, or ebb denoise --sigma.");
  Context& context = job.context();
  const Tensor image = select_images(context, start.tensor, 0, images);
  const Tensor eps = Tensor::empty(context, with_batch(images, job.image()));
  ImageNoise(context, job.first_seed()).start(eps);
  std::vector<NoisyImages> result;
  for (const int64_t t : parse_integers(timesteps, "-t", 0, kScale - 1)) {
    const NoiseLevel level = scale_level(job.objective(), t);
    result.push_back({cat("t = ", t), add_noise(context, level, image, eps)});
  }
  return result;
}

Provenance provenance_of(const SampleJob& job, const StartImage& start) {
  Provenance provenance = job.provenance(nullptr, "");
  provenance.cfg_scale = 1;
  provenance.inputs.insert(provenance.inputs.begin(), start.image.file);
  return provenance;
}

}  // namespace ebb
