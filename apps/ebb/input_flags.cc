#include "apps/ebb/input_flags.h"

#include "apps/cli/cli.h"
#include "apps/ebb/sample_flags.h"

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
  add_choice(
      command, "--sketch", flags.sketch, {"auto", "on", "off"},
      "Prepare a drawing on paper: flatten the paper, crop to the ink, thicken and center it "
      "as MNIST does (auto: for line drawings on a light background, unless --fit or "
      "--invert is given)");
  return image;
}

InputImage read_input(const InputFlags& flags, const ImageFormat& format, bool early) {
  const Invert invert = flags.invert == "yes"  ? Invert::kYes
                        : flags.invert == "no" ? Invert::kNo
                                               : Invert::kAuto;
  const Fit fit = flags.fit == "crop" ? Fit::kCrop : Fit::kStretch;
  const std::string why = "with --sketch on, which crops and inverts as the drawing needs it";
  refuse_flag("--fit", flags.sketch == "on" && !flags.fit.empty(), why);
  refuse_flag("--invert", flags.sketch == "on" && invert != Invert::kAuto, why);
  const bool may_be_sketch = flags.sketch == "auto" && flags.fit.empty() && !early;
  const SketchMode sketch = flags.sketch == "on" ? SketchMode::kOn
                            : may_be_sketch      ? SketchMode::kAuto
                                                 : SketchMode::kOff;
  return read_input_image("-i", flags.image, format,
                          {.invert = invert, .fit = fit, .sketch = sketch, .early = early});
}

}  // namespace ebb
