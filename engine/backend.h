#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/context.h"

namespace ebb {

// device: "auto", "cpu", "cuda", "cuda:N" or "emu". threads: CPU threads, 0 for all the process may
// use. Throws UsageError for a bad name, DeviceError for a device this build or machine lacks.
// "auto" is the first GPU where this build has CUDA and the machine a GPU, else the CPU; in a build
// with CUDA it then says why on standard error.
//
// precision: beyond f32 the GPU's alone, UsageError on the CPU. Tensor cores are chosen for the
// whole process: all contexts of a GPU have one precision.
std::unique_ptr<Context> make_context(const std::string& device, int threads,
                                      Precision precision = Precision::kF32);

// One line per device that --device can name, with the reason where it cannot be used here.
std::vector<std::string> list_devices();

// CPU threads this process may use (affinity mask and OMP_NUM_THREADS respected).
int available_threads();

}  // namespace ebb
