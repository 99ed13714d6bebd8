#include "diffusion/upscale.h"

#include <array>
#include <memory>

#include "apps/cli/image_bytes.h"
#include "apps/cli/image_provenance.h"
#include "apps/ebb/commands.h"
#include "apps/ebb/sample_job.h"
#include "base/text.h"
#include "image/convert.h"
#include "image/resize.h"
#include "weights/digest.h"

namespace ebb {
namespace {

// Defaults of diffusers' IFSuperResolutionPipeline.
constexpr int64_t kSteps = 50, kNoiseLevel = 250;
constexpr double kScale = 4;
// Sides of the first and the second stage of DeepFloyd IF: 64 and 256.
constexpr int kFactor = 4;

struct Flags {
  SampleFlags job;
  std::string image;
  int64_t noise_level = kNoiseLevel;
  bool noise_level_given = false;
};

struct SmallImage {
  Image image;
  InputFile file;
  std::string changes = {};  // for people; empty: none
};

// The image in the model's channels and shape, with the pixels that another model made of it.
SmallImage read_small(const Flags& flags, const Shape& large) {
  ImageBytes bytes(flags.image);
  bytes.check_image(kImageKinds);
  constexpr uint8_t kWhite = 255;
  const int width = static_cast<int>(large[1]), height = static_cast<int>(large[0]);
  SmallImage small{decode_image(bytes), {flags.image, bytes.sha256()}};
  const std::string size = cat(small.image.width, " x ", small.image.height);
  const auto provenance = read_image_file(bytes).provenance;
  if (provenance && provenance->scale > 1) {
    const int scale = provenance->scale;
    auto raw = undo_upscale(small.image, small.image.width / scale, small.image.height / scale);
    if (raw) {
      small.image = std::move(*raw);
      small.changes = cat(size, ": taken back to ", small.image.width, " x ", small.image.height);
    }
  }
  small.image = to_channels(composite(small.image, kWhite), static_cast<int>(large[2]));
  const bool has_shape = int64_t{small.image.width} * height == int64_t{small.image.height} * width;
  if (has_shape && small.image.width <= width) return small;
  const int w = std::max(1, width / kFactor), h = std::max(1, height / kFactor);
  small.image = resize_bicubic(small.image, w, h);
  small.changes = cat(size, has_shape ? ": resized to " : ": stretched to ", w, " x ", h);
  return small;
}

Guidance guidance_of(SampleJob& job, const std::vector<int64_t>& conditions,
                     const TensorMap& low_res) {
  Guidance guidance = job.guided_to(conditions);
  for (GuidanceTerm& term : guidance) term.condition.insert(low_res.begin(), low_res.end());
  return guidance;
}

void run(Flags flags, const Invocation& invocation) {
  if (flags.job.preset.empty() && flags.job.sampler.empty()) flags.job.preset = kPipelinePreset;
  SampleJob job(flags.job, invocation, /*enlarges=*/true);
  job.set_pipeline_defaults(kSteps, kScale);
  const bool is_noisy = takes_noise_level(job.model().network);
  refuse_flag(
      "--noise-level", flags.noise_level_given && !is_noisy,
      cat("for ", path_label(job.model().path), ", which is given the image without noise"));
  const SmallImage small = read_small(flags, job.image());
  if (!small.changes.empty()) {
    job.note_input(cat(path_label(small.file.path), ": ", small.changes, "\n"));
  }
  job.keep_size();
  const int64_t images = std::max<int64_t>(flags.job.count, 1);
  const std::vector<int64_t> conditions = job.classes(images, "");
  GenerateRequest request = job.request(images);
  const TensorMap low_res = low_res_condition(job.context(), job.model(),
                                              {.image = small.image,
                                               .noise_level = flags.noise_level,
                                               .images = images,
                                               .seed = request.seed},
                                              "--noise-level");
  request.guidance = guidance_of(job, conditions, low_res);
  const OutputFiles files = job.files(images, square_columns(images));
  check_grid(files, images, job.image(), request.seed + static_cast<uint64_t>(images) - 1);
  job.release_weights();

  const std::vector<Image> results =
      to_images(job.generate(request, files), job.image(), job.range());
  Provenance provenance = job.provenance(&request, job.text_of(conditions.front()));
  provenance.inputs.insert(provenance.inputs.begin(), small.file);
  std::vector<GeneratedImage> generated;
  for (int64_t k = 0; k < images; ++k) {
    generated.push_back({.image = results[static_cast<size_t>(k)],
                         .seed = request.seed + static_cast<uint64_t>(k),
                         .prompt = job.text_of(conditions[static_cast<size_t>(k)]),
                         .note = is_noisy ? cat("noise level ", flags.noise_level) : ""});
  }
  write_images(job.results(), files, generated, provenance);
  job.print_summary(images, request);
}

}  // namespace

// `ebb upscale --model DIR IMAGE`: enlarges an image with a model of a second stage, such as
// DeepFloyd IF's.
void add_upscale(Command command, const Invocation& invocation) {
  auto flags = std::make_shared<Flags>();
  command.add_option("image", flags->image, "Image to enlarge, as the first stage made it")
      .required()
      .takes(FlagValue::kImage);
  add_integer(command, "--noise-level", flags->noise_level, 0, 100'000,
              "Noise that the image gets first, 0..999: more lets the model change more (250)");
  add_sample_flags(command, flags->job,
                   {.count = "Versions to make (1)",
                    .steps = "Sampling steps (50)",
                    .output = "PNG file, with %03d for the number of the version (out_%03d.png)"},
                   [flags, command, &invocation] {
                     flags->noise_level_given = command.option("--noise-level").given();
                     run(*flags, invocation);
                   });
}

}  // namespace ebb
