#pragma once

#include "engine/comm/launch.h"

namespace ebb {

// UsageError when a launcher started this process as one of several: each would train the whole
// run, and all would write the same files.
void require_one_process(const Launch& launch);

}  // namespace ebb
