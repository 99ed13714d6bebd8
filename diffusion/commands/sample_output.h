#pragma once

#include <optional>
#include <string>
#include <vector>

#include "diffusion/generate.h"
#include "diffusion/output_file.h"
#include "diffusion/picture/image.h"
#include "diffusion/provenance.h"

namespace ebb {

// Where the pictures of a sampling go.
struct SampleFiles {
  std::string output;              // pattern, or one file when `grid`
  bool grid = false;               // all pictures in one
  int columns = 1;                 // of grid and animation
  std::optional<std::string> gif;  // animation of the denoising
  Overwrite overwrite = Overwrite::kRefuse;
};

// IoError or UsageError when one of the files could not be written.
void check_files(const SampleFiles& files, int64_t pictures);

// Keeps pictures of the states that an animation shows: about kFrames of them, evenly spaced, the
// first and the last included.
class FrameRecorder {
 public:
  static constexpr int64_t kFrames = 50;

  FrameRecorder(int64_t pictures, int64_t steps, const Shape& image);
  // The state of pictures [first, first + N) after `steps_done` steps.
  void record(int64_t first, int64_t steps_done, const Tensor& x);
  void write(const SampleFiles& files) const;

 private:
  int64_t steps_;
  Shape image_;                             // [H, W, C]
  std::vector<int64_t> recorded_steps_;     // ascending
  std::vector<std::vector<Image>> frames_;  // [recorded step][picture]
};

// values [pictures, H, W, C] in [0, 1] -> pictures; what lies outside is clamped.
std::vector<Image> to_images(std::span<const float> values, const Shape& image);

// Writes the pictures with `common` plus each picture's own seed and prompt in their metadata, and
// prints a line for each file.
void write_pictures(const SampleFiles& files, const std::vector<Image>& pictures,
                    const GenerateRequest& request, const Provenance& common);

}  // namespace ebb
