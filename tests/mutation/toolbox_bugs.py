"""Mistakes that are easily made in the diffusion toolbox, each as a replacement in one file."""

from typing import NamedTuple


class Bug(NamedTuple):
    name: str
    file: str
    find: str  # occurs once
    put: str


BUGS = (
    Bug(
        "flip along the wrong axis",
        "diffusion/sampling/view.cc",
        "return Pixel{h - 1 - i, j}; });",
        "return Pixel{i, w - 1 - j}; });",
    ),
    Bug(
        "rotate_cw and rotate_ccw exchanged",
        "diffusion/sampling/view.cc",
        '{"rotate_cw", rotate_cw, true},\n    {"rotate_ccw", rotate_ccw, true},',
        '{"rotate_cw", rotate_ccw, true},\n    {"rotate_ccw", rotate_cw, true},',
    ),
    Bug(
        "one unconditional estimate for all views",
        "diffusion/sampling/recipe.cc",
        "term.view = part.view;",
        "if (term.variance_weight != 0) term.view = part.view;",
    ),
    Bug(
        "answers seen through the view, not its inverse",
        "diffusion/sampling/denoiser.cc",
        "seen.view.is_identity() ? seen.view : inverse(seen.view);",
        "seen.view;",
    ),
    Bug(
        "negate negates the variance too",
        "diffusion/sampling/denoiser.cc",
        "index(back, channels, out_channels_, false)",
        "index(back, channels, out_channels_, true)",
    ),
    Bug(
        "hybrid averages its parts",
        "diffusion/sampling/recipe.cc",
        "term.filter = part.filter;",
        "term.filter = part.filter;\n      term.weight /= static_cast<double>(parts.size());",
    ),
    Bug(
        "hybrid sums the variances",
        "diffusion/sampling/recipe.cc",
        "term.variance_weight /= static_cast<double>(parts.size());",
        "",
    ),
    Bug(
        "high-pass without the subtraction",
        "diffusion/sampling/filter.cc",
        "return one_minus(gaussian(taps, sigma)); }",
        "return one_minus({BaseKind::kIdentity, taps, sigma}); }",
    ),
    Bug(
        "blur pads with zeros",
        "kernels/line_filter_cpu.cc",
        "const float* source = x + reflect(j + shift, args.w) * c;",
        "if (j + shift < 0 || j + shift >= args.w) continue;\n"
        "      const float* source = x + reflect(j + shift, args.w) * c;",
    ),
    Bug(
        "blur repeats the edge pixel",
        "kernels/line_filter_cpu.cc",
        "if (position < 0) return -position;",
        "if (position < 0) return -position - 1;",
    ),
    Bug(
        "variance of the next step, t' instead of t",
        "diffusion/sampling/solvers.cc",
        ".log_deviation = step.log_deviation.data<float>(),",
        ".log_deviation = steps_[std::min<size_t>(index + 1, steps_.size() - 1)]\n"
        "                                          .log_deviation.data<float>(),",
    ),
    Bug(
        "variance of the unconditional answer",
        "diffusion/sampling/recipe.cc",
        "base.variance_weight = 0;",
        "recipe.front().variance_weight = 0;",
    ),
    Bug(
        "guidance scale (1 + w)",
        "diffusion/sampling/recipe.cc",
        "recipe.front().weight = scale;",
        "scale += 1;\n  recipe.front().weight = scale;",
    ),
    Bug(
        "mask inverted",
        "diffusion/commands/inpaint.cc",
        "for (const float value : mask) wide.insert(wide.end(), static_cast<size_t>(image[2]), value);",
        "for (const float value : mask) {\n"
        "    wide.insert(wide.end(), static_cast<size_t>(image[2]), 1 - value);\n  }",
    ),
    Bug(
        "named masks keep what they should make new",
        "diffusion/program/input_picture.cc",
        "columns.contains(x) && rows.contains(y) ? 1.0f : 0.0f",
        "columns.contains(x) && rows.contains(y) ? 0.0f : 1.0f",
    ),
    Bug(
        "known pixels not put back at the end",
        "diffusion/sampling/constraint.cc",
        "void KnownPixels::at_end(const Tensor& x) { keep(original_, x); }",
        "void KnownPixels::at_end(const Tensor&) {}",
    ),
    Bug(
        "known pixels noised to t instead of t'",
        "diffusion/sampling/sampler.cc",
        "constraint->after_step(after, number, noise, x);",
        "constraint->after_step(before, number, noise, x);",
    ),
    Bug(
        "resampling goes back without noise",
        "diffusion/sampling/sampler.cc",
        "std::array{ratio, std::sqrt(std::max(variance, 0.0))}",
        "std::array{ratio, 0 * std::sqrt(std::max(variance, 0.0))}",
    ),
    Bug(
        "i_start off by one",
        "diffusion/commands/drawing.cc",
        "return {walk.begin() + start, walk.end()};",
        "return {walk.begin() + start + 1, walk.end()};",
    ),
    Bug(
        "edit starts from the clean picture",
        "diffusion/sampling/generate.cc",
        "return add_noise(context, request.walk.front(),",
        "return add_noise(context, request.walk.back(),",
    ),
    Bug(
        "fixed small variance where large is asked for",
        "diffusion/sampling/sampler.cc",
        "result.noise_factor = std::sqrt(step.beta);",
        "result.noise_factor = std::sqrt(small);",
    ),
    Bug(
        "flow time reversed",
        "diffusion/sampling/noise_level.cc",
        "          .time = time,\n          .timestep = -1};",
        "          .time = 1 - time,\n          .timestep = -1};",
    ),
    Bug(
        "Heun without its second slope",
        "diffusion/sampling/solvers.cc",
        "average_.push_back(coefficients(context, std::array{1.0, h / 2, h / 2}));",
        "average_.push_back(coefficients(context, std::array{1.0, h, 0.0}));",
    ),
    Bug(
        "DDIM ignores eta",
        "diffusion/sampling/sampler.cc",
        "eta * eta * (1 - next_signal)",
        "0 * eta * (1 - next_signal)",
    ),
    Bug(
        "DPM-Solver++ of first order only",
        "diffusion/sampling/solvers.cc",
        "if (step.second.defined() && has_before) {",
        "if (step.second.defined() && has_before && index < 0) {",
    ),
    Bug(
        "resize without antialiasing",
        "diffusion/picture/resize.cc",
        "const double scale = std::max(ratio, 1.0);",
        "const double scale = 1.0;",
    ),
    Bug(
        "dark on light is not inverted",
        "diffusion/program/input_picture.cc",
        "return format.light_on_dark && border_mean(to_grey(image), 0) > kMiddle;",
        "return format.light_on_dark && border_mean(to_grey(image), 0) > 255;",
    ),
    Bug(
        "a random seed is not recorded for rerun",
        "diffusion/commands/drawing.cc",
        'arguments_.insert(arguments_.end(), {"--seed", std::to_string(first_seed_)});',
        "arguments_.shrink_to_fit();",
    ),
    Bug(
        "rerun makes the command's first picture, whatever its seed",
        "diffusion/commands/redraw_flags.cc",
        "std::to_string(flags.picture)}",
        "std::to_string(0 * flags.picture)}",
    ),
)
