#include "diffusion/commands/inpaint.h"

#include <iostream>
#include <memory>

#include "diffusion/commands/drawing.h"
#include "diffusion/commands/picture_start.h"
#include "diffusion/picture/labelled_grid.h"
#include "nn/param_collector.h"

namespace ebb {
namespace {

struct Flags {
  DrawingFlags drawing;
  InputFlags input;
  std::string mask;
  Resampling resampling;
};

// The mask [H, W] for every channel: [1, H, W, C].
Tensor mask_tensor(const Drawing& drawing, const std::vector<float>& mask) {
  const Shape image = drawing.image();
  std::vector<float> wide;
  for (const float value : mask) wide.insert(wide.end(), static_cast<size_t>(image[2]), value);
  return Tensor::from_host(drawing.context(), with_batch(1, image), std::span<const float>(wide));
}

// The original where the mask keeps it, mid-grey where it is to be made new.
Image with_hole(const Image& original, const std::vector<float>& mask) {
  constexpr uint8_t kGrey = 128;
  Image result = original;
  for (size_t i = 0; i < result.pixels.size(); ++i) {
    if (mask[i / static_cast<size_t>(result.channels)] == 1) result.pixels[i] = kGrey;
  }
  return result;
}

Image mask_picture(const Image& original, const std::vector<float>& mask) {
  Image result = original;
  for (size_t i = 0; i < result.pixels.size(); ++i) {
    result.pixels[i] = mask[i / static_cast<size_t>(result.channels)] == 1 ? 255 : 0;
  }
  return result;
}

// Compares the known pixels of every picture with the original's, byte by byte.
void check_known(const std::vector<Image>& pictures, const Image& original,
                 const std::vector<float>& mask) {
  const auto channels = static_cast<size_t>(original.channels);
  size_t known = 0;
  for (const float value : mask) known += value == 0 ? 1 : 0;
  for (size_t k = 0; k < pictures.size(); ++k) {
    for (size_t i = 0; i < original.pixels.size(); ++i) {
      EBB_CHECK(mask[i / channels] == 1 || pictures[k].pixels[i] == original.pixels[i], Error,
                "internal: inpaint: known pixel ", i / channels, " of picture ", k,
                " is not the original's");
    }
  }
  std::cout << "known pixels: " << known << " of " << mask.size() << ", byte-equal in "
            << pictures.size() << " of " << pictures.size()
            << (pictures.size() == 1 ? " picture\n" : " pictures\n");
}

void run(const Flags& flags, const std::vector<std::string>& arguments) {
  Drawing drawing(flags.drawing, arguments);
  const StartPicture start = read_start(drawing, flags.input);
  const Shape image = drawing.image();
  const Mask mask =
      read_mask("--mask", flags.mask, static_cast<int>(image[1]), static_cast<int>(image[0]));
  const int64_t pictures = std::max<int64_t>(flags.drawing.count, 1);
  const std::vector<int64_t> labels = drawing.classes(pictures, "");
  GenerateRequest request = drawing.request(pictures, drawing.full_walk());
  request.recipe = drawing.guided_to(labels);
  request.resampling = flags.resampling;
  EBB_CHECK(flags.resampling.times == 1 || flags.resampling.jump < step_count(request.walk),
            UsageError, "--jump ", flags.resampling.jump, ": must be less than the ",
            step_count(request.walk),
            " steps, or nothing is walked again. Lower it or raise --steps.");
  request.constraint = std::make_shared<KnownPixels>(
      drawing.context(), mask_tensor(drawing, mask.make_new), start.tensor);
  constexpr int64_t kBefore = 3;  // original, mask and hole, in a grid
  const OutputFiles files = drawing.files(pictures, kBefore + pictures);

  const std::vector<Image> images = pictures_of(drawing, drawing.draw(request, files));
  Provenance provenance = drawing.provenance(&request, class_text(labels.front()));
  provenance.inputs = {start.picture.file};
  if (mask.file) provenance.inputs.push_back(*mask.file);
  std::vector<DrawnPicture> drawn;
  for (int64_t k = 0; k < pictures; ++k) {
    drawn.push_back({.image = images[k],
                     .seed = request.first_seed + static_cast<uint64_t>(k),
                     .prompt = class_text(labels[k]),
                     .note = ""});
  }
  if (files.grid) {
    GridLabels grid{.title = "", .columns = {"original", "mask", "hole"}, .rows = {}};
    std::vector<Image> cells = {start.picture.image,
                                mask_picture(start.picture.image, mask.make_new),
                                with_hole(start.picture.image, mask.make_new)};
    for (int64_t k = 0; k < pictures; ++k) {
      cells.push_back(images[k]);
      grid.columns.push_back(cat("seed ", drawn[k].seed));
      provenance.seeds.push_back(drawn[k].seed);
    }
    if (flags.drawing.columns > 0) grid.columns.clear();  // rows mix what they would name
    const int64_t columns = flags.drawing.columns > 0 ? flags.drawing.columns : kBefore + pictures;
    write_figure(files, make_labelled_grid(cells, static_cast<int>(columns), grid, kFigureScale),
                 provenance);
  } else {
    write_pictures(files, drawn, provenance);
  }
  check_known(images, start.picture.image, mask.make_new);
  drawing.print_summary(pictures, request);
}

}  // namespace

void add_inpaint_command(Command program, const std::vector<std::string>& arguments) {
  auto flags = std::make_shared<Flags>();
  Command command = program.add_subcommand("inpaint", "Make part of a picture new");
  add_input_flags(command, flags->input);
  command
      .add_option("--mask", flags->mask,
                  "Picture, white where to make new, or left, right, top, bottom, center")
      .required()
      .type_name("MASK");
  add_integer(command, "--resample", flags->resampling.times, 1, 100,
              "Times each stretch of steps is walked, to make new and known agree (1: the "
              "assignment's plain loop; RePaint: 10)");
  add_integer(command, "--jump", flags->resampling.jump, 1, 1000,
              "Steps of a stretch that --resample walks again (10)");
  add_drawing_flags(command, flags->drawing, {}, [flags, &arguments] { run(*flags, arguments); });
}

}  // namespace ebb
