#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace ebb {

// Text as it may stand in an element or in a quoted attribute.
std::string escape_html(std::string_view text);

// A command line with each of its words in an element of its own, which the style keeps whole.
std::string whole_words(const std::string& command);

std::string base64(std::span<const uint8_t> bytes);

// The file as "data:<type>;base64,...". IoError when it cannot be read.
std::string data_uri(const std::string& path, std::string_view type);

}  // namespace ebb
