#pragma once

#include "diffusion/compare.h"

namespace ebb {

// References of whole sampling runs of ddpm and of consistency models, with the noise that they
// drew; S steps, N images:
//   input.x_T                    [N, C, H, W], N(0, 1)
//   input.noise                  [S, N, C, H, W]: that of step k, whatever its factor
//   input.timesteps              [S] from noise to data, in mode "course" [S + 1]. Of consistency
//                                models the network's times (f32), or integers as given to
//                                set_timesteps()
//   input.encoder_hidden_states  [2 N, R, S], the prompts to lead away from first; or [N, R, S]
//   input.class_labels           [N] or, for networks of vectors, [N, E]
//   input.image                  [N, C, h, w] in -1..1 to enlarge, with
//   input.upscale_noise          [N, C, H, W], unless the network takes no noise level
//   x.<k>                        the state after step k, from 0 on; output: the last
// and metadata "reference", a JSON object of "mode", "pipeline" (as presets.h; the default) or
// "course", "guidance_scale" (1) and "noise_level" (0) of the image to enlarge.
bool is_run_reference(const ReferenceFile& reference);

// A run adds up the errors of its steps.
CompareLimits run_limits(Precision precision);

// Runs the model as `ebb sample` and `ebb upscale` do. FormatError when the file does not go with
// the model, UsageError when the model makes no images.
Comparison compare_run(Context& context, const CompareRequest& request);

}  // namespace ebb
