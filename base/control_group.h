#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace ebb {

// A limit of one group's directory, nothing where it has none.
using ReadGroupLimit = std::optional<int64_t>(const std::filesystem::path& group);

// The smallest limit of this process's control group and those around it, by version 2 or by the
// controller of version 1. `root` is the directory that has proc and sys.
std::optional<int64_t> smallest_cgroup_limit(const std::string& root, const std::string& controller,
                                             ReadGroupLimit* version_2, ReadGroupLimit* version_1);

}  // namespace ebb
