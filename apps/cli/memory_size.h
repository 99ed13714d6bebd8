#pragma once

#include <cstdint>
#include <string>

namespace ebb {

// "8G", "1.5 GiB", "800M", "2000000": bytes, with units of 1024. UsageError that names `flag`.
int64_t parse_memory_size(const std::string& text, const std::string& flag);

}  // namespace ebb
