#include "diffusion/commands/hybrid.h"

#include <array>
#include <cmath>
#include <memory>

#include "base/text.h"
#include "diffusion/commands/drawing.h"
#include "diffusion/commands/judging.h"
#include "diffusion/commands/picture_start.h"
#include "diffusion/picture/labelled_grid.h"
#include "diffusion/sampling/classes.h"

namespace ebb {
namespace {

struct Flags {
  DrawingFlags drawing;
  std::string far, near;
  std::vector<std::string> prompts;
  std::string decomposition = "lowpass";
  int64_t taps = 0;      // 0: by the pictures' size
  double sigma = 0;      // 0: by the pictures' size
  InputFlags reference;  // --inverse
};

// A part of the pictures with its name and, unless a reference gives it, its prompt.
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
Scaled scaled(const Flags& flags, const Drawing& drawing, int64_t paper_taps, double paper_sigma) {
  const auto side = static_cast<double>(std::min(drawing.image()[0], drawing.image()[1]));
  const double factor = side / kPaperSide;
  Scaled result{.taps = flags.taps, .sigma = flags.sigma > 0 ? flags.sigma : paper_sigma * factor};
  if (result.taps == 0) {
    result.taps = 2 * std::llround((static_cast<double>(paper_taps) * factor - 1) / 2) + 1;
  }
  const int64_t most = max_taps(drawing.image()[0], drawing.image()[1]);
  EBB_CHECK(result.taps % 2 == 1 && result.taps <= most, UsageError, "--kernel ", result.taps,
            ": must be odd and at most ", most, " for pictures of ", side, " pixels");
  return result;
}

// The parts of the decomposition, coarsest first, without prompts.
std::vector<Part> parts_of(const Flags& flags, const Drawing& drawing) {
  if (flags.decomposition == "color") {
    EBB_CHECK(drawing.image()[2] > 1, UsageError,
              "--decomposition color: ", path_label(drawing.model().path),
              " draws in grey. Use lowpass, triple or motion.");
    return {{"grey", grey(), ""}, {"color", color_residual(), ""}};
  }
  if (flags.decomposition == "motion") {
    const int64_t taps = flags.taps > 0 ? flags.taps : 7;
    EBB_CHECK(taps % 2 == 1 && taps <= max_taps(drawing.image()[0], drawing.image()[1]), UsageError,
              "--kernel ", taps, ": must be odd and fit the pictures");
    return {{"moving", motion_blur(taps), ""}, {"still", motion_residual(taps), ""}};
  }
  if (flags.decomposition == "triple") {
    const Scaled far = scaled(flags, drawing, 25, 2);
    const std::vector<Filter> bands = three_bands(far.taps, far.sigma / 2, far.sigma);
    return {{"far", bands[0], ""}, {"middle", bands[1], ""}, {"near", bands[2], ""}};
  }
  const Scaled far = scaled(flags, drawing, 33, 2);
  return {{"far", low_pass(far.taps, far.sigma), ""}, {"near", high_pass(far.taps, far.sigma), ""}};
}

// Gives every part its prompt; the part without one is the reference's.
void distribute_prompts(const Flags& flags, std::vector<Part>& parts) {
  const bool is_inverse = !flags.reference.picture.empty();
  const size_t needed = parts.size() - (is_inverse ? 1 : 0);
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
            "--prompts: stands for --far and --near. Give one or the other.");
  EBB_CHECK(flags.prompts.size() == needed, UsageError, "--prompts: ", flags.prompts.size(),
            " given, expected ", needed, ", for ", parts[is_inverse ? 1 : 0].name, " to ",
            parts.back().name, ".");
  for (size_t k = 0; k < needed; ++k) {  // an inverse hybrid keeps the coarsest part
    parts[k + (is_inverse ? 1 : 0)].prompt = flags.prompts[k];
  }
}

// What pictures look like from afar: their coarse part alone.
std::vector<float> from_afar(const Drawing& drawing, const Part& part,
                             const std::vector<float>& values) {
  Shape shape = drawing.image();
  const int64_t pictures = static_cast<int64_t>(values.size()) / shape.elements();
  const Tensor x = Tensor::from_host(drawing.context(), {pictures, shape[0], shape[1], shape[2]},
                                     std::span<const float>(values));
  return FilterRunner(drawing.context(), part.filter).run(x).to_host();
}

void run(const Flags& flags, const std::vector<std::string>& arguments) {
  Drawing drawing(flags.drawing, arguments);
  std::vector<Part> parts = parts_of(flags, drawing);
  distribute_prompts(flags, parts);
  const int64_t pictures = std::max<int64_t>(flags.drawing.count, 1);
  GenerateRequest request = drawing.request(pictures, drawing.full_walk());

  std::string prompt;
  std::vector<FilteredRecipe> recipes;
  std::vector<int64_t> labels(parts.size(), kNoClass);
  const Part* known = nullptr;
  for (size_t k = 0; k < parts.size(); ++k) {
    if (parts[k].prompt.empty()) {
      known = &parts[k];
      continue;
    }
    labels[k] = drawing.class_of(parts[k].prompt,
                                 flags.prompts.empty() ? "--" + parts[k].name : "--prompts");
    recipes.push_back({parts[k].filter, drawing.guided_to(std::array{labels[k]})});
    prompt += cat(prompt.empty() ? "" : ", ", class_text(labels[k]), " ", parts[k].name);
  }
  StartPicture reference;
  if (known != nullptr) {
    // The reference gives one part after every step, so what the network says of it is not asked.
    reference = read_start(drawing, flags.reference);
    request.constraint =
        std::make_shared<KnownPart>(drawing.context(), known->filter, reference.tensor);
    recipes.push_back({known->filter, recipes.front().recipe});
  }
  request.recipe = sum_of_parts(recipes);
  const OutputFiles files = drawing.files(pictures, square_columns(pictures));

  const std::vector<float> values = drawing.draw(request, files);
  const std::vector<Image> images = to_images(values, drawing.image(), drawing.range());
  Provenance provenance = drawing.provenance(&request, prompt);
  if (known != nullptr) provenance.inputs = {reference.picture.file};
  std::vector<DrawnPicture> drawn;
  for (int64_t k = 0; k < pictures; ++k) {
    drawn.push_back({.image = images[k],
                     .seed = request.first_seed + static_cast<uint64_t>(k),
                     .prompt = prompt,
                     .note = ""});
  }
  write_pictures(files, drawn, provenance);

  const bool has_distances = flags.decomposition == "lowpass" || flags.decomposition == "triple";
  JudgePrinter judge(drawing);
  if (has_distances && labels.front() != kNoClass) {
    judge.print("from afar", from_afar(drawing, parts.front(), values), labels.front());
  }
  if (has_distances && labels.back() != kNoClass) {
    judge.print("from near", values, labels.back());
  }
  drawing.print_summary(pictures, request);
}

}  // namespace

void add_hybrid_command(Command program, const std::vector<std::string>& arguments) {
  auto flags = std::make_shared<Flags>();
  Command command = program.add_subcommand(
      "hybrid", "Draw pictures whose coarse and fine parts come from different prompts");
  command.add_option("--far", flags->far, "What is seen from afar: the low frequencies");
  command.add_option("--near", flags->near, "What is seen from near: the high frequencies");
  command
      .add_option("--prompts", flags->prompts,
                  "A prompt for each part of the decomposition, coarsest first")
      .type_name("PROMPT");
  add_choice(command, "--decomposition", flags->decomposition,
             {"lowpass", "triple", "color", "motion"},
             "Parts (lowpass): far near; far middle near; grey color; moving still");
  add_integer(command, "--kernel", flags->taps, 1, 1023,
              "Taps of the blur, odd (33 of 64 pixels; triple: 25; motion: 7)");
  add_number(command, "--sigma", flags->sigma, 0.01, 100,
             "Width of the blur in pixels (2 of 64 pixels; triple: half of it for the finer)");
  add_input_flags(command, flags->reference, /*required=*/false);
  command
      .add_option("--inverse", flags->reference.picture,
                  "A picture (as -i) whose coarse part is kept, or with --far its fine part")
      .type_name("FILE");
  add_drawing_flags(command, flags->drawing, {.takes_prompt = false},
                    [flags, &arguments] { run(*flags, arguments); });
}

}  // namespace ebb
