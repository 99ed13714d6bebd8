// Replaces cuda_facts.cc in builds without CUDA.

#include "bench/cuda_facts.h"

namespace ebb {

CudaFacts cuda_facts(int) { return {}; }

void select_gpu(int) {}

}  // namespace ebb
