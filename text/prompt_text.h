#pragma once

#include <string>
#include <string_view>

namespace ebb {

// A prompt as the pipelines of diffusers hand it to the tokenizer when clean_caption is off: in
// lower case (Unicode's full mapping, as str.lower() of Python) and without white space at both
// ends (str.strip()). `prompt` is UTF-8; UsageError otherwise.
std::string lower_and_strip(std::string_view prompt);

}  // namespace ebb
