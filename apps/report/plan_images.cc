#include "apps/report/plan_parts.h"
#include "base/error.h"

namespace ebb {
namespace {

Figure scene(const std::string& name, const std::string& label, const std::string& alt) {
  return {.id = name,
          .command = {"test-image", name},
          .show = Show::kScene,
          .labels = {label},
          .caption = "",
          .alt = alt,
          .samples = false};
}

Figure digit(const ReportSettings& settings, int value) {
  return {.id = cat("digit-", value),
          .command = with_steps(
              {"sample", "--model", settings.model, "--class", std::to_string(value), "-b", "1"},
              settings, 0),
          .show = Show::kTiles,
          .labels = {std::to_string(value)},
          .caption = "",
          .alt = cat("A ", value, " that the model generated"),
          .model = settings.model};
}

}  // namespace

std::string figure_path(const ReportSettings& settings, const std::string& id) {
  return cat(settings.directory, "/figures/", id, ".png");
}

int figure_steps(const ReportSettings& settings, int steps) {
  constexpr int kFewSteps = 4;
  return settings.fast ? kFewSteps : steps;
}

std::vector<std::string> with_steps(std::vector<std::string> command,
                                    const ReportSettings& settings, int steps) {
  steps = figure_steps(settings, steps);
  if (steps > 0) command.insert(command.end(), {"--steps", std::to_string(steps)});
  return command;
}

Part images_part(const ReportSettings& settings) {
  Section photos{
      .id = "photos",
      .number = "",
      .title = "Photos and sketches",
      .text =
          "<p>The assignment edits a photo of Berkeley\u2019s bell tower and hand-drawn sketches. "
          "These images take their place. ebb draws them itself, shades the scenes like "
          "photos and adds grain; the models below see them shrunk to 28 \u00d7 28 gray "
          "pixels, the sketches light on dark.</p>",
      .gallery = true,
      .figures = {scene("tower", "bell tower at dusk", "A lit bell tower before a dark sky"),
                  scene("snowman", "snowman at night", "A snowman at night"),
                  scene("swan", "swan on a lake", "A swan on a dark lake"),
                  scene("snake", "snake, pencil", "Pencil sketch of a snake in the shape of an S"),
                  scene("balloon", "balloon, pencil", "Pencil sketch of a balloon on a string"),
                  scene("cat", "cat, cartoon", "Cartoon of an orange cat\u2019s face"),
                  scene("mask", "mask: white is made new", "A white square on black")},
      .found = {}};
  Section digits{
      .id = "digits",
      .number = "",
      .title = "Digits",
      .text =
          "<p>Where a clean digit is needed, the model\u2019s own have to do: no image of the "
          "MNIST data set is part of ebb.</p>",
      .gallery = true,
      .figures = {digit(settings, 3), digit(settings, 7), digit(settings, 8)},
      .found = {}};
  return {.title = "Images to start from",
          .text = "",
          .sections = {std::move(photos), std::move(digits)}};
}

}  // namespace ebb
