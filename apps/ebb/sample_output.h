#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "apps/cli/provenance.h"
#include "apps/cli/results.h"
#include "apps/ebb/invocation.h"
#include "base/output_file.h"
#include "diffusion/objective.h"
#include "engine/tensor.h"
#include "image/image.h"
#include "image/labeled_grid.h"

namespace ebb {

// Values of Provenance::animation.
inline constexpr const char* kTurn = "turn";
inline constexpr const char* kStepBack = "step_back";

// Output files of a sampling command.
struct OutputFiles {
  std::string output;              // pattern, or one file when `grid`
  bool grid = false;               // all images in one
  int columns = 1;                 // of grid and animation
  std::optional<std::string> gif;  // animation of the denoising, GIF or WebP
  // Animation of the finished images, and Provenance::animation of it.
  std::optional<std::string> motion;
  std::string motion_kind;
  std::string motion_flag() const;
  Overwrite overwrite = Overwrite::kRefuse;
  RerunTarget rerun;  // when active: the only file to write
  bool metadata = true;
  // Pixels a side for each pixel of the model: in files of one image, and in figures.
  int image_scale = 1;
  int figure_scale = 1;
  int animated_scale = 1;  // of the animation of one image

  // Whether to draw as RerunTarget::early says.
  bool early() const { return rerun.early; }
  // Scale of an animation of so many images.
  int animation_scale(int64_t images) const { return images == 1 ? animated_scale : figure_scale; }
};

// Sets the scales for images of `image` [H, W, C]: to `wanted`, or when that is 0 so that the
// result is large enough to look at.
void set_scales(OutputFiles& files, const Shape& image, int64_t wanted);

// IoError or UsageError when one of the files could not be written. `image`: [H, W, C].
void check_files(const OutputFiles& files, int64_t images, const Shape& image);

// For a command whose grid is that of write_images(): UsageError when that would be too large,
// before anything is generated.
void check_grid(const OutputFiles& files, int64_t images, const Shape& image, uint64_t last_seed);

// The same for one that calls write_figure(). The widest label counts.
void check_figure(const OutputFiles& files, const Shape& image, int64_t columns, int64_t rows,
                  const GridLabels& labels);

// Keeps images of the states that an animation shows: about kFrames of them, evenly spaced, the
// first and the last included.
class FrameRecorder {
 public:
  static constexpr int64_t kFrames = 50;

  // `seeds`: of each image.
  FrameRecorder(std::vector<uint64_t> seeds, int64_t steps, const Shape& image, DataRange range);
  // The state of images [first, first + N) after `steps_done` steps.
  void record(int64_t first, int64_t steps_done, const Tensor& x);
  void write(Results& results, const OutputFiles& files, const Provenance& provenance) const;

 private:
  std::vector<uint64_t> seeds_;
  int64_t steps_;
  Shape image_;  // [H, W, C]
  DataRange range_;
  std::vector<int64_t> recorded_;           // steps done, ascending
  std::vector<std::vector<Image>> frames_;  // [recorded step][image]
};

// An image with what is its own in the metadata and on its line.
struct GeneratedImage {
  Image image;
  uint64_t seed = 0;
  std::string prompt;  // "class 3"; may be empty
  std::string note;    // "t = 690"; may be empty
  // Set where the images of a command differ in them; else 0.
  int steps = 0;
  double denoising_strength = 0;
  bool is_figure = false;  // a finished one, as draw_figure() makes it
};

// Writes the images, or a figure of them, with `common` and what is their own in their metadata,
// and tells of each file. For a rerun of one image, `images` may hold it alone.
void write_images(Results& results, const OutputFiles& files,
                  const std::vector<GeneratedImage>& images, const Provenance& common);

// One of them, number `number` of the command, to the file of that number.
void write_image(Results& results, const OutputFiles& files, int64_t number,
                 const GeneratedImage& image, const Provenance& common);

// A prompt as a figure shows it: cut where it is long, without letters that its font may lack.
std::string figure_text(const std::string& prompt);

// Images of equal size in rows of `columns`, the one look of all figures.
Image draw_figure(const OutputFiles& files, std::span<const Image> cells, int64_t columns,
                  const GridLabels& labels);

// A figure in a file of its own, with the seeds in `common`.
void write_figure(Results& results, const OutputFiles& files, std::span<const Image> cells,
                  int64_t columns, const GridLabels& labels, const Provenance& common);

}  // namespace ebb
