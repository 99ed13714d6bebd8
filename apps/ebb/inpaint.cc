#include <memory>

#include "apps/ebb/commands.h"
#include "apps/ebb/image_start.h"
#include "apps/ebb/sample_job.h"
#include "image/labeled_grid.h"
#include "nn/param_collector.h"

namespace ebb {
namespace {

struct Flags {
  SampleFlags job;
  InputFlags input;
  std::string mask;
  Resampling resampling;
  double strength = 1;
};

// The mask [H, W] for every channel: [1, H, W, C].
Tensor mask_tensor(const SampleJob& job, const std::vector<float>& mask) {
  const Shape image = job.image();
  std::vector<float> wide;
  for (const float value : mask) wide.insert(wide.end(), static_cast<size_t>(image[2]), value);
  return Tensor::from_host(job.context(), with_batch(1, image), std::span<const float>(wide));
}

// The original where the mask keeps it, mid-gray where it is inpainted.
Image with_hole(const Image& original, const std::vector<float>& mask) {
  constexpr uint8_t kGray = 128;
  Image result = original;
  for (size_t i = 0; i < result.pixels.size(); ++i) {
    if (mask[i / static_cast<size_t>(result.channels)] == 1) result.pixels[i] = kGray;
  }
  return result;
}

Image mask_image(const Image& original, const std::vector<float>& mask) {
  Image result = original;
  for (size_t i = 0; i < result.pixels.size(); ++i) {
    result.pixels[i] = mask[i / static_cast<size_t>(result.channels)] == 1 ? 255 : 0;
  }
  return result;
}

// Compares the known pixels of every image with the original's, byte by byte.
void check_known(Results& results, const std::vector<Image>& images, const Image& original,
                 const std::vector<float>& mask) {
  const auto channels = static_cast<size_t>(original.channels);
  size_t known = 0;
  for (const float value : mask) known += value == 0 ? 1 : 0;
  for (size_t k = 0; k < images.size(); ++k) {
    for (size_t i = 0; i < original.pixels.size(); ++i) {
      EBB_CHECK(mask[i / channels] == 1 || images[k].pixels[i] == original.pixels[i], Error,
                "internal: inpaint: known pixel ", i / channels, " of image ", k,
                " is not the original's");
    }
  }
  results.set("known_pixels", Json{{"known", known}, {"of", mask.size()}});
  results.text() << "known pixels: " << known << " of " << mask.size() << ", byte-equal in "
                 << images.size() << " of " << images.size()
                 << (images.size() == 1 ? " image\n" : " images\n");
}

void run(const Flags& flags, const Invocation& invocation) {
  SampleJob job(flags.job, invocation);
  job.set_pipeline_defaults(50, 7);  // of IFInpaintingPipeline
  InputFlags input = flags.input;
  // A mask in a file is for the image as it is.
  if (!is_mask_name(flags.mask) && input.sketch == "auto") input.sketch = "off";
  const StartImage start = read_start(job, input);
  const Shape image = job.image();
  const Mask mask =
      read_mask("--mask", flags.mask, static_cast<int>(image[1]), static_cast<int>(image[0]));
  const int64_t images = std::max<int64_t>(flags.job.count, 1);
  const std::vector<int64_t> labels = job.classes(images, "");
  const bool starts_from_image = flags.strength < 1 || job.is_as_pipeline();
  GenerateRequest request = job.request(
      images, starts_from_image ? job.strength_schedule(flags.strength) : SamplingSchedule());
  request.labels = labels;
  if (starts_from_image) request.start = start.tensor;
  request.resampling = flags.resampling;
  EBB_CHECK(flags.resampling.times == 1 || flags.resampling.jump < step_count(request.schedule),
            UsageError, "--jump ", flags.resampling.jump, ": must be less than the ",
            step_count(request.schedule),
            " steps, or nothing is resampled. Lower it or raise --steps.");
  request.constraint = std::make_shared<InpaintConstraint>(
      job.context(), mask_tensor(job, mask.inpaint), start.tensor,
      job.is_as_pipeline() ? InpaintConstraint::Known::kClean : InpaintConstraint::Known::kNoisy);
  constexpr int64_t kBefore = 3;  // original, mask and hole, in a grid
  const OutputFiles files = job.files(images, kBefore + images);
  const int64_t columns = flags.job.columns > 0 ? flags.job.columns : kBefore + images;
  const uint64_t last_seed = request.seed + static_cast<uint64_t>(images) - 1;
  check_figure(files, image, columns, (kBefore + images + columns - 1) / columns,
               {"", {flags.job.columns > 0 ? "" : cat("seed ", last_seed)}, {}});
  job.release_weights();

  const std::vector<Image> results = images_of(job, job.generate(request, files));
  Provenance provenance = job.provenance(&request, job.text_of(labels.front()));
  provenance.inputs.insert(provenance.inputs.begin(), start.image.file);
  if (!starts_from_image) provenance.denoising_strength = 1;  // from pure noise
  if (mask.file) provenance.inputs.push_back(*mask.file);
  std::vector<GeneratedImage> generated;
  for (int64_t k = 0; k < images; ++k) {
    generated.push_back({.image = results[k],
                         .seed = request.seed + static_cast<uint64_t>(k),
                         .prompt = job.text_of(labels[k]),
                         .note = ""});
  }
  if (files.grid) {
    GridLabels grid{.title = "", .columns = {"original", "mask", "hole"}, .rows = {}};
    std::vector<Image> cells = {start.image.image, mask_image(start.image.image, mask.inpaint),
                                with_hole(start.image.image, mask.inpaint)};
    for (int64_t k = 0; k < images; ++k) {
      cells.push_back(results[k]);
      grid.columns.push_back(files.early() ? cat("seed ", generated[k].seed)
                                           : job.image_label(labels, k, request.seed));
      provenance.seeds.push_back(generated[k].seed);
    }
    if (!files.early()) grid.title = job.shared_text(labels);
    if (flags.job.columns > 0) {  // rows mix what columns would name
      if (!files.early()) grid.cells = grid.columns;
      grid.columns.clear();
    }
    write_figure(job.results(), files, cells, columns, grid, provenance);
  } else {
    write_images(job.results(), files, generated, provenance);
  }
  check_known(job.results(), results, start.image.image, mask.inpaint);
  job.print_summary(images, request);
}

}  // namespace

// `ebb inpaint`: makes part of an image new and keeps the rest to the last bit (RePaint, Lugmayr
// et al. 2022).
void add_inpaint(Command command, const Invocation& invocation) {
  auto flags = std::make_shared<Flags>();
  add_input_flags(command, flags->input);
  command
      .add_option("--mask", flags->mask,
                  "Mask image, white where to inpaint; or left, right, top, bottom, center")
      .required()
      .type_name("MASK")
      .takes(FlagValue::kImage);
  add_integer(
      command, "--resample", flags->resampling.times, 1, 100,
      "RePaint resampling: how often each stretch of steps is repeated (1: the assignment's "
      "plain loop; RePaint: 10)");
  add_integer(command, "--jump", flags->resampling.jump, 1, 1000,
              "Steps per stretch that --resample repeats (10)");
  add_number(
      command, "--strength", flags->strength, 0, 1,
      "The last part of the steps to take, from the image with noise, as diffusers counts it "
      "(1: all, from noise alone)");
  add_sample_flags(command, flags->job, {}, [flags, &invocation] { run(*flags, invocation); });
}

}  // namespace ebb
