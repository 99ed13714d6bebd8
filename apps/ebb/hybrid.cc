#include <array>
#include <cmath>
#include <memory>
#include <optional>

#include "apps/ebb/best_images.h"
#include "apps/ebb/commands.h"
#include "apps/ebb/image_start.h"
#include "apps/ebb/motion.h"
#include "apps/ebb/sample_job.h"
#include "apps/ebb/side_by_side.h"
#include "base/text.h"
#include "diffusion/conditioner.h"
#include "image/labeled_grid.h"

namespace ebb {
namespace {

constexpr const char* kLowPass = "lowpass";
constexpr const char* kTriple = "triple";

struct Flags {
  SampleFlags job;
  std::string far, near;
  std::vector<std::string> prompts;
  std::string decomposition = kLowPass;
  std::string combine = "sum";
  int64_t taps = 0;      // 0: by the images' size
  double sigma = 0;      // 0: by the images' size
  InputFlags reference;  // --inverse
};

// A part of the images with its name and, unless a reference gives it, its prompt.
struct Part {
  std::string name;
  Filter filter;
  std::string prompt;
};

// The papers' filters are for 64 pixels. For two bands of small images a wider one works better
// (docs/anagrams.md has the sweep).
constexpr double kPaperSide = 64, kSmallSide = 28, kSmallSigma = 1.2;

struct Scaled {
  int64_t taps;
  double sigma;
};
Scaled scaled(const Flags& flags, const SampleJob& job, int64_t paper_taps, double paper_sigma) {
  const auto side = static_cast<double>(std::min(job.image()[0], job.image()[1]));
  const double factor = side / kPaperSide;
  const bool is_small = side < kPaperSide && flags.decomposition == kLowPass && !job.early();
  const double sigma = is_small ? kSmallSigma * side / kSmallSide : paper_sigma * factor;
  Scaled result{.taps = flags.taps, .sigma = flags.sigma > 0 ? flags.sigma : sigma};
  if (result.taps == 0) {
    result.taps = 2 * std::llround((static_cast<double>(paper_taps) * factor - 1) / 2) + 1;
  }
  const int64_t most = max_taps(job.image()[0], job.image()[1]);
  EBB_CHECK(result.taps % 2 == 1 && result.taps <= most, UsageError, "--kernel ", result.taps,
            ": must be odd and at most ", most, " for images of ", side, " pixels");
  return result;
}
Scaled far_filter(const Flags& flags, const SampleJob& job) {
  return scaled(flags, job, flags.decomposition == kLowPass ? 33 : 25, 2);
}

// Whether the parts are what is seen up close and from afar.
bool has_distances(const Flags& flags) {
  return flags.decomposition == kLowPass || flags.decomposition == kTriple;
}

// The parts of the decomposition, coarsest first, without prompts.
std::vector<Part> parts_of(const Flags& flags, const SampleJob& job) {
  if (flags.decomposition == "color") {
    EBB_CHECK(job.image()[2] > 1, UsageError,
              "--decomposition color: ", path_label(job.model().path),
              " generates gray images. Use lowpass, triple or motion.");
    return {{"gray", gray(), ""}, {"color", color_residual(), ""}};
  }
  if (flags.decomposition == "motion") {
    const int64_t taps = flags.taps > 0 ? flags.taps : 7;
    EBB_CHECK(taps % 2 == 1 && taps <= max_taps(job.image()[0], job.image()[1]), UsageError,
              "--kernel ", taps, ": must be odd and fit the images");
    return {{"moving", motion_blur(taps), ""}, {"still", motion_residual(taps), ""}};
  }
  if (flags.decomposition == kTriple) {
    const Scaled far = far_filter(flags, job);
    const std::vector<Filter> bands = three_bands(far.taps, far.sigma / 2, far.sigma);
    return {{"far", bands[0], ""}, {"middle", bands[1], ""}, {"near", bands[2], ""}};
  }
  const Scaled far = far_filter(flags, job);
  return {{"far", low_pass(far.taps, far.sigma), ""}, {"near", high_pass(far.taps, far.sigma), ""}};
}

// Gives every part its prompt; the part without one is the reference's.
void distribute_prompts(Flags& flags, std::vector<Part>& parts) {
  const bool is_inverse = !flags.reference.image.empty();
  const size_t needed = parts.size() - (is_inverse ? 1 : 0);
  split_lone_list(flags.prompts, needed);
  if (flags.prompts.empty()) {
    EBB_CHECK(flags.decomposition == kLowPass, UsageError, "--decomposition ", flags.decomposition,
              ": takes its prompts as --prompts, one for each of its ", parts.size(), " parts.");
    parts.front().prompt = flags.far;
    parts.back().prompt = flags.near;
    const size_t given = (flags.far.empty() ? 0 : 1) + (flags.near.empty() ? 0 : 1);
    EBB_CHECK(given == needed, UsageError, "ebb hybrid: ",
              is_inverse ? "--inverse gives one part and takes one of --far and --near for the "
                           "other."
                         : "both --far and --near are needed, or --prompts.");
    return;
  }
  EBB_CHECK(flags.far.empty() && flags.near.empty(), UsageError,
            "--prompts: replaces --far and --near. Give one or the other.");
  EBB_CHECK(flags.prompts.size() == needed, UsageError, "--prompts: ", flags.prompts.size(),
            " given, expected ", needed, ", for ", parts[is_inverse ? 1 : 0].name, " to ",
            parts.back().name, ".");
  for (size_t k = 0; k < needed; ++k) {  // an inverse hybrid keeps the coarsest part
    parts[k + (is_inverse ? 1 : 0)].prompt = flags.prompts[k];
  }
}

// The images as seen from afar: their coarse part alone.
std::vector<float> from_afar(const SampleJob& job, const Part& part,
                             const std::vector<float>& values) {
  Shape shape = job.image();
  const int64_t images = static_cast<int64_t>(values.size()) / shape.elements();
  const Tensor x = Tensor::from_host(job.context(), {images, shape[0], shape[1], shape[2]},
                                     std::span<const float>(values));
  return FilterRunner(job.context(), part.filter).run(x).to_host();
}

// Parts of a hybrid and their classes.
struct Hybrid {
  std::vector<Part> parts;
  std::vector<int64_t> labels;  // of each part; kNoClass for that of a reference
  std::optional<StartImage> reference;
  std::string prompt;  // "class 9 far, class 4 near"
};

// Reads prompts and reference and puts them into the request.
Hybrid plan_hybrid(const Flags& flags, SampleJob& job, std::vector<Part> parts,
                   GenerateRequest& request) {
  Hybrid hybrid{.parts = std::move(parts), .labels = {}, .reference = {}, .prompt = ""};
  std::vector<FilteredGuidance> guidances;
  const Part* known = nullptr;
  for (const Part& part : hybrid.parts) {
    hybrid.labels.push_back(kNoClass);
    if (part.prompt.empty()) {
      known = &part;
      continue;
    }
    int64_t& label = hybrid.labels.back();
    label =
        job.find_prompt(part.prompt, flags.prompts.empty() ? cat("--", part.name) : "--prompts");
    guidances.push_back({part.filter, job.guided_to(std::array{label})});
    hybrid.prompt += cat(hybrid.prompt.empty() ? "" : ", ", job.text_of(label), " ", part.name);
  }
  if (known != nullptr) {
    // The reference replaces one part after every step, so that part needs no prediction.
    hybrid.reference = read_start(job, flags.reference);
    request.constraint =
        std::make_shared<BandConstraint>(job.context(), known->filter, hybrid.reference->tensor);
    guidances.push_back({known->filter, guidances.front().guidance});
  }
  request.guidance = sum_of_parts(guidances);
  if (flags.combine == "mean") {
    for (GuidanceTerm& term : request.guidance) {
      term.weight /= static_cast<double>(hybrid.parts.size());
    }
  }
  return hybrid;
}

// The readings that the classifier can judge: the coarse part alone, and the whole.
std::vector<Reading> readings_of(const SampleJob& job, const Hybrid& hybrid,
                                 const std::vector<float>& values) {
  std::vector<Reading> readings;
  if (hybrid.labels.front() != kNoClass) {
    readings.push_back(
        {"from afar", from_afar(job, hybrid.parts.front(), values), hybrid.labels.front()});
  }
  if (hybrid.labels.back() != kNoClass) {
    readings.push_back({"up close", values, hybrid.labels.back()});
  }
  return readings;
}

void write(const Flags& flags, const SampleJob& job, const OutputFiles& files, const Hybrid& hybrid,
           const std::vector<float>& values, const std::vector<uint64_t>& seeds,
           const Provenance& provenance) {
  const std::vector<Image> images = images_of(job, values);
  if (files.motion) {
    const int scale = files.animation_scale(static_cast<int64_t>(seeds.size()));
    write_motion(job.results(), files, step_back_from(images, far_filter(flags, job).sigma, scale),
                 seeds, provenance);
  }
  if (files.grid && has_distances(flags) && !files.early()) {
    const std::vector<Aspect> aspects = {
        {"up close", images},
        {"from afar", images_of(job, from_afar(job, hybrid.parts.front(), values))}};
    return write_side_by_side(job.results(), files, aspects, seeds, provenance);
  }
  std::vector<GeneratedImage> generated;
  for (size_t k = 0; k < seeds.size(); ++k) {
    generated.push_back(
        {.image = images[k], .seed = seeds[k], .prompt = hybrid.prompt, .note = ""});
  }
  write_images(job.results(), files, generated, provenance);
}

void run(Flags flags, const Invocation& invocation) {
  const ImageCount count = count_images(flags.job);
  const std::string other = cat("with --decomposition ", flags.decomposition);
  refuse_flag("--best", !has_distances(flags) && flags.job.best > 0, other);
  refuse_flag("--step-back", !has_distances(flags) && !flags.job.motion_file.empty(), other);
  SampleJob job(flags.job, invocation);
  std::vector<Part> parts = parts_of(flags, job);
  distribute_prompts(flags, parts);
  GenerateRequest request = job.request(count.drawn);
  const Hybrid hybrid = plan_hybrid(flags, job, std::move(parts), request);
  const bool in_pairs = has_distances(flags) && !job.early();
  const OutputFiles files = job.files(
      count.kept,
      in_pairs && flags.job.grid ? side_by_side_columns(count.kept, 2) : square_columns(count.kept),
      kStepBack);
  if (in_pairs) {
    check_side_by_side(files, job.image(), count.kept, {"up close", "from afar"});
  } else {
    check_grid(files, count.kept, job.image(),
               request.seed + static_cast<uint64_t>(count.drawn) - 1);
  }
  PredictionPrinter classifier(job);
  if (flags.job.best > 0) classifier.check_usable("--best");
  job.release_weights();

  std::vector<float> values = job.generate(request, files);
  const auto readings = [&] {
    return has_distances(flags) ? readings_of(job, hybrid, values) : std::vector<Reading>();
  };
  const std::vector<uint64_t> seeds =
      keep_best(count, request.seed, classifier, readings(), "both ways", values);
  Provenance provenance = job.provenance(&request, hybrid.prompt);
  if (hybrid.reference)
    provenance.inputs.insert(provenance.inputs.begin(), hybrid.reference->image.file);
  write(flags, job, files, hybrid, values, seeds, provenance);
  for (const Reading& reading : readings()) classifier.print(reading);
  job.print_summary(count.drawn, request);
}

}  // namespace

// `ebb hybrid`: images whose parts, such as low and high frequencies, come from different prompts
// (Geng, Park, Owens, "Factorized Diffusion", 2024).
void add_hybrid(Command command, const Invocation& invocation) {
  auto flags = std::make_shared<Flags>();
  command.bare_word("--prompts");
  command.add_option("--far", flags->far, "Prompt for the low frequencies, visible from afar");
  command.add_option("--near", flags->near, "Prompt for the high frequencies, visible up close");
  command
      .add_option("--prompts", flags->prompts,
                  "One prompt per part of the decomposition, coarsest first")
      .type_name("PROMPT");
  add_choice(
      command, "--decomposition", flags->decomposition, {kLowPass, kTriple, "color", "motion"},
      "Decomposition (lowpass) into far, near; far, middle, near; gray, color; moving, still");
  add_choice(command, "--combine", flags->combine, {"sum", "mean"},
             "Combination of the parts (sum); mean: a common mistake, for comparison");
  add_integer(command, "--kernel", flags->taps, 1, 1023,
              "Taps of the blur, odd (33 at 64 pixels; triple: 25; motion: 7)");
  add_number(
      command, "--sigma", flags->sigma, 0.01, 100,
      "Standard deviation of the blur in pixels (1.2 at 28 pixels, 2 at 64; triple: 2 at 64, "
      "half of it for the finer)");
  add_input_flags(command, flags->reference, /*required=*/false);
  command
      .add_option("--inverse", flags->reference.image,
                  "Image (as -i) whose coarse part is kept, or with --far its fine part")
      .takes(FlagValue::kImage);
  add_sample_flags(command, flags->job,
                   {.takes_prompt = false,
                    .best = best_help("both ways"),
                    .motion_flag = "--step-back",
                    .motion = "Also write an animation that steps back from the images and comes "
                              "closer again, GIF or lossless WebP by its ending"},
                   [flags, &invocation] { run(*flags, invocation); });
}

}  // namespace ebb
