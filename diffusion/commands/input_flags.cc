#include "diffusion/commands/input_flags.h"

#include "diffusion/program/cli.h"

namespace ebb {

Flag add_input_flags(Command command, InputFlags& flags, bool required) {
  Flag picture =
      command
          .add_option("-i,--init-img", flags.picture,
                      "Picture to start from: PNG, JPEG, or FILE#N, picture N of an IDX file")
          .type_name("FILE")
          .required(required);
  add_choice(command, "--invert", flags.invert, {"auto", "yes", "no"},
             "Make dark strokes on light light on dark (auto: by the border, for models of such "
             "drawings)");
  add_choice(command, "--fit", flags.fit, {"stretch", "crop"},
             "How another size becomes the model's (stretch); crop keeps the middle");
  return picture;
}

InputPicture read_input(const InputFlags& flags, const PictureFormat& format) {
  const Invert invert = flags.invert == "yes"  ? Invert::kYes
                        : flags.invert == "no" ? Invert::kNo
                                               : Invert::kAuto;
  const Fit fit = flags.fit == "crop" ? Fit::kCrop : Fit::kStretch;
  return read_input_picture("-i", flags.picture, format, {invert, fit});
}

}  // namespace ebb
