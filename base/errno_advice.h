#pragma once

#include <string>

namespace ebb {

// Advice after a failed system call, as a sentence: "Free some space or choose another place."
const char* errno_advice(int error);

// With what went wrong before it: "No space left on device. Free some space or ..."
std::string describe_errno(int error);

}  // namespace ebb
