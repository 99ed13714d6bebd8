#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "diffusion/commands/redraw_flags.h"
#include "diffusion/picture/image.h"
#include "diffusion/program/output_file.h"
#include "diffusion/program/provenance.h"
#include "diffusion/sampling/objective.h"
#include "engine/tensor.h"

namespace ebb {

// Where the pictures of a drawing command go.
struct OutputFiles {
  std::string output;              // pattern, or one file when `grid`
  bool grid = false;               // all pictures in one
  int columns = 1;                 // of grid and animation
  std::optional<std::string> gif;  // animation of the denoising
  Overwrite overwrite = Overwrite::kRefuse;
  RedrawFlags redraw;  // when active, where its picture goes and nothing else
};

// IoError or UsageError when one of the files could not be written.
void check_files(const OutputFiles& files, int64_t pictures);

// Keeps pictures of the states that an animation shows: about kFrames of them, evenly spaced, the
// first and the last included.
class FrameRecorder {
 public:
  static constexpr int64_t kFrames = 50;

  FrameRecorder(int64_t pictures, int64_t moves, const Shape& image, DataRange range);
  // The state of pictures [first, first + N) after `moves_done` moves of the sampler.
  void record(int64_t first, int64_t moves_done, const Tensor& x);
  void write(const OutputFiles& files, const Provenance& provenance) const;

 private:
  int64_t moves_;
  Shape image_;  // [H, W, C]
  DataRange range_;
  std::vector<int64_t> recorded_;           // moves done, ascending
  std::vector<std::vector<Image>> frames_;  // [recorded move][picture]
};

// values [pictures, H, W, C] -> pictures; what lies outside the range is clamped.
std::vector<Image> to_images(std::span<const float> values, const Shape& image, DataRange range);

// A picture with what is its own in the metadata and on its line.
struct DrawnPicture {
  Image image;
  uint64_t seed = 0;
  std::string prompt;  // "class 3"; may be empty
  std::string note;    // "t = 690"; may be empty
};

// Writes the pictures, or a grid of them, with `common` and what is their own in their metadata,
// and prints a line for each file. To draw one picture again, `pictures` may hold it alone.
void write_pictures(const OutputFiles& files, const std::vector<DrawnPicture>& pictures,
                    const Provenance& common);

// Pixels of a labelled figure per pixel of a small picture.
inline constexpr int kFigureScale = 2;

// One picture of many, such as a labelled grid, with the seeds in `common`.
void write_figure(const OutputFiles& files, const Image& figure, const Provenance& common);

}  // namespace ebb
