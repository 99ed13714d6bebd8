// What builds without CUDA have in place of the files that use it.

#include "bench/cuda_facts.h"
#include "bench/gpu_convs.h"

namespace ebb {

CudaFacts cuda_facts(int) { return {}; }
const GpuConvs* cuda_convs() { return nullptr; }

}  // namespace ebb
