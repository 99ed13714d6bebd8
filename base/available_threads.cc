#include "base/available_threads.h"

#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <thread>
#include <vector>

namespace ebb {
namespace {

constexpr int kMaxThreads = 1024;

// CPUs of the affinity mask, which taskset, batch systems and cpusets set.
int affinity_cpus() {
  // The system has more CPUs than a mask of this size: try a larger one.
  for (size_t masks = 1; masks <= 64; masks *= 2) {
    std::vector<cpu_set_t> mask(masks);
    const size_t bytes = masks * sizeof(cpu_set_t);
    if (sched_getaffinity(0, bytes, mask.data()) == 0) return CPU_COUNT_S(bytes, mask.data());
    if (errno != EINVAL) break;
  }
  return static_cast<int>(std::max(std::thread::hardware_concurrency(), 1u));
}

// Microseconds of CPU time in every period; no limit where one of them is no positive number.
struct Quota {
  int64_t quota = 0;
  int64_t period = 0;
};

Quota read_v2(const std::filesystem::path& group) {
  Quota q;
  std::ifstream(group / "cpu.max") >> q.quota >> q.period;  // "max 100000" is no number
  return q;
}

Quota read_v1(const std::filesystem::path& group) {
  Quota q;
  std::ifstream(group / "cpu.cfs_quota_us") >> q.quota;  // -1: no limit
  std::ifstream(group / "cpu.cfs_period_us") >> q.period;
  return q;
}

// The smallest number of CPUs from `group` up to `mount`, the root of the hierarchy. In a container
// the name may be the host's, of which only the root is there.
std::optional<int> smallest(const std::filesystem::path& mount, std::string_view group,
                            Quota (*read)(const std::filesystem::path&)) {
  std::filesystem::path name = std::filesystem::path(group).lexically_normal().relative_path();
  if (!name.empty() && *name.begin() == "..") name.clear();  // outside of this container
  std::optional<int> cpus;
  for (;; name = name.parent_path()) {
    const Quota q = read(mount / name);
    if (q.quota > 0 && q.period > 0) {
      const int64_t up = q.quota / q.period + (q.quota % q.period != 0);
      const int limit = static_cast<int>(std::min<int64_t>(up, kMaxThreads));
      cpus = std::min(cpus.value_or(limit), limit);
    }
    if (name.empty()) return cpus;
  }
}

bool has_cpu_controller(std::string_view controllers) {
  while (!controllers.empty()) {
    const size_t end = std::min(controllers.find(','), controllers.size());
    if (controllers.substr(0, end) == "cpu") return true;
    controllers.remove_prefix(std::min(end + 1, controllers.size()));
  }
  return false;
}

}  // namespace

std::optional<int> parse_omp_num_threads(const char* value) {
  if (value == nullptr) return {};
  char* end = nullptr;
  const long threads = std::strtol(value, &end, 10);
  while (*end == ' ') ++end;
  if (end == value || threads < 1 || (*end != '\0' && *end != ',')) return {};
  return static_cast<int>(std::min<long>(threads, kMaxThreads));
}

std::optional<int> cgroup_cpus(const std::string& root) {
  const std::filesystem::path mount = std::filesystem::path(root) / "sys/fs/cgroup";
  std::ifstream groups(std::filesystem::path(root) / "proc/self/cgroup");
  // Lines "number:controllers:/group"; version 2 is "0::/group".
  for (std::string line; std::getline(groups, line);) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string_view all = line;
    const std::string_view group = all.substr(second + 1);
    const std::string_view controllers = all.substr(first + 1, second - first - 1);
    std::optional<int> cpus;
    if (controllers.empty()) {
      cpus = smallest(mount, group, read_v2);
    } else if (has_cpu_controller(controllers)) {
      cpus = smallest(mount / "cpu", group, read_v1);
      if (!cpus) cpus = smallest(mount / controllers, group, read_v1);
    }
    if (cpus) return cpus;
  }
  return {};
}

int available_threads() {
  if (const auto wanted = parse_omp_num_threads(std::getenv("OMP_NUM_THREADS"))) return *wanted;
  const int cpus = std::clamp(affinity_cpus(), 1, kMaxThreads);
  return std::min(cpus, cgroup_cpus("/").value_or(cpus));
}

}  // namespace ebb
