#include "apps/ebb/input_flags.h"

#include "apps/cli/cli.h"

namespace ebb {

Flag add_input_flags(Command command, InputFlags& flags, bool required) {
  Flag image =
      command
          .add_option("-i,--init-img", flags.image,
                      "Image to start from: PNG, JPEG, WebP, GIF, BMP, PNM or TGA, - for standard "
                      "input, or FILE#N, image N of an IDX file")
          .takes(FlagValue::kImage)
          .required(required);
  if (required) command.bare_word("-i");
  add_choice(
      command, "--invert", flags.invert, {"auto", "yes", "no"},
      "Invert the image (auto: if it shows dark strokes on a light background and the model draws "
      "light on dark)");
  add_choice(command, "--fit", flags.fit, {"stretch", "crop"},
             "How to fit another size (stretch); crop keeps the center");
  return image;
}

InputImage read_input(const InputFlags& flags, const ImageFormat& format) {
  const Invert invert = flags.invert == "yes"  ? Invert::kYes
                        : flags.invert == "no" ? Invert::kNo
                                               : Invert::kAuto;
  const Fit fit = flags.fit == "crop" ? Fit::kCrop : Fit::kStretch;
  return read_input_image("-i", flags.image, format, {invert, fit});
}

}  // namespace ebb
