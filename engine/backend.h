#pragma once

#include <memory>
#include <string>

#include "engine/context.h"

namespace ebb {

// device: "auto", "cpu", "cuda", "cuda:N" or "emu". threads: CPU threads, 0 for all the process may
// use. Throws UsageError for a bad name, DeviceError for a device this build or machine lacks.
std::unique_ptr<Context> make_context(const std::string& device, int threads);

// CPU threads this process may use (affinity mask and OMP_NUM_THREADS respected).
int available_threads();

}  // namespace ebb
