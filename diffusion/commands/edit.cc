#include "diffusion/commands/edit.h"

#include <memory>

#include "diffusion/commands/drawing.h"
#include "diffusion/commands/picture_start.h"
#include "diffusion/picture/labelled_grid.h"

namespace ebb {
namespace {

struct Flags {
  DrawingFlags drawing;
  InputFlags input;
  std::string i_start = "1,3,5,7,10,20";  // of the assignment
};

void run(const Flags& flags, const std::vector<std::string>& arguments) {
  const std::vector<int64_t> starts = parse_integers(flags.i_start, "--i-start", 0, 32);
  EBB_CHECK(!flags.drawing.gif || starts.size() == 1, UsageError, "--gif: animates one start, but ",
            starts.size(), " are given by --i-start. Give one.");
  Drawing drawing(flags.drawing, arguments);
  const StartPicture start = read_start(drawing, flags.input);
  const int64_t each = std::max<int64_t>(flags.drawing.count, 1);
  const auto levels = static_cast<int64_t>(starts.size());
  const std::vector<int64_t> labels = drawing.classes(each, "");
  std::vector<GenerateRequest> requests;
  for (const int64_t i : starts) {
    requests.push_back(drawing.request(each, drawing.course_walk(i)));
    requests.back().recipe = drawing.guided_to(labels);
    requests.back().start = start.tensor;
  }
  const OutputFiles files = drawing.files(each * levels, levels + 1);

  std::vector<DrawnPicture> drawn;
  GridLabels grid{.title = "", .columns = {}, .rows = {}};
  for (size_t l = 0; l < starts.size(); ++l) {
    const std::vector<Image> images = pictures_of(drawing, drawing.draw(requests[l], files));
    const std::string t = scale_text(drawing.objective(), requests[l].walk.front());
    grid.columns.push_back(cat("i=", starts[l]));
    for (int64_t k = 0; k < each; ++k) {
      drawn.push_back({.image = images[k],
                       .seed = drawing.first_seed() + static_cast<uint64_t>(k),
                       .prompt = class_text(labels[k]),
                       .note = cat("i_start ", starts[l], ", t = ", t)});
    }
  }
  Provenance provenance = drawing.provenance(&requests.front(), class_text(labels.front()));
  provenance.inputs = {start.picture.file};
  if (!files.grid) {
    write_pictures(files, drawn, provenance);
  } else {
    // A row for each seed: from much noise to little, and the original.
    std::vector<Image> cells;
    grid.columns.emplace_back("original");
    for (int64_t k = 0; k < each; ++k) {
      for (int64_t l = 0; l < levels; ++l) cells.push_back(drawn[l * each + k].image);
      cells.push_back(start.picture.image);
      provenance.seeds.push_back(drawing.first_seed() + static_cast<uint64_t>(k));
    }
    write_figure(files, make_labelled_grid(cells, static_cast<int>(levels) + 1, grid, kFigureScale),
                 provenance);
  }
  drawing.print_summary(each * levels, requests.front());
}

}  // namespace

void add_edit_command(Command program, const std::vector<std::string>& arguments) {
  auto flags = std::make_shared<Flags>();
  Command command =
      program.add_subcommand("edit", "Noise a picture to several levels and denoise it again");
  add_input_flags(command, flags->input);
  command
      .add_option("--i-start", flags->i_start,
                  "Entries of the strided list to start from, 0 (most noise) to 32 "
                  "(1,3,5,7,10,20)")
      .type_name("LIST");
  add_drawing_flags(command, flags->drawing,
                    {.count = "Pictures for each start (1)",
                     .steps = "Sampling steps from the start to the clean image (those of the "
                              "strided list)"},
                    [flags, &arguments] { run(*flags, arguments); });
}

}  // namespace ebb
