#pragma once

#include <nlohmann/json.hpp>

#include "base/error.h"

namespace ebb {

// {"code", "kind", "message"}: what --json says of an error.
nlohmann::ordered_json error_json(const Error& error);

}  // namespace ebb
