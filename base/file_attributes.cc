#include "base/file_attributes.h"

#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <vector>

#include "base/file_descriptor.h"

namespace ebb {
namespace {

constexpr const char* kAccessList = "system.posix_acl_access";
constexpr size_t kMaxAccessList = 64 * 1024;  // Linux allows no larger attribute

std::vector<char> access_list_of(int directory, const char* name) {
  const FileDescriptor file(
      ::openat(directory, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC));
  if (!file.is_open()) return {};
  std::vector<char> list(kMaxAccessList);
  const ssize_t bytes = ::fgetxattr(file.get(), kAccessList, list.data(), list.size());
  list.resize(bytes > 0 ? static_cast<size_t>(bytes) : 0);
  return list;
}

mode_t with_rights_of_others_for_group(mode_t mode) {
  return (mode & ~mode_t{S_IRWXG}) | (mode & S_IRWXO) << 3;
}

}  // namespace

void keep_attributes(int fd, int directory, const char* name, const struct stat& old) {
  struct stat now {};
  const bool known = ::fstat(fd, &now) == 0;
  // Only root may give files away; a member of the group may keep the group.
  const bool owner_kept =
      known && (now.st_uid == old.st_uid || ::fchown(fd, old.st_uid, static_cast<gid_t>(-1)) == 0);
  const bool group_kept =
      known && (now.st_gid == old.st_gid || ::fchown(fd, static_cast<uid_t>(-1), old.st_gid) == 0);
  mode_t mode = old.st_mode & (S_IRWXU | S_IRWXG | S_IRWXO);
  if (!group_kept) mode = with_rights_of_others_for_group(mode);
  const std::vector<char> list = access_list_of(directory, name);
  if (!list.empty() && owner_kept && group_kept &&
      ::fsetxattr(fd, kAccessList, list.data(), list.size(), 0) == 0) {
    return;
  }
  // An access list inherited from the directory may grant rights to users whom the old file did not
  // name. With an access list, the group bits of the mode are its mask rather than the group's
  // rights.
  ::fremovexattr(fd, kAccessList);
  if (!list.empty()) mode = with_rights_of_others_for_group(mode);
  ::fchmod(fd, mode);
}

}  // namespace ebb
