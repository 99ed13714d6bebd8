#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/backend.h"
#include "engine/cuda/availability.h"

namespace ebb {

// The reason why GPU `device` cannot be used here. Queries the runtime, which works on a machine
// without a driver too.
NoCuda why_no_cuda_device(int device);

// "cuda:0  NVIDIA H100 80GB HBM3, sm_90, 78.2 GiB free of 79.1 GiB", one per GPU, usable or not.
std::vector<std::string> list_cuda_devices();

// A context on GPU `device`; DeviceError with the reason when it cannot be used.
std::unique_ptr<Context> make_cuda_context(int device, const ContextOptions& options);

}  // namespace ebb
