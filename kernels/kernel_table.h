#pragma once

#include "base/kernel_stream.h"
#include "kernels/attention/attention.h"
#include "kernels/attention/softmax.h"
#include "kernels/conv/conv.h"
#include "kernels/embedding/embedding.h"
#include "kernels/loss/learned_range_loss.h"
#include "kernels/loss/mse_loss.h"
#include "kernels/loss/softmax_cross_entropy.h"
#include "kernels/norm/batch_norm.h"
#include "kernels/norm/fold_batch_norm.h"
#include "kernels/norm/group_norm.h"
#include "kernels/norm/layer_norm.h"
#include "kernels/norm/rms_norm.h"
#include "kernels/optimizer/adam.h"
#include "kernels/optimizer/fixed_sum.h"
#include "kernels/pointwise/activation.h"
#include "kernels/pointwise/affine.h"
#include "kernels/pointwise/broadcast.h"
#include "kernels/pointwise/convert.h"
#include "kernels/pointwise/copy_rows.h"
#include "kernels/pointwise/linear_combination.h"
#include "kernels/random/random.h"
#include "kernels/sampling/blend.h"
#include "kernels/sampling/diffusion_batch.h"
#include "kernels/sampling/digit_batch.h"
#include "kernels/sampling/learned_noise.h"
#include "kernels/sampling/line_filter.h"
#include "kernels/sampling/signed_gather.h"
#include "kernels/sampling/threshold.h"
#include "kernels/spatial/avg_pool.h"
#include "kernels/spatial/upsample.h"

namespace ebb {

// One kernel of a backend. Null: the backend does not have it, and Context::kernel() says so.
template <typename Fn>
struct KernelEntry {
  Fn* fn = nullptr;
  const char* name = "";  // in messages and profiles
};

// A backend is a table of functions, by the lines of kernels.def.
struct KernelTable {
  const char* name = "";

#define EBB_KERNEL(kernel, Args) \
  KernelEntry<void(const Args&, KernelStream)> kernel{nullptr, #kernel};
#define EBB_QUERY(query, Fn) KernelEntry<Fn> query{nullptr, #query};
#include "kernels/kernels.def"
};

const KernelTable& cpu_kernels();
const KernelTable& cuda_kernels();  // in builds with CUDA
const KernelTable& emu_kernels();   // the same on the emulator, in builds with tests

}  // namespace ebb
