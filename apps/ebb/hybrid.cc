#include <array>
#include <cmath>
#include <memory>

#include "apps/ebb/class_predictions.h"
#include "apps/ebb/commands.h"
#include "apps/ebb/image_start.h"
#include "apps/ebb/sample_job.h"
#include "base/text.h"
#include "diffusion/conditioner.h"
#include "image/labeled_grid.h"

namespace ebb {
namespace {

struct Flags {
  SampleFlags job;
  std::string far, near;
  std::vector<std::string> prompts;
  std::string decomposition = "lowpass";
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

// The papers' filters are for 64 pixels.
constexpr double kPaperSide = 64;

struct Scaled {
  int64_t taps;
  double sigma;
};
Scaled scaled(const Flags& flags, const SampleJob& job, int64_t paper_taps, double paper_sigma) {
  const auto side = static_cast<double>(std::min(job.image()[0], job.image()[1]));
  const double factor = side / kPaperSide;
  Scaled result{.taps = flags.taps, .sigma = flags.sigma > 0 ? flags.sigma : paper_sigma * factor};
  if (result.taps == 0) {
    result.taps = 2 * std::llround((static_cast<double>(paper_taps) * factor - 1) / 2) + 1;
  }
  const int64_t most = max_taps(job.image()[0], job.image()[1]);
  EBB_CHECK(result.taps % 2 == 1 && result.taps <= most, UsageError, "--kernel ", result.taps,
            ": must be odd and at most ", most, " for images of ", side, " pixels");
  return result;
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
  if (flags.decomposition == "triple") {
    const Scaled far = scaled(flags, job, 25, 2);
    const std::vector<Filter> bands = three_bands(far.taps, far.sigma / 2, far.sigma);
    return {{"far", bands[0], ""}, {"middle", bands[1], ""}, {"near", bands[2], ""}};
  }
  const Scaled far = scaled(flags, job, 33, 2);
  return {{"far", low_pass(far.taps, far.sigma), ""}, {"near", high_pass(far.taps, far.sigma), ""}};
}

// Gives every part its prompt; the part without one is the reference's.
void distribute_prompts(Flags& flags, std::vector<Part>& parts) {
  const bool is_inverse = !flags.reference.image.empty();
  const size_t needed = parts.size() - (is_inverse ? 1 : 0);
  split_lone_list(flags.prompts, needed);
  if (flags.prompts.empty()) {
    EBB_CHECK(flags.decomposition == "lowpass", UsageError, "--decomposition ", flags.decomposition,
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

void run(Flags flags, const Invocation& invocation) {
  SampleJob job(flags.job, invocation);
  std::vector<Part> parts = parts_of(flags, job);
  distribute_prompts(flags, parts);
  const int64_t images = std::max<int64_t>(flags.job.count, 1);
  GenerateRequest request = job.request(images);

  std::string prompt;
  std::vector<FilteredGuidance> guidances;
  std::vector<int64_t> labels(parts.size(), kNoClass);
  const Part* known = nullptr;
  for (size_t k = 0; k < parts.size(); ++k) {
    if (parts[k].prompt.empty()) {
      known = &parts[k];
      continue;
    }
    labels[k] = job.pipeline().label_of(parts[k].prompt,
                                        flags.prompts.empty() ? parts[k].name.c_str() : "prompts");
    guidances.push_back({parts[k].filter, job.guided_to(std::array{labels[k]})});
    prompt += cat(prompt.empty() ? "" : ", ", class_text(labels[k]), " ", parts[k].name);
  }
  StartImage reference;
  if (known != nullptr) {
    // The reference replaces one part after every step, so that part needs no prediction.
    reference = read_start(job, flags.reference);
    request.constraint =
        std::make_shared<BandConstraint>(job.context(), known->filter, reference.tensor);
    guidances.push_back({known->filter, guidances.front().guidance});
  }
  request.guidance = sum_of_parts(guidances);
  if (flags.combine == "mean") {
    for (GuidanceTerm& term : request.guidance) term.weight /= static_cast<double>(parts.size());
  }
  const OutputFiles files = job.files(images, square_columns(images));
  check_grid(files, images, job.image());
  job.release_weights();

  const std::vector<float> values = job.generate(request, files);
  const std::vector<Image> results = to_images(values, job.image(), job.range());
  Provenance provenance = job.provenance(&request, prompt);
  if (known != nullptr) provenance.inputs = {reference.image.file};
  std::vector<GeneratedImage> generated;
  for (int64_t k = 0; k < images; ++k) {
    generated.push_back({.image = results[k],
                         .seed = request.seed + static_cast<uint64_t>(k),
                         .prompt = prompt,
                         .note = ""});
  }
  write_images(job.results(), files, generated, provenance);

  const bool has_distances = flags.decomposition == "lowpass" || flags.decomposition == "triple";
  PredictionPrinter classifier(job);
  if (has_distances && labels.front() != kNoClass) {
    classifier.print("from afar", from_afar(job, parts.front(), values), labels.front());
  }
  if (has_distances && labels.back() != kNoClass) {
    classifier.print("up close", values, labels.back());
  }
  job.print_summary(images, request);
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
      command, "--decomposition", flags->decomposition, {"lowpass", "triple", "color", "motion"},
      "Decomposition (lowpass) into far, near; far, middle, near; gray, color; moving, still");
  add_choice(command, "--combine", flags->combine, {"sum", "mean"},
             "Combination of the parts (sum); mean: a common mistake, for comparison");
  add_integer(command, "--kernel", flags->taps, 1, 1023,
              "Taps of the blur, odd (33 at 64 pixels; triple: 25; motion: 7)");
  add_number(command, "--sigma", flags->sigma, 0.01, 100,
             "Standard deviation of the blur in pixels (2 at 64 pixels; triple: half of it for the "
             "finer)");
  add_input_flags(command, flags->reference, /*required=*/false);
  command
      .add_option("--inverse", flags->reference.image,
                  "Image (as -i) whose coarse part is kept, or with --far its fine part")
      .takes(FlagValue::kImage);
  add_sample_flags(command, flags->job, {.takes_prompt = false},
                   [flags, &invocation] { run(*flags, invocation); });
}

}  // namespace ebb
