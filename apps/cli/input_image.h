#pragma once

#include <optional>
#include <string>
#include <vector>

#include "apps/cli/provenance.h"
#include "image/image.h"
#include "nn/network.h"

namespace ebb {

// The format of a model's images.
struct ImageFormat {
  int width = 0;
  int height = 0;
  int channels = 1;
  DataRange range = DataRange::kZeroToOne;
  bool light_on_dark = false;  // drawings are light strokes on black, as in MNIST
};
ImageFormat image_format(const Network& network);

enum class Invert { kAuto, kYes, kNo };
enum class Fit { kStretch, kCrop };
enum class SketchMode { kAuto, kOn, kOff };

struct InputOptions {
  Invert invert = Invert::kAuto;
  Fit fit = Fit::kStretch;
  SketchMode sketch = SketchMode::kOff;
  // Whether to read as versions did that neither took scaled images back nor knew sketches.
  bool early = false;
};

// An image of the user's in a model's format.
struct InputImage {
  Image image;
  bool inverted = false;
  InputFile file;
  // The steps that changed it, for people: "640 x 480 color: made gray, stretched to 28 x 28".
  // Empty: nothing.
  std::string changes = {};
  bool model_sized = false;  // the file has as many pixels as the model's images

  // [height][width][channels] in the model's range.
  std::vector<float> values(const ImageFormat& format) const {
    return image_to_floats(image, format.range);
  }
};

// Reads an image of the kinds that image_bytes.h lists, detected by content, from a file or a
// stream ("-": standard input), or image i of an IDX file given as "file#i" (an IDX file without a
// directory in its name is also looked for where the data set is). In this order:
//   0. An image that ebb enlarged (--scale) is taken back to the model's pixels.
//   1. Transparency is put on a background: white, or for light_on_dark models black with
//      Invert::kNo, white with kYes; with kAuto, when most of the border is transparent, the one of
//      the two that the strokes stand out from.
//   2. Gray from color (to_gray()) or RGB from gray.
//   3. Invert::kYes inverts. kAuto inverts for light_on_dark models when what stands on the paper
//      is darker than the paper, as the border shows it; where there is next to no contrast, when
//      the border is lighter than mid-gray.
//   4. resize_bicubic(), or with Fit::kCrop resize_and_crop().
// A drawing on light paper takes another way from step 2 on (image/sketch.h): the paper is
// flattened and the image cropped to the ink; for light_on_dark models it becomes light strokes as
// in MNIST, for others it keeps its colors. With SketchMode::kOn always, UsageError when there are
// no strokes; with kAuto when the model is light_on_dark, kAuto inverts, the image is larger than
// the model's and a line drawing. `flag` ("-i") starts the messages that are about the command line
// and not the file.
InputImage read_input_image(const std::string& flag, const std::string& name,
                            const ImageFormat& format, const InputOptions& options);

// The file that a path of an InputFile means here; a stream is itself.
std::string find_input_file(const std::string& path);

// The pixels to inpaint.
struct Mask {
  std::vector<float> inpaint;     // [height][width], 1: inpaint, 0: keep
  std::optional<InputFile> file;  // nothing for a mask with a name
};

// Whether that is left, right, top, bottom or center.
bool is_mask_name(const std::string& name);

// left, right, top or bottom: that half (of an odd size the smaller); center: the middle half of
// both sides. Anything else is an image file: white, from level 128, means inpaint, transparent
// pixels are kept, and another size is scaled with resize_nearest(). UsageError when nothing is to
// be inpainted.
Mask read_mask(const std::string& flag, const std::string& name, int width, int height);

}  // namespace ebb
