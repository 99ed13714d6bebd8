#include "diffusion/commands/anagram.h"

#include <array>
#include <memory>

#include "base/text.h"
#include "diffusion/commands/drawing.h"
#include "diffusion/commands/judging.h"
#include "diffusion/picture/labelled_grid.h"
#include "diffusion/sampling/classes.h"

namespace ebb {
namespace {

struct Flags {
  DrawingFlags drawing;
  std::vector<std::string> prompts;
  std::vector<std::string> views;  // empty: identity and `view`
  std::string view;
};

std::vector<std::string> names_of_views(const Flags& flags) {
  std::vector<std::string> names = flags.views;
  if (names.empty()) names = {"identity", flags.view.empty() ? "rotate_180" : flags.view};
  EBB_CHECK(names.size() == flags.prompts.size(), UsageError, "--prompts: ", flags.prompts.size(),
            flags.prompts.size() == 1 ? " prompt" : " prompts", " for ", names.size(),
            " views. Give each view one prompt.");
  return names;
}

std::vector<View> make_views(const Drawing& drawing, const std::vector<std::string>& names,
                             const std::string& flag) {
  std::vector<View> views;
  for (const std::string& name : names) {
    views.push_back(make_view(name, drawing.image()[0], drawing.image()[1], flag));
    EBB_CHECK(views.back().sign > 0 || drawing.range() == DataRange::kMinusOneToOne, UsageError,
              flag, " ", name, ": needs a model whose pictures have black at -1, but ",
              path_label(drawing.model().path), " has it at 0. Use another view.");
  }
  return views;
}

void run(const Flags& flags, const std::vector<std::string>& arguments) {
  const std::vector<std::string> names = names_of_views(flags);
  Drawing drawing(flags.drawing, arguments);
  const std::vector<View> views =
      make_views(drawing, names, flags.views.empty() ? "--view" : "--views");
  const int64_t pictures = std::max<int64_t>(flags.drawing.count, 1);
  std::vector<int64_t> labels;  // by view
  std::vector<ViewedRecipe> parts;
  for (size_t v = 0; v < views.size(); ++v) {
    labels.push_back(drawing.class_of(flags.prompts[v], "--prompts"));
    parts.push_back({views[v], drawing.guided_to(std::array{labels[v]})});
  }
  GenerateRequest request = drawing.request(pictures, drawing.full_walk());
  request.recipe = mean_of_views(parts);
  const OutputFiles files = drawing.files(pictures, std::min<int64_t>(pictures, 10));

  const std::vector<float> values = drawing.draw(request, files);
  const int64_t channels = drawing.image()[2];
  std::string prompt;
  for (size_t v = 0; v < views.size(); ++v) {
    prompt += cat(v > 0 ? ", " : "", class_text(labels[v]), " by ", names[v]);
  }
  Provenance provenance = drawing.provenance(&request, prompt);
  std::vector<std::vector<Image>> seen;  // by view
  for (const View& view : views) {
    seen.push_back(to_images(look(view, values, channels), drawing.image(), drawing.range()));
  }
  if (files.grid) {
    // For each row of pictures, a row of what every view shows.
    GridLabels grid{.title = "", .columns = {}, .rows = {}};
    std::vector<Image> cells;
    const Image blank = make_image(static_cast<int>(drawing.image()[1]),
                                   static_cast<int>(drawing.image()[0]), seen[0][0].channels, 255);
    for (int64_t first = 0; first < pictures; first += files.columns) {
      for (size_t v = 0; v < views.size(); ++v) {
        grid.rows.push_back(cat(names[v], " ", labels[v]));
        for (int64_t k = first; k < first + files.columns; ++k) {
          cells.push_back(k < pictures ? seen[v][k] : blank);
        }
      }
    }
    for (int64_t k = 0; k < pictures; ++k) {
      provenance.seeds.push_back(request.first_seed + static_cast<uint64_t>(k));
    }
    write_figure(files, make_labelled_grid(cells, files.columns, grid, kFigureScale), provenance);
  } else {
    const std::vector<Image> pictures_drawn = to_images(values, drawing.image(), drawing.range());
    std::vector<DrawnPicture> drawn;
    for (int64_t k = 0; k < pictures; ++k) {
      drawn.push_back({.image = pictures_drawn[k],
                       .seed = request.first_seed + static_cast<uint64_t>(k),
                       .prompt = prompt,
                       .note = ""});
    }
    write_pictures(files, drawn, provenance);
  }
  JudgePrinter judge(drawing);
  for (size_t v = 0; v < views.size(); ++v) {
    judge.print(names[v], look(views[v], values, channels), labels[v]);
  }
  drawing.print_summary(pictures, request);
}

}  // namespace

void add_anagram_command(Command program, const std::vector<std::string>& arguments) {
  auto flags = std::make_shared<Flags>();
  Command command = program.add_subcommand(
      "anagram", "Draw pictures that show something else when turned, flipped or rearranged");
  command.add_option("--prompts", flags->prompts, "What each view shows, such as 6 9")
      .required()
      .type_name("PROMPT");
  Flag view = add_choice(command, "--view", flags->view, view_names(),
                         "How the second prompt is seen (rotate_180), the first as it is");
  command.add_option("--views", flags->views, "A view for each prompt, instead of --view")
      .type_name("VIEW")
      .excludes(view);
  add_drawing_flags(command, flags->drawing, {.takes_prompt = false},
                    [flags, &arguments] { run(*flags, arguments); });
}

}  // namespace ebb
