#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ebb {

// Values of --class beside numbers and names.
inline constexpr const char* kAllClasses = "all";
inline constexpr const char* kNoneOfClasses = "none";

// The classes of a value of --class such as "3,seven,none", kNoClass for "none". UsageError names
// the flag.
std::vector<int64_t> parse_classes(const std::string& text);

}  // namespace ebb
