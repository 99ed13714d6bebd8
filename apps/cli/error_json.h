#pragma once

#include "base/error.h"
#include "base/json.h"

namespace ebb {

// {"code", "kind", "message"}: what --json says of an error.
Json error_json(const Error& error);

}  // namespace ebb
