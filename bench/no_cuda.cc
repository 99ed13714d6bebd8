// What builds without CUDA have in place of cuda_facts.cc.

#include "bench/cuda_facts.h"

namespace ebb {

CudaFacts cuda_facts(int) { return {}; }

void select_gpu(int) {}

}  // namespace ebb
