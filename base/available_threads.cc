#include "base/available_threads.h"

#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

#include "base/control_group.h"

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

// The CPUs of a group, rounded up; nothing without a quota.
template <Quota (*read)(const std::filesystem::path&)>
std::optional<int64_t> group_cpus(const std::filesystem::path& group) {
  const Quota q = read(group);
  if (q.quota <= 0 || q.period <= 0) return {};
  const int64_t up = q.quota / q.period + (q.quota % q.period != 0);
  return std::min<int64_t>(up, kMaxThreads);
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
  const std::optional<int64_t> cpus =
      smallest_cgroup_limit(root, "cpu", group_cpus<read_v2>, group_cpus<read_v1>);
  if (!cpus) return {};
  return static_cast<int>(*cpus);
}

int available_threads() {
  if (const auto wanted = parse_omp_num_threads(std::getenv("OMP_NUM_THREADS"))) return *wanted;
  const int cpus = std::clamp(affinity_cpus(), 1, kMaxThreads);
  return std::min(cpus, cgroup_cpus("/").value_or(cpus));
}

}  // namespace ebb
