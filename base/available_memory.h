#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace ebb {

// Bytes of memory that this process can still take: what the system has without swapping, and at
// most what the limit of its control group (a container, a batch job, a service) leaves. Nothing
// where the system does not say. `root` is the directory that has proc and sys.
std::optional<int64_t> available_memory(const std::string& root = "/");

}  // namespace ebb
