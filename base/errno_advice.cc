#include "base/errno_advice.h"

#include <cerrno>
#include <system_error>

namespace ebb {

const char* errno_advice(int error) {
  switch (error) {
    case ENOSPC:
      return "Free some space or choose another place.";
    case EDQUOT:
      return "Your quota is used up: delete files or choose another place.";
    case EFBIG:
      return "Raise the limit of the size of files (ulimit -f) or choose another place.";
    case EACCES:
    case EPERM:
      return "Check the permissions of the file and its directories.";
    case EROFS:
      return "Choose a place that can be written.";
    case ENAMETOOLONG:
      return "Use a shorter name.";
    case ENOENT:
    case ENOTDIR:
      return "Check the path.";
    case ELOOP:
      return "Correct the link.";
    case EMFILE:
    case ENFILE:
      return "Raise the limit of open files (ulimit -n).";
    case ESTALE:
      return "The file changed on its server: try again.";
    case EILSEQ:
    case EINVAL:
      return "The file system may not allow this name: choose another one.";
    default:
      return "Check the disk.";
  }
}

std::string describe_errno(int error) {
  return std::generic_category().message(error) + ". " + errno_advice(error);
}

}  // namespace ebb
