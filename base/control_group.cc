#include "base/control_group.h"

#include <algorithm>
#include <fstream>
#include <string_view>

namespace ebb {
namespace {

// From `group` up to `mount`, the root of the hierarchy. In a container the name may be the host's,
// of which only the root is there.
std::optional<int64_t> smallest(const std::filesystem::path& mount, std::string_view group,
                                ReadGroupLimit* read) {
  std::filesystem::path name = std::filesystem::path(group).lexically_normal().relative_path();
  if (!name.empty() && *name.begin() == "..") name.clear();  // outside of this container
  std::optional<int64_t> least;
  for (;; name = name.parent_path()) {
    const std::optional<int64_t> limit = read(mount / name);
    if (limit) least = std::min(least.value_or(*limit), *limit);
    if (name.empty()) return least;
  }
}

bool has_controller(std::string_view controllers, std::string_view wanted) {
  while (!controllers.empty()) {
    const size_t end = std::min(controllers.find(','), controllers.size());
    if (controllers.substr(0, end) == wanted) return true;
    controllers.remove_prefix(std::min(end + 1, controllers.size()));
  }
  return false;
}

}  // namespace

std::optional<int64_t> smallest_cgroup_limit(const std::string& root, const std::string& controller,
                                             ReadGroupLimit* version_2, ReadGroupLimit* version_1) {
  const std::filesystem::path mount = std::filesystem::path(root) / "sys/fs/cgroup";
  std::ifstream groups(std::filesystem::path(root) / "proc/self/cgroup");
  // Lines "number:controllers:/group"; version 2 is "0::/group".
  for (std::string line; std::getline(groups, line);) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string_view all = line;
    const std::string_view group = all.substr(second + 1);
    const std::string_view controllers = all.substr(first + 1, second - first - 1);
    std::optional<int64_t> limit;
    if (controllers.empty()) {
      limit = smallest(mount, group, version_2);
    } else if (has_controller(controllers, controller)) {
      limit = smallest(mount / controller, group, version_1);
      if (!limit) limit = smallest(mount / controllers, group, version_1);
    }
    if (limit) return limit;
  }
  return {};
}

}  // namespace ebb
