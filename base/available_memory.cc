#include "base/available_memory.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/control_group.h"

namespace ebb {
namespace {

std::optional<int64_t> read_number(const std::filesystem::path& file) {
  int64_t value = 0;
  std::ifstream in(file);
  if (in >> value && value >= 0) return value;  // "max" is no number
  return {};
}

// The line "key number" of a file.
std::optional<int64_t> read_line(const std::filesystem::path& file, const std::string& key) {
  std::ifstream in(file);
  std::string word;
  for (int64_t value = 0; in >> word >> value;) {
    if (word == key) return value;
    in.ignore(256, '\n');
  }
  return {};
}

// Cached files count as used, but the system drops them when memory is short.
std::optional<int64_t> left_of(std::optional<int64_t> limit, std::optional<int64_t> used,
                               std::optional<int64_t> cached) {
  constexpr int64_t kUnlimited = int64_t{1} << 60;  // version 1 writes a number for "no limit"
  if (!limit || *limit >= kUnlimited) return {};
  return std::max<int64_t>(0, *limit - used.value_or(0) + cached.value_or(0));
}

std::optional<int64_t> left_v2(const std::filesystem::path& group) {
  return left_of(read_number(group / "memory.max"), read_number(group / "memory.current"),
                 read_line(group / "memory.stat", "inactive_file"));
}

std::optional<int64_t> left_v1(const std::filesystem::path& group) {
  return left_of(read_number(group / "memory.limit_in_bytes"),
                 read_number(group / "memory.usage_in_bytes"),
                 read_line(group / "memory.stat", "total_inactive_file"));
}

}  // namespace

std::optional<int64_t> available_memory(const std::string& root) {
  std::optional<int64_t> bytes =
      read_line(std::filesystem::path(root) / "proc/meminfo", "MemAvailable:");
  if (bytes) *bytes *= 1024;
  const auto group = smallest_cgroup_limit(root, "memory", left_v2, left_v1);
  if (group) bytes = std::min(bytes.value_or(*group), *group);
  return bytes;
}

}  // namespace ebb
