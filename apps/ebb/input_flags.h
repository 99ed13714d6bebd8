#pragma once

#include <string>

#include "apps/cli/command.h"
#include "apps/cli/input_image.h"

namespace ebb {

// -i, --sketch, --invert and --fit, the same for every command that starts from an image.
struct InputFlags {
  std::string image;
  std::string invert = "auto";
  std::string fit;  // empty: not given
  std::string sketch = "auto";
};
// `required`: whether the command needs an image. Returns the option of -i.
Flag add_input_flags(Command command, InputFlags& flags, bool required = true);

// The image that the flags name, in a model's format. `early`: see InputOptions.
InputImage read_input(const InputFlags& flags, const ImageFormat& format, bool early);

}  // namespace ebb
