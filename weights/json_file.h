#pragma once

#include <string>

#include "base/json.h"

namespace ebb {

// The object in a small JSON file: a config or the index of a pipeline. FormatError when it holds
// something else, e.g. a Git LFS pointer, or breaks the grammar.
Json read_json_file(const std::string& path);

}  // namespace ebb
