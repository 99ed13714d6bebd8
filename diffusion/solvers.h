#pragma once

#include <memory>
#include <vector>

#include "diffusion/sampler.h"

namespace ebb {

// The samplers by how they compute, for make_sampler().
std::unique_ptr<Sampler> make_linear_sampler(Context& context,
                                             const std::vector<LinearStep>& steps);
std::unique_ptr<Sampler> make_heun_sampler(Context& context, const SamplingSchedule& schedule);
std::unique_ptr<Sampler> make_dpmpp_sampler(Context& context, const SamplingSchedule& schedule);

}  // namespace ebb
