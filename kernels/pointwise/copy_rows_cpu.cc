#include "kernels/pointwise/copy_rows.h"

#include <algorithm>
#include <cstring>

#include "base/kernel_stream.h"
#include "kernels/cpu/f32.h"
#include "kernels/cpu/parallel.h"

namespace ebb::cpu {

void copy_rows(const CopyRowsArgs& args, KernelStream stream) {
  require_f32("copy_rows", args.dtype);
  const int64_t rows_per_task = std::max<int64_t>(1, kElementChunk / std::max<int64_t>(1, args.c));
  const size_t bytes = static_cast<size_t>(args.c) * sizeof(float);
  parallel_for(stream.threads, ceil_div(args.rows, rows_per_task), [&](int64_t task) {
    const int64_t begin = task * rows_per_task;
    const int64_t end = std::min(begin + rows_per_task, args.rows);
    for (int64_t r = begin; r < end; ++r) {
      std::memcpy(as_f32(args.y) + r * args.y_pitch,
                  as_f32(args.x) + r % args.x_rows * args.x_pitch, bytes);
    }
  });
}

}  // namespace ebb::cpu
