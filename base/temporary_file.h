#pragma once

#include <string>

#include "base/file_descriptor.h"

namespace ebb {

// Temporary files of ebb are called ".ebb-<16 random hexadecimal digits>.tmp", whatever they
// become: nothing of another program or another process, on this machine or another, has that name,
// and it fits where any name does. A file is locked (flock) while its writer lives.

struct TemporaryFile {
  std::string name;   // in the directory
  FileDescriptor fd;  // not open when it could not be created; errno says why
};

// Creates a locked temporary file for writing. On a file system without locks it is not locked.
TemporaryFile create_temporary_file(int directory, unsigned mode);

// Removes those that a killed process left: their lock can be taken, or, where there are no locks,
// they were not written for a day. Anything else stays, directories and links included. Does
// nothing when the directory cannot be read.
void remove_stale_temporary_files(int directory);
void remove_stale_temporary_files(const std::string& directory);

}  // namespace ebb
