#include "diffusion/commands/noised_pictures.h"

#include "base/text.h"
#include "diffusion/sampling/combine.h"
#include "nn/param_collector.h"

namespace ebb {

std::vector<NoisedPictures> noise_picture(const Drawing& drawing, const StartPicture& start,
                                          const std::string& timesteps, int64_t pictures) {
  EBB_CHECK(takes_time(drawing.objective()), UsageError, "--model ",
            path_label(drawing.model().path),
            ": has no timesteps. Use a model with time, or ebb denoise --sigma.");
  Context& context = drawing.context();
  const Tensor image = select_images(context, start.tensor, 0, pictures);
  const Tensor eps = Tensor::empty(context, with_batch(pictures, drawing.image()));
  ImageNoise(context, drawing.first_seed()).start(eps);
  std::vector<NoisedPictures> result;
  for (const int64_t t : parse_integers(timesteps, "-t", 0, kScale - 1)) {
    const NoiseLevel level = scale_level(drawing.objective(), t);
    result.push_back({cat("t = ", t), add_noise(context, level, image, eps)});
  }
  return result;
}

Provenance provenance_of(const Drawing& drawing, const StartPicture& start) {
  Provenance provenance = drawing.provenance(nullptr, "");
  provenance.cfg_scale = 1;
  provenance.inputs = {start.picture.file};
  return provenance;
}

}  // namespace ebb
