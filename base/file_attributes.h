#pragma once

#include <sys/stat.h>

namespace ebb {

// Gives a new file mode, access control list, group and owner of the file that it replaces, as far
// as this user may. No user gets a right that the old file did not give: where the group cannot be
// kept, the new file's group may do what others may.
//
// fd: the new file, open. directory, name: the old file. old: its status.
void keep_attributes(int fd, int directory, const char* name, const struct stat& old);

}  // namespace ebb
