#pragma once

namespace ebb {

// page.css and page.js, put into the program by CMake.
extern const char* const kPageStyle;
extern const char* const kPageScript;

}  // namespace ebb
