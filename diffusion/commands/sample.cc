#include "diffusion/commands/sample.h"

#include <memory>

#include "diffusion/commands/drawing.h"
#include "diffusion/sampling/classes.h"

namespace ebb {
namespace {

void run(const DrawingFlags& flags, const std::vector<std::string>& arguments) {
  Drawing drawing(flags, arguments);
  const Walk walk = drawing.full_walk();
  const int64_t known = class_count(drawing.model().network);
  const bool all =
      known > 0 && flags.prompt.empty() && (flags.label.empty() || flags.label == "all");
  const int64_t pictures = flags.count > 0 ? flags.count : all ? known : 1;
  std::vector<int64_t> labels = drawing.classes(pictures, "all");
  const std::string all_text = all ? "all classes" : class_text(labels[0]);
  const OutputFiles files = drawing.files(pictures, all ? known : square_columns(pictures));
  GenerateRequest request = drawing.request(pictures, walk);
  if (const std::optional<int64_t> only = drawing.only_picture()) {
    labels = {labels[static_cast<size_t>(*only)]};
    request.images = 1;
    request.first_seed += static_cast<uint64_t>(*only);
  }
  request.recipe = drawing.guided_to(labels);

  const std::vector<Image> images =
      to_images(drawing.draw(request, files), drawing.image(), drawing.range());
  std::vector<DrawnPicture> drawn;
  for (int64_t i = 0; i < request.images; ++i) {
    drawn.push_back({.image = images[i],
                     .seed = request.first_seed + static_cast<uint64_t>(i),
                     .prompt = class_text(labels[i]),
                     .note = ""});
  }
  write_pictures(files, drawn, drawing.provenance(&request, all_text));
  drawing.print_summary(request.images, request);
}

}  // namespace

void add_sample_command(Command program, const std::vector<std::string>& arguments) {
  auto flags = std::make_shared<DrawingFlags>();
  Command command = program.add_subcommand("sample", "Draw pictures with a trained model");
  add_drawing_flags(command, *flags, {.count = "Pictures to draw (one of each class, or one)"},
                    [flags, &arguments] { run(*flags, arguments); });
}

}  // namespace ebb
