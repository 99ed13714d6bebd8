"""Mistakes in the CUDA convolutions."""

from kernel_bugs import Bug, Place

BOTH, FORWARD = "*CUDA convolution agrees*,*CUDA input gradient*", "*CUDA convolution agrees*"
INPUT, WEIGHTS = "*CUDA input gradient*", "*CUDA weight*"


def conv(kernel: str, file: str, tests: str) -> Place:
    return Place(f"{kernel}_kernel", f"kernels/{file}.cu", tests)


SIMT, MMA = conv("conv_simt", "cuda/conv_simt", BOTH), conv("conv_mma", "cuda/conv_mma", BOTH)
WGRAD = conv("conv_wgrad_simt", "cuda/conv_wgrad_simt", WEIGHTS)
WGRAD_MMA = conv("conv_wgrad_mma", "cuda/conv_wgrad_mma", WEIGHTS)
WGRAD_WGMMA = conv("conv_wgrad_wgmma", "cuda/conv_wgrad_wgmma", WEIGHTS + ",*is split*")
WGRAD_TILE = Place("conv_wgrad_mma_kernel", "kernels/cuda/mma_tile.h", WEIGHTS, "kernels/cuda/conv_wgrad_mma.cu")
WGMMA, NAIVE = conv("conv_wgmma", "cuda/conv_wgmma", BOTH), conv("conv_naive", "cuda/conv_naive", FORWARD)
WGRAD_NAIVE = conv("conv_wgrad_naive", "cuda/conv_naive", WEIGHTS)
PACK, BIAS = conv("conv_pack", "conv_cuda", BOTH), conv("conv_bias_sums", "conv_cuda", WEIGHTS)
ADD, PLAN = conv("add_partials", "conv_cuda", WEIGHTS), conv("conv_wgrad_simt", "cuda/conv_plan", WEIGHTS)
TILE = Place("conv_mma_kernel", "kernels/cuda/mma_tile.h", BOTH, "kernels/cuda/conv_mma.cu")
PASS, PASS_MMA, PASS_WGMMA = (
    Place(f"{kernel}_kernel", "kernels/cuda/conv_pass.h", BOTH, f"kernels/cuda/{kernel}.cu")
    for kernel in ("conv_simt", "conv_mma", "conv_wgmma"))

MODULATION_MMA = Place("conv_mma_kernel", "kernels/cuda/conv_pass.h", FORWARD, "kernels/cuda/conv_mma.cu")
TELLS = "*CUDA convolution tells*"
MOMENTS_SIMT, MOMENTS_MMA, MOMENTS_WGMMA = (
    Place(f"{kernel}_kernel", "kernels/cuda/conv_moments.h", TELLS, f"kernels/cuda/{kernel}.cu")
    for kernel in ("conv_simt", "conv_mma", "conv_wgmma"))
STORED_MMA = Place("conv_mma_kernel", "kernels/cuda/conv_pass.h", TELLS, "kernels/cuda/conv_mma.cu")
PHASES = conv("conv_mma", "conv_cuda", TELLS)
TAP_MAP = Place("conv_wgmma_kernel", "kernels/cuda/tap_map.h", BOTH, "kernels/cuda/conv_wgmma.cu")

CONV_BUGS = (
    # f32 tiles
    Bug("simt: no barrier after the first stage", SIMT,
        "    store(stages[0], thread, next);\n  }\n  __syncthreads();",
        "    store(stages[0], thread, next);\n  }"),
    Bug("simt: no barrier between the steps", SIMT,
        "    if (more) store(stages[current ^ 1], thread, next);\n    __syncthreads();",
        "    if (more) store(stages[current ^ 1], thread, next);"),
    Bug("simt: one stage instead of two", SIMT,
        "store(stages[current ^ 1], thread, next);", "store(stages[current], thread, next);"),
    Bug("simt: last step left out", SIMT, "k0 < depth; k0 += kStep", "k0 + kStep < depth; k0 += kStep"),
    Bug("simt: no barrier before a group of rows is finished", SIMT,
        "    __syncthreads();\n    finish_tile<kBlockThreads>", "    finish_tile<kBlockThreads>"),
    Bug("simt: no barrier between the groups of rows", SIMT,
        "[] { __syncthreads(); });\n    __syncthreads();\n  }", "[] { __syncthreads(); });\n  }"),
    Bug("simt: sums of the first group of rows twice", SIMT, "tile.sum[i][j + e]", "tile.sum[i % Tile::kRowGroup][j + e]"),
    Bug("simt: row bound dropped", PASS, "row0 + row >= phase.rows() || count <= 0", "count <= 0"),
    Bug("simt: channel bound dropped", PASS, "row0 + row >= phase.rows() || count <= 0", "row0 + row >= phase.rows()"),
    Bug("simt: weights of channels that are not there", SIMT,
        "if (k < depth && column < list.out.c) {", "if (k < depth) {"),
    Bug("simt: depth bound of the weights dropped", SIMT,
        "if (k < depth && column < list.out.c) {", "if (column < list.out.c) {"),
    Bug("simt: channel of the wrong tap", SIMT, "args.in + offset + k % channels", "args.in + offset + j % channels"),
    Bug("simt: packs without asking for alignment", SIMT,
        "packs_fit(args.in, args.packed) && in.c % 4 == 0 && in.pitch % 4 == 0",
        "packs_fit(args.in, args.packed) && in.c % 4 == 0"),
    # tensor cores
    Bug("mma: no barrier", MMA, "    // This step has come for all threads, and all have left the stage that is filled next.\n"
        "    __syncthreads();\n", ""),
    Bug("mma: wait for one group too few", MMA, "cp_async_wait<S::kStages - 2>", "cp_async_wait<S::kStages - 1>"),
    Bug("mma: one stage too far ahead", MMA, "const int next = step + S::kStages - 1;",
        "const int next = step + S::kStages;"),
    Bug("mma: no commit in the loop", MMA,
        "    if (next < steps) loader.load(next, stages[next % S::kStages]);\n    simt::cp_async_commit();",
        "    if (next < steps) loader.load(next, stages[next % S::kStages]);"),
    Bug("mma: shared memory of one stage too few", MMA, "std::max<int64_t>(S::kStages *",
        "std::max<int64_t>((S::kStages - 1) *"),
    Bug("mma: sums over a stage that is still read", MMA,
        "  __syncthreads();  // all have left the last stage: the sums take the stages' place\n", ""),
    Bug("mma: no barrier before the tile is finished", MMA, "  __syncthreads();\n  const int thread", "  const int thread"),
    Bug("mma: row bound dropped", PASS_MMA, "row0 + row >= phase.rows() || count <= 0", "count <= 0"),
    Bug("mma: channel bound dropped", PASS_MMA, "row0 + row >= phase.rows() || count <= 0", "row0 + row >= phase.rows()"),
    Bug("mma: chunks read where they were not put", MMA,
        "return &stage.a[warp_row + m][swizzled(warp_row + m, c + chunk)];",
        "return &stage.a[warp_row + m][swizzled(warp_row + m + 2, c + chunk)];"),
    Bug("mma: tail of the channels not zero", MMA, "*dst = gather_chunk(src, offset >= 0 ? left : 0);",
        "*dst = gather_chunk(src, offset >= 0 ? kChunkElements<T> : 0);"),
    Bug("mma: padding read from the first pixel", MMA, "simt::cp_async(dst, src, offset >= 0);",
        "simt::cp_async(dst, src, left > 0);"),
    Bug("mma: weights of the tap's place in the list", MMA,
        "phase_.position(tap, static_cast<int>(list.kw))", "tap"),
    Bug("mma: half of a step", MMA, "for (int c = 0; c < kChunks; c += 2)", "for (int c = 0; c < kChunks; c += 4)"),
    # scale, shift and moments
    Bug("epilogue: scale of another image", MODULATION_MMA, "args.scale + at.image % args.scale_n * out.c",
        "args.scale + at.image * out.c"),
    Bug("epilogue: shift before the scale", MODULATION_MMA,
        "    if (scale != nullptr) v *= to_float(scale[i]);\n    if (shift != nullptr) v += to_float(shift[i]);",
        "    if (shift != nullptr) v += to_float(shift[i]);\n    if (scale != nullptr) v *= to_float(scale[i]);"),
    Bug("moments: of the sums instead of what is stored", STORED_MMA,
        "if (k < count) tile.v[row][column + k] = to_float(made.v[k]);", "(void)made;"),
    Bug("moments: of columns that others still finish", MOMENTS_SIMT,
        "  if (args.moments == nullptr) return;\n  barrier();", "  if (args.moments == nullptr) return;"),
    Bug("moments: no barrier before the parts are joined", MOMENTS_SIMT,
        "      barrier();\n      if (first", "      if (first"),
    # Adding up rows beyond the last is no mistake: they are zero.
    Bug("moments: rows beyond the last deviate", MOMENTS_MMA, "i < left ? value[i] - mean : 0.0f", "value[i] - mean"),
    Bug("moments: last part of a chunk left out", MOMENTS_WGMMA,
        "next < first + kConvChunkRows; next", "next + kPartRows < first + kConvChunkRows; next"),
    Bug("moments: all phases to one place", MOMENTS_MMA, "phase_number * chunks,", "0,"),
    Bug("moments: channel bound dropped", MOMENTS_WGMMA, "rows <= first || channel >= args.list.out.c",
        "rows <= first"),
    Bug("moments: phases of different sizes", PHASES, "if (pixels * list.phases() != list.out.h * list.out.w) return 0;", ""),
    # weight gradient
    Bug("wgrad: no barrier between the steps", WGRAD,
        "    if (more) store(stages[current ^ 1], next);\n    __syncthreads();",
        "    if (more) store(stages[current ^ 1], next);"),
    # Not asking only one operand for the end of the split is no mistake: the other is zero there.
    Bug("wgrad: points of the next split", WGRAD, "min(first + args.points_per_split, phase.rows())",
        "min(first + args.points_per_split + kStep, phase.rows())"),
    Bug("wgrad: row bound dropped", WGRAD, "if (row < rows && column < columns)", "if (column < columns)"),
    Bug("wgrad: column bound dropped", WGRAD, "if (row < rows && column < columns)", "if (row < rows)"),
    Bug("wgrad: all splits to one place", WGRAD,
        "float* partial = args.partials + int64_t{split} * rows * columns;", "float* partial = args.partials;"),
    Bug("wgrad mma: no barrier", WGRAD_MMA, "    // This step has come for all threads, and all have left the stage that is filled next.\n"
        "    __syncthreads();\n", ""),
    Bug("wgrad mma: wait for one group too few", WGRAD_MMA, "cp_async_wait<kStages - 2>", "cp_async_wait<kStages - 1>"),
    Bug("wgrad mma: second column not written", WGRAD_MMA,
        "    if (column + 1 < columns) to[1] = sums[1];\n", ""),
    Bug("wgrad mma: second column always written", WGRAD_MMA,
        "    if (column + 1 < columns) to[1] = sums[1];\n", "    to[1] = sums[1];\n"),
    Bug("wgrad mma: half of the points", WGRAD_MMA, "k0 < kStep<T>; k0 += kDepth", "k0 < kStep<T>; k0 += 2 * kDepth"),
    # Rows of a tap too many are no mistake: they are not stored.
    Bug("wgrad mma: channel of the chunk's first row", WGRAD_MMA, "args.in[offset + (row + i) % channels]",
        "args.in[offset + row % channels]"),
    Bug("wgrad tf32: second half of k read twice", WGRAD_TILE, "a(k + e / 2 * 4,", "a(k + e % 2 * 4,"),
    Bug("wgrad tf32: operands not rounded but cut", WGRAD_TILE, "fb[j][e] = simt::to_tf32(b(k + e % 2 * 4, j * 16 + e / 2 * 8 + row));",
        "fb[j][e] = __float_as_uint(b(k + e % 2 * 4, j * 16 + e / 2 * 8 + row)) & 0xffff0000u;"),
    # Hopper
    Bug("wgrad wgmma: empty stages not waited for", WGRAD_WGMMA,
        "    simt::mbarrier_wait(&ring.empty[at], static_cast<uint32_t>(round + 1) & 1);\n", ""),
    Bug("wgrad wgmma: stage given back before the products are done", WGRAD_WGMMA,
        "    simt::wgmma_wait<0>();\n    if (thread % kThreadsOfGroup == 0) simt::mbarrier_arrive(&ring->empty[at]);",
        "    if (thread % kThreadsOfGroup == 0) simt::mbarrier_arrive(&ring->empty[at]);\n    simt::wgmma_wait<0>();"),
    Bug("wgrad wgmma: all groups multiply the first row block", WGRAD_WGMMA, "ring->stage[at].a[group]", "ring->stage[at].a[0]"),
    Bug("wgrad wgmma: points of the next split", WGRAD_WGMMA, "(last - first + kStep - 1) / kStep", "args.points_per_split / kStep + 1"),
    Bug("wgrad wgmma: channel bound dropped", WGRAD_WGMMA, "    if (channel >= channels) continue;\n", ""),
    Bug("wgrad wgmma: row blocks that do not exist are waited for", WGRAD_WGMMA,
        "mbarrier_init(&ring->empty[i], static_cast<uint32_t>(rows.count))", "mbarrier_init(&ring->empty[i], kGroups)"),
    Bug("wgrad wgmma: second block of columns from the first", WGRAD_WGMMA, "simt::shared_address(operand), 1024, kStep",
        "simt::shared_address(operand), 1024, 0 * kStep"),
    Bug("wgmma: empty stages not waited for", WGMMA,
        "    simt::mbarrier_wait(&ring.empty[at], static_cast<uint32_t>(round + 1) & 1);\n", ""),
    Bug("wgmma: wrong parity of the full stages", WGMMA,
        "simt::mbarrier_wait(&ring->full[at], static_cast<uint32_t>(round) & 1);",
        "simt::mbarrier_wait(&ring->full[at], static_cast<uint32_t>(round + 1) & 1);"),
    Bug("wgmma: stage given back before the products are done", WGMMA,
        "    simt::wgmma_wait<0>();\n    if (thread % kThreadsOfGroup == 0) simt::mbarrier_arrive(&ring->empty[at]);",
        "    if (thread % kThreadsOfGroup == 0) simt::mbarrier_arrive(&ring->empty[at]);\n    simt::wgmma_wait<0>();"),
    Bug("wgmma: no fence", WGMMA, "    simt::wgmma_fence();\n", ""),
    Bug("wgmma: both groups multiply the same rows", WGMMA, "ring->stage[at].a + group * kGroupRows * kStep",
        "ring->stage[at].a"),
    Bug("wgmma: taps of the filter transposed", WGMMA,
        "static_cast<uint16_t>(tap % phase.x.taps),\n                          static_cast<uint16_t>(tap / phase.x.taps)",
        "static_cast<uint16_t>(tap / phase.x.taps),\n                          static_cast<uint16_t>(tap % phase.x.taps)"),
    Bug("wgmma: bytes of A alone expected", WGMMA, "sizeof(typename R::Stage)", "kBM * kStep * sizeof(T)"),
    Bug("wgmma: upper corner one pixel short", TAP_MAP, "axis.in(axis.grid - 1, 0) - (size - 1)",
        "axis.in(axis.grid - 1, 0) - size"),
    Bug("wgmma: sums over a stage that the other group reads", WGMMA,
        "  join_groups();\n  const int lane", "  const int lane"),
    Bug("wgmma: no barrier before the tile is finished", WGMMA,
        "  join_groups();\n  const int consumer", "  const int consumer"),
    Bug("wgmma: row bound dropped", PASS_WGMMA, "row0 + row >= phase.rows() || count <= 0", "count <= 0"),
    # around them
    Bug("pack: channels not transposed", PACK, "args.pass == ConvPass::kBackwardInput, channels",
        "false, channels"),
    Bug("pack: padding not zero", PACK, "channel < used ? w[", "channel < used + 1 ? w["),
    Bug("bias: sum of the first channel of a pack", BIAS, "lane_sum(partial, e)", "lane_sum(partial, 0)"),
    Bug("bias: rows beyond the last", BIAS, "inside ? to_float(v[k].v[e]) : 0.0f", "to_float(v[k].v[e])"),
    Bug("bias: pitch left out", BIAS, "(next < count ? next : row)) * pitch", "(next < count ? next : row)) * channels"),
    Bug("sums: first split alone", ADD, "i < count && chunk < chunks;", "i < count && chunk < 1;"),
    Bug("sums: first lane alone", ADD, "sum = lane_sum(partial, 0);", ""),
    Bug("sums: splits beyond the last", ADD, "chunk + k * kLanes < chunks ? v[k] : 0.0f", "v[k]"),
    Bug("sums: transposed weights as others", ADD, "g.transposed ? PartialSums", "false ? PartialSums"),
    Bug("workspace: of the weights alone", ADD, "conv_splits(geometry, dtype).splits * weights", "weights"),
    Bug("plan: a split too few", PLAN, "return {static_cast<int>(ceil_div(points, per_split)),",
        "return {static_cast<int>(points / per_split + (points < per_split)),"),
    # the plain loops
    Bug("naive: pixels outside the image read", NAIVE, "      if (offset < 0) continue;\n      const T* w =", "      const T* w ="),
    Bug("naive: taps of the filter in the list's order", NAIVE, "int64_t{phase.position(tap, kw)}", "int64_t{tap}"),
    Bug("naive wgrad: points of the next split", WGRAD_NAIVE,
        "min(first + args.points_per_split, phase.rows())", "phase.rows()"),
    # what they share
    Bug("fragments: rows 8 to 15 of A swapped with chunk 1", TILE, "a(i * 16 + lane % 16, lane / 16)",
        "a(i * 16 + lane % 8 + lane / 16 * 8, lane / 8 % 2)"),
    Bug("fragments: transposed B of the next chunk", TILE._replace(
        kernel="conv_wgrad_mma_kernel", tests=WEIGHTS, compiled="kernels/cuda/conv_wgrad_mma.cu"),
        "b(lane % 16, j * 2 + lane / 16)", "b(lane % 16, j * 2 + 1 - lane / 16)"),
    Bug("tf32: operands not rounded", TILE, "r[i] = simt::to_tf32(__uint_as_float(r[i]))", "r[i] += 0"),
    Bug("pass: last column of the image taken for outside", PASS, "static_cast<unsigned>(x) < static_cast<unsigned>(in.w)",
        "static_cast<unsigned>(x) + 1 < static_cast<unsigned>(in.w)"),
    Bug("pass: residual of another image", PASS, "at.image % args.residual_n * pixels", "at.image / args.residual_n * pixels"),
    Bug("pass: channels beyond the last written", PASS, "    if (i < count) to[i] = result.v[i];", "    to[i] = result.v[i];"),
)
