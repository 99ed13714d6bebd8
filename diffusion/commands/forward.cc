#include "diffusion/commands/forward.h"

#include <memory>

#include "diffusion/commands/noised_pictures.h"
#include "diffusion/picture/labelled_grid.h"

namespace ebb {
namespace {

struct Flags {
  DrawingFlags drawing;
  InputFlags input;
  std::string timesteps = "250,500,750";
};

void run(const Flags& flags, const std::vector<std::string>& arguments) {
  EBB_CHECK(!flags.drawing.gif, UsageError,
            "--gif: ebb forward takes no steps to animate. Leave it out.");
  const Drawing drawing(flags.drawing, arguments);
  const StartPicture start = read_start(drawing, flags.input);
  const int64_t pictures = std::max<int64_t>(flags.drawing.count, 1);
  const auto noised = noise_picture(drawing, start, flags.timesteps, pictures);
  const OutputFiles files = drawing.files(pictures * static_cast<int64_t>(noised.size()), 1);
  Provenance provenance = provenance_of(drawing, start);

  std::vector<DrawnPicture> drawn;
  GridLabels labels{.title = "", .columns = {"original"}, .rows = {}};
  std::vector<std::vector<Image>> columns = {
      std::vector<Image>(static_cast<size_t>(pictures), start.picture.image)};
  for (const NoisedPictures& level : noised) {
    columns.push_back(pictures_of(drawing, level.x.to_host()));
    labels.columns.push_back(level.title);
    for (int64_t k = 0; k < pictures; ++k) {
      drawn.push_back({.image = columns.back()[k],
                       .seed = drawing.first_seed() + static_cast<uint64_t>(k),
                       .prompt = "",
                       .note = level.title});
    }
  }
  if (!files.grid) return write_pictures(files, drawn, provenance);
  std::vector<Image> cells;
  for (int64_t k = 0; k < pictures; ++k) {
    for (const std::vector<Image>& column : columns) cells.push_back(column[k]);
    provenance.seeds.push_back(drawing.first_seed() + static_cast<uint64_t>(k));
  }
  write_figure(files,
               make_labelled_grid(cells, static_cast<int>(columns.size()), labels, kFigureScale),
               provenance);
}

}  // namespace

void add_forward_command(Command program, const std::vector<std::string>& arguments) {
  auto flags = std::make_shared<Flags>();
  Command command = program.add_subcommand("forward", "Add the noise of timesteps to a picture");
  add_input_flags(command, flags->input);
  command
      .add_option("-t,--timesteps", flags->timesteps, "Noise levels, 0..999 of 1000 (250,500,750)")
      .type_name("LIST");
  add_drawing_flags(command, flags->drawing,
                    {.takes_prompt = false, .count = "Seeds to draw noise with (1)"},
                    [flags, &arguments] { run(*flags, arguments); });
}

}  // namespace ebb
