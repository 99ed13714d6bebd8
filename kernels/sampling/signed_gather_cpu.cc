#include "kernels/sampling/signed_gather.h"

#include "base/kernel_stream.h"
#include "kernels/cpu/parallel.h"

namespace ebb::cpu {

void signed_gather(const SignedGatherArgs& args, KernelStream stream) {
  parallel_row_chunks(stream.threads, args.n, args.elements,
                      [&](int64_t image, int64_t begin, int64_t end) {
                        const float* x = args.x + image * args.x_elements;
                        float* y = args.y + image * args.elements;
                        for (int64_t e = begin; e < end; ++e) {
                          const int32_t k = args.index[e];
                          y[e] = k >= 0 ? x[k] : -x[~k];
                        }
                      });
}

}  // namespace ebb::cpu
