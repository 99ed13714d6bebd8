#pragma once

#include <string>

#include "diffusion/program/command.h"
#include "diffusion/program/input_picture.h"

namespace ebb {

// -i, --invert and --fit, the same for every command that starts from a picture.
struct InputFlags {
  std::string picture;
  std::string invert = "auto";
  std::string fit = "stretch";
};
// `required`: whether the command needs a picture. Returns the option of -i.
Flag add_input_flags(Command command, InputFlags& flags, bool required = true);

// The picture that the flags name, in a model's format.
InputPicture read_input(const InputFlags& flags, const PictureFormat& format);

}  // namespace ebb
