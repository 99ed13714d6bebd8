#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/atomic_file.h"

namespace ebb {

// Throws IoError when a later write_output_file() could not succeed: the directory is missing, is
// no directory or cannot be written, the name is too long for its file system, or the file exists
// and must stay. Call it before the long work whose result goes there. A stream (base/stream.h) is
// checked as one and written whatever `overwrite` says; the caller that needs a file that can be
// read again refuses it.
void check_output_file(const std::string& path, Overwrite overwrite);

// The images that ebb writes are PNG, its animations GIF: UsageError when the name of an output
// ends as those of another kind of image do, or has no ending. `ending`: ".png" or ".gif"; the
// message names `flag`.
void check_image_name(const std::string& flag, const std::string& path, const std::string& ending);

// Checks as above, then writes all bytes or leaves `path` as it was. A file that came into being
// since it was checked stays, too, unless `overwrite` says otherwise.
void write_output_file(const std::string& path, std::span<const uint8_t> bytes,
                       Overwrite overwrite);

}  // namespace ebb
