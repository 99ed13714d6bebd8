// What builds without the emulator have in place of gpu_convs.cu as C++.

#include "bench/gpu_convs.h"

namespace ebb {

const GpuConvs* emu_convs() { return nullptr; }

}  // namespace ebb
