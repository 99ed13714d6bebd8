#pragma once

#include <string>
#include <vector>

namespace ebb {

// A short name for each of `paths`, for labels beside each other: the file's name without its
// ending; where several have the same, the part of the path in which they differ ("a" and "b" of
// runs/a/model.safetensors and runs/b/model.safetensors); a number behind those that are one path.
// UTF-8 that is safe to show.
std::vector<std::string> distinct_names(const std::vector<std::string>& paths);

}  // namespace ebb
