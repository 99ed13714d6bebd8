"""Plausible faults of the diffusion applications, each as a replacement in one file."""

from typing import NamedTuple


class Mutant(NamedTuple):
    name: str
    file: str
    find: str  # occurs once
    put: str


MUTANTS = (
    Mutant(
        "flip along the wrong axis",
        "diffusion/view.cc",
        "return Pixel{h - 1 - i, j}; });",
        "return Pixel{i, w - 1 - j}; });",
    ),
    Mutant(
        "rotate_cw and rotate_ccw exchanged",
        "diffusion/view.cc",
        '{"rotate_cw", rotate_cw, true},\n    {"rotate_ccw", rotate_ccw, true},',
        '{"rotate_cw", rotate_ccw, true},\n    {"rotate_ccw", rotate_cw, true},',
    ),
    Mutant(
        "one unconditional estimate for all views",
        "diffusion/guidance.cc",
        "term.view = part.view;",
        "if (term.variance_weight != 0) term.view = part.view;",
    ),
    Mutant(
        "predictions transformed by the view, not its inverse",
        "diffusion/denoiser.cc",
        "seen.view.is_identity() ? seen.view : inverse(seen.view);",
        "seen.view;",
    ),
    Mutant(
        "negate negates the variance too",
        "diffusion/denoiser.cc",
        "index(back, channels, out_channels_, false)",
        "index(back, channels, out_channels_, true)",
    ),
    Mutant(
        "hybrid averages its parts",
        "diffusion/guidance.cc",
        "term.filter = part.filter;",
        "term.filter = part.filter;\n      term.weight /= static_cast<double>(parts.size());",
    ),
    Mutant(
        "hybrid sums the variances",
        "diffusion/guidance.cc",
        "term.variance_weight /= static_cast<double>(parts.size());",
        "",
    ),
    Mutant(
        "high-pass without the subtraction",
        "diffusion/filter.cc",
        "return one_minus(gaussian(taps, sigma)); }",
        "return one_minus({BaseKind::kIdentity, taps, sigma}); }",
    ),
    Mutant(
        "blur pads with zeros",
        "kernels/sampling/line_filter_cpu.cc",
        "const float* source = x + reflect(j + shift, args.w) * c;",
        "if (j + shift < 0 || j + shift >= args.w) continue;\n"
        "      const float* source = x + reflect(j + shift, args.w) * c;",
    ),
    Mutant(
        "blur repeats the edge pixel",
        "kernels/sampling/line_filter_cpu.cc",
        "if (position < 0) return -position;",
        "if (position < 0) return -position - 1;",
    ),
    Mutant(
        "variance of the next step, t' instead of t",
        "diffusion/solvers.cc",
        "step.log_deviation[0],\n                             step.log_deviation[1]};",
        "steps_[std::min<size_t>(index + 1, steps_.size() - 1)].log_deviation[0],\n"
        "                             step.log_deviation[1]};",
    ),
    Mutant(
        "variance of the unconditional prediction",
        "diffusion/guidance.cc",
        "base.variance_weight = 0;",
        "guidance.front().variance_weight = 0;",
    ),
    Mutant(
        "guidance scale (1 + w)",
        "diffusion/guidance.cc",
        "guidance.front().weight = scale;",
        "scale += 1;\n  guidance.front().weight = scale;",
    ),
    Mutant(
        "mask inverted",
        "apps/ebb/inpaint.cc",
        "for (const float value : mask) wide.insert(wide.end(), static_cast<size_t>(image[2]), value);",
        "for (const float value : mask) {\n"
        "    wide.insert(wide.end(), static_cast<size_t>(image[2]), 1 - value);\n  }",
    ),
    Mutant(
        "named masks keep what they should inpaint",
        "apps/cli/input_image.cc",
        "columns.contains(x) && rows.contains(y) ? 1.0f : 0.0f",
        "columns.contains(x) && rows.contains(y) ? 0.0f : 1.0f",
    ),
    Mutant(
        "known pixels not put back at the end",
        "diffusion/constraint.cc",
        "void InpaintConstraint::at_end(const Tensor& x) { keep(original_, x); }",
        "void InpaintConstraint::at_end(const Tensor&) {}",
    ),
    Mutant(
        "known pixels noisy to t instead of t'",
        "diffusion/sampler.cc",
        "constraint->after_step(after, number, noise, x);",
        "constraint->after_step(before, number, noise, x);",
    ),
    Mutant(
        "resampling goes back without noise",
        "diffusion/sampler.cc",
        "std::array{ratio, std::sqrt(std::max(variance, 0.0))}",
        "std::array{ratio, 0 * std::sqrt(std::max(variance, 0.0))}",
    ),
    Mutant(
        "i_start off by one",
        "apps/ebb/sample_job.cc",
        "return {schedule.begin() + start, schedule.end()};",
        "return {schedule.begin() + start + 1, schedule.end()};",
    ),
    Mutant(
        "edit starts from the clean image",
        "diffusion/pipeline.cc",
        "return add_noise(context_, first_level,",
        "return add_noise(context_, schedule_.back(),",
    ),
    Mutant(
        "fixed small variance where large is requested",
        "diffusion/sampler.cc",
        "result.noise_factor = std::sqrt(step.beta);",
        "result.noise_factor = std::sqrt(small);",
    ),
    Mutant(
        "flow time reversed",
        "diffusion/noise_level.cc",
        "          .time = time,\n          .timestep = -1};",
        "          .time = 1 - time,\n          .timestep = -1};",
    ),
    Mutant(
        "Heun without its second derivative",
        "diffusion/solvers.cc",
        "1.0, h, 1.0, h / 2, h / 2};",
        "1.0, h, 1.0, h, 0.0};",
    ),
    Mutant(
        "DDIM ignores eta",
        "diffusion/sampler.cc",
        "eta * eta * (1 - next_signal)",
        "0 * eta * (1 - next_signal)",
    ),
    Mutant(
        "DPM-Solver++ of first order only",
        "diffusion/solvers.cc",
        "step.is_second && before_index_ + 1 == index;",
        "step.is_second && index < 0;",
    ),
    Mutant(
        "resize without antialiasing",
        "image/resize.cc",
        "const double scale = std::max(ratio, 1.0);",
        "const double scale = 1.0;",
    ),
    Mutant(
        "dark on light is not inverted",
        "apps/cli/input_image.cc",
        "return dark_strokes > light_strokes;",
        "return dark_strokes > light_strokes + 255;",
    ),
    Mutant(
        "a random seed is not recorded for rerun",
        "apps/ebb/sample_job.cc",
        'arguments_.insert(arguments_.end(), {"--seed", std::to_string(first_seed_)});',
        "arguments_.shrink_to_fit();",
    ),
    Mutant(
        "rerun makes the command's first image, whatever its seed",
        "apps/ebb/rerun.cc",
        ".image = file.provenance->image,",
        ".image = 0 * file.provenance->image,",
    ),
)
