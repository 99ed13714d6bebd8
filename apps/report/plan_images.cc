#include <filesystem>

#include "apps/report/plan_parts.h"
#include "base/error.h"

namespace ebb {
namespace {

namespace fs = std::filesystem;

Figure scene(const std::string& name, const std::string& label, const std::string& alt) {
  return {.id = name,
          .command = {"test-image", name},
          .show = Show::kScene,
          .labels = {label},
          .caption = "",
          .alt = alt,
          .samples = false};
}

// An image of the user beside those that ebb draws.
Figure own_scene(const StartImage& image, const std::string& kind) {
  const std::string name = fs::path(image.path).filename().string();
  return {.id = image.id,
          .command = {},
          .show = Show::kScene,
          .labels = {name},
          .caption = "",
          .alt = cat(kind, " ", name),
          .own_image = image.path,
          .samples = false};
}

Figure digit(const ReportSettings& settings, int value) {
  return {.id = cat("digit-", value),
          .command = with_steps({"sample", "--model", settings.model, "--class",
                                 std::to_string(value), "-b", "1", "--scale", "1"},
                                settings, 0),
          .layout = {.columns = 1, .column_labels = {std::to_string(value)}},
          .caption = "",
          .alt = cat("A ", value, " that the model generated"),
          .model = settings.model};
}

// The images of the user under ids of their own: "photo-1".
std::vector<StartImage> own_images(const std::vector<std::string>& files, const char* kind) {
  std::vector<StartImage> images;
  for (const std::string& file : files) {
    images.push_back({.id = cat(kind, "-", images.size() + 1),
                      .path = file,
                      .title = fs::path(file).filename().string()});
  }
  return images;
}

std::vector<Figure> drawing_figures(const ReportSettings& settings) {
  if (settings.drawings.empty()) {
    return {scene("snake", "snake, pencil", "Pencil sketch of a snake in the shape of an S"),
            scene("balloon", "balloon, pencil", "Pencil sketch of a balloon on a string"),
            scene("cat", "cat, cartoon", "Cartoon of an orange cat\u2019s face")};
  }
  std::vector<Figure> figures;
  for (const StartImage& drawing : drawings_of(settings)) {
    figures.push_back(own_scene(drawing, "Drawing"));
  }
  return figures;
}

Section photos_section(const ReportSettings& settings) {
  const bool all_own = !settings.photos.empty() && !settings.drawings.empty();
  const char* text =
      all_own ? "<p>The photos and drawings that the edits below start from. The models see them "
                "shrunk to 28 \u00d7 28 gray pixels, drawings on paper light on dark.</p>"
              : "<p>The assignment edits a photo of Berkeley\u2019s bell tower and hand-drawn "
                "sketches. These images take their place. ebb draws them itself, shades the scenes "
                "like photos and adds grain; the models below see them shrunk to 28 \u00d7 28 gray "
                "pixels, the sketches light on dark.</p>";
  Section section{.id = "photos",
                  .number = "",
                  .title = "Photos and sketches",
                  .text = text,
                  .gallery = true,
                  .figures = photo_figures(settings)};
  for (Figure& figure : drawing_figures(settings)) section.figures.push_back(std::move(figure));
  section.figures.push_back(
      settings.mask.empty() ? scene("mask", "mask: white is made new", "A white square on black")
                            : own_scene(mask_of(settings), "Mask"));
  return section;
}

}  // namespace

std::vector<Figure> photo_figures(const ReportSettings& settings) {
  if (settings.photos.empty()) {
    return {scene("tower", "bell tower at dusk", "A lit bell tower before a dark sky"),
            scene("snowman", "snowman at night", "A snowman at night"),
            scene("swan", "swan on a lake", "A swan on a dark lake")};
  }
  std::vector<Figure> figures;
  for (const StartImage& photo : photos_of(settings)) figures.push_back(own_scene(photo, "Photo"));
  return figures;
}

StartImage made_image(const ReportSettings& settings, const std::string& id,
                      const std::string& title) {
  return {.id = id, .path = cat(settings.directory, "/figures/", id, ".png"), .title = title};
}

std::vector<StartImage> photos_of(const ReportSettings& settings) {
  if (!settings.photos.empty()) return own_images(settings.photos, "photo");
  return {made_image(settings, "tower", "The tower"),
          made_image(settings, "snowman", "The snowman"), made_image(settings, "swan", "The swan")};
}

std::vector<StartImage> drawings_of(const ReportSettings& settings) {
  if (!settings.drawings.empty()) return own_images(settings.drawings, "drawing");
  return {made_image(settings, "snake", "The snake"),
          made_image(settings, "balloon", "The balloon"), made_image(settings, "cat", "The cat")};
}

StartImage mask_of(const ReportSettings& settings) {
  if (settings.mask.empty()) return made_image(settings, "mask", "The mask");
  return {.id = "own-mask", .path = settings.mask, .title = "The mask"};
}

int figure_steps(const ReportSettings& settings, int steps) {
  constexpr int kFewSteps = 4;
  return settings.fast ? kFewSteps : steps;
}

Words operator+(Words left, const Words& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

Words with_steps(Words command, const ReportSettings& settings, int steps) {
  steps = figure_steps(settings, steps);
  if (steps > 0) command.insert(command.end(), {"--steps", std::to_string(steps)});
  return command;
}

Words digit_names() { return {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}; }

CellLayout digit_rows() { return {.columns = 10, .column_labels = digit_names()}; }

Part images_part(const ReportSettings& settings) {
  Section digits{
      .id = "digits",
      .number = "",
      .title = "Digits",
      .text =
          "<p>Where a clean digit is needed, the model\u2019s own have to do: no image of the "
          "MNIST data set is part of ebb.</p>",
      .gallery = true,
      .figures = {digit(settings, 3), digit(settings, 7), digit(settings, 8)}};
  return {.title = "Images to start from",
          .text = "",
          .sections = {photos_section(settings), std::move(digits)}};
}

}  // namespace ebb
