"""Mistakes in the CUDA convolutions."""

from kernel_mutants import Mutant, Place

BOTH, FORWARD = "*CUDA convolution agrees*,*CUDA input gradient*", "*CUDA convolution agrees*"
INPUT, WEIGHTS = "*CUDA input gradient*", "*CUDA weight*"


def conv(kernel: str, file: str, tests: str) -> Place:
    return Place(f"{kernel}_kernel", f"{file}.cu", tests)


MAINLOOP_SIMT, MAINLOOP_MMA = (
    Place(f"{kernel}_kernel", "conv_mainloop.h", BOTH, f"{kernel}.cu")
    for kernel in ("conv_simt", "conv_mma"))
SIMT, MMA = conv("conv_simt", "conv_simt", BOTH), conv("conv_mma", "conv_mma", BOTH)
WGRAD = conv("conv_wgrad_simt", "conv_wgrad_simt", WEIGHTS + ",*is split*")
WGRAD_MMA = conv("conv_wgrad_mma", "conv_wgrad_mma", WEIGHTS)
WGRAD_WGMMA = conv("conv_wgrad_wgmma", "conv_wgrad_wgmma", WEIGHTS + ",*is split*")
WGRAD_SHARED, WGRAD_SHARED_MMA = (
    Place(f"{kernel}_kernel", "conv_wgrad_tile.h", WEIGHTS + ",*is split*", f"{kernel}.cu")
    for kernel in ("conv_wgrad_simt", "conv_wgrad_mma"))
WGRAD_NARROW = conv("conv_wgrad_narrow", "conv_wgrad_narrow", WEIGHTS)
NARROW_PLAN = conv("conv_wgrad_narrow", "conv_plan", WEIGHTS)
WGRAD_TILE = Place("conv_wgrad_mma_kernel", "mma_tile.h", WEIGHTS, "conv_wgrad_mma.cu")
WGMMA, NAIVE = conv("conv_wgmma", "conv_wgmma", BOTH), conv("conv_naive", "conv_naive", FORWARD)
WGRAD_NAIVE = conv("conv_wgrad_naive", "conv_naive", WEIGHTS)
PACK, BIAS = conv("conv_pack", "conv_cuda", BOTH), conv("conv_bias_sums", "conv_cuda", WEIGHTS)
ADD, PLAN = conv("add_partials", "conv_cuda", WEIGHTS), conv("conv_wgrad_simt", "conv_plan", WEIGHTS)
TILE = Place("conv_mma_kernel", "mma_tile.h", BOTH, "conv_mma.cu")
PASS, PASS_MMA, PASS_WGMMA = (
    Place(f"{kernel}_kernel", "conv_pass.h", BOTH, f"{kernel}.cu")
    for kernel in ("conv_simt", "conv_mma", "conv_wgmma"))

MODULATION_MMA = Place("conv_mma_kernel", "conv_pass.h", FORWARD, "conv_mma.cu")
REPORTS = "*CUDA convolution reports*"
MOMENTS_SIMT, MOMENTS_MMA, MOMENTS_WGMMA = (
    Place(f"{kernel}_kernel", "conv_moments.h", REPORTS, f"{kernel}.cu")
    for kernel in ("conv_simt", "conv_mma", "conv_wgmma"))
STORED_MMA = Place("conv_mma_kernel", "conv_pass.h", REPORTS, "conv_mma.cu")
PHASES = conv("conv_mma", "conv_cuda", REPORTS)
FAR, MANY_ROWS = "*lie 2^32 elements apart*", "*more rows than 65535*"
TAP_MAP = Place("conv_wgmma_kernel", "tap_map.h", BOTH, "conv_wgmma.cu")

CONV_MUTANTS = (
    # the pipeline of stages, of f32 tiles and of tensor cores
    Mutant("mainloop: no barrier", MAINLOOP_SIMT, "    // This step has come for all threads, and all have left the stage that is filled next.\n"
        "    __syncthreads();\n", ""),
    Mutant("mainloop: wait for one group too few", MAINLOOP_MMA, "cp_async_wait<S::kStages - 2>", "cp_async_wait<S::kStages - 1>"),
    Mutant("mainloop: one stage too far ahead", MAINLOOP_SIMT, "const int next = step + S::kStages - 1;",
        "const int next = step + S::kStages;"),
    Mutant("mainloop: no commit in the loop", MAINLOOP_MMA,
        "    if (next < steps) loader.load(stages[next % S::kStages]);\n    simt::cp_async_commit();",
        "    if (next < steps) loader.load(stages[next % S::kStages]);"),
    Mutant("mainloop: last step left out", MAINLOOP_SIMT, "for (int step = 0; step < steps; ++step)",
        "for (int step = 0; step + 1 < steps; ++step)"),
    Mutant("mainloop: shared memory of one stage too few", MAINLOOP_SIMT, "std::max<int64_t>(S::kStages *",
        "std::max<int64_t>((S::kStages - 1) *"),
    Mutant("mainloop: sums over a stage that is still read", MAINLOOP_MMA,
        "  __syncthreads();  // all have left the last stage: the sums take the stages' place\n", ""),
    Mutant("mainloop: no barrier before the epilogue", MAINLOOP_SIMT, "  __syncthreads();\n  const int thread", "  const int thread"),
    Mutant("mainloop: weights of channels that are not there", MAINLOOP_SIMT, "inside && row < columns_", "inside"),
    Mutant("mainloop: channel of the wrong tap", MAINLOOP_SIMT, "    tap_.advance(kStep, args_.channels_packed,", "    tap_.advance(kStep, kStep,"),
    Mutant("mainloop: packs without asking for alignment", MAINLOOP_SIMT,
        "packs_fit(args.in) && in.c % kAligned == 0 && in.pitch % kAligned == 0", "packs_fit(args.in) && in.c % kAligned == 0"),
    Mutant("mainloop: tail of the channels not zero", MAINLOOP_MMA, "gather_chunk(src, read ? left : 0)",
        "gather_chunk(src, read ? kChunkElements<T> : 0)"),
    Mutant("mainloop: padding read from the first pixel", MAINLOOP_MMA, "simt::cp_async(dst, src, read);",
        "simt::cp_async(dst, src, left > 0);"),
    Mutant("mainloop: weights of the tap's place in the list", MAINLOOP_MMA,
        "tap_.position(phase_, static_cast<int>(args_.list.kw))",
        "tap_.y * phase_.x.taps + tap_.x"),
    Mutant("simt: chunks read where they were not put", SIMT, "swizzled(row, chunk)", "swizzled(row + 2, chunk)"),
    Mutant("simt: last chunk of a step left out", SIMT, "chunk < kStepChunks; ++chunk", "chunk + 1 < kStepChunks; ++chunk"),
    Mutant("simt: sums of the first row everywhere", SIMT, "= sum_[i][j];", "= sum_[0][j];"),
    Mutant("mma: chunks read where they were not put", MMA, "swizzled(row0 + m, c + chunk)", "swizzled(row0 + m + 2, c + chunk)"),
    Mutant("mma: half of a step", MMA, "for (int c = 0; c < kStepChunks; c += 2)", "for (int c = 0; c < kStepChunks; c += 4)"),
    # the end of a tile
    Mutant("epilogue: row bound dropped", PASS, "min(kRows, phase.rows() - row0)", "kRows"),
    Mutant("epilogue: row bound dropped, mma", PASS_MMA, "min(kRows, phase.rows() - row0)", "kRows"),
    Mutant("epilogue: channel bound dropped", PASS, "  if (channels.count <= 0) return;\n", ""),
    Mutant("epilogue: channel bound dropped, mma", PASS_MMA, "  if (channels.count <= 0) return;\n", ""),
    Mutant("epilogue: no bias where nothing else is added", PASS, "from_float<T>(sums.v[k] + channels.bias[k])",
        "from_float<T>(sums.v[k])"),
    Mutant("epilogue: pixels of a phase as if they were neighbors", PASS, "vectorized && phase.fills_output() &&", "vectorized &&"),
    # scale, shift and moments
    Mutant("epilogue: scale of another image", MODULATION_MMA, "args.scale + at.image % args.scale_n * out.c",
        "args.scale + at.image * out.c"),
    Mutant("epilogue: shift before the scale", MODULATION_MMA,
        "    if (scale != nullptr) v *= to_float(scale[i]);\n    if (shift != nullptr) v += to_float(shift[i]);",
        "    if (shift != nullptr) v += to_float(shift[i]);\n    if (scale != nullptr) v *= to_float(scale[i]);"),
    Mutant("moments: of the sums instead of what is stored", STORED_MMA,
        "if (k < channels.count) tile.v[row][column + k] = to_float(made.v[k]);", "(void)made;"),
    Mutant("moments: of the sums instead of what is stored, plain", STORED_MMA, "        sums.v[k] = to_float(made.v[k]);\n",
        ""),
    Mutant("moments: of columns that others still finish", MOMENTS_SIMT,
        "  if (args.moments == nullptr) return;\n  barrier();", "  if (args.moments == nullptr) return;"),
    Mutant("moments: no barrier before the parts are joined", MOMENTS_SIMT,
        "      barrier();\n      if (first", "      if (first"),
    # Adding up rows beyond the last is no mistake: they are zero.
    Mutant("moments: rows beyond the last deviate", MOMENTS_MMA, "i < left ? value[i] - mean : 0.0f", "value[i] - mean"),
    Mutant("moments: last part of a chunk left out", MOMENTS_WGMMA,
        "next < first + kConvChunkRows; next", "next + kPartRows < first + kConvChunkRows; next"),
    Mutant("moments: all phases to one place", MOMENTS_MMA, "phase_number * chunks,", "0,"),
    Mutant("moments: channel bound dropped", MOMENTS_WGMMA, "rows <= first || channel >= args.list.out.c",
        "rows <= first"),
    Mutant("moments: phases of different sizes", PHASES, "if (pixels * list.phases() != list.out.h * list.out.w) return 0;", ""),
    # weight gradient
    Mutant("wgrad: no barrier between the steps", WGRAD_SHARED,
        "    // This step has come for all threads, and all have left the stage that is filled next.\n"
        "    __syncthreads();\n", ""),
    # Not asking only one operand for the end of the split is no mistake: the other is zero there.
    Mutant("wgrad: points of the next split", WGRAD_SHARED, "last(min(first + args.points_per_split,",
        "last(min(first + args.points_per_split + kWgradStep<T>,"),
    Mutant("wgrad: row bound dropped", WGRAD, "if (row < rows && column < columns)", "if (column < columns)"),
    Mutant("wgrad: column bound dropped", WGRAD, "if (row < rows && column < columns)", "if (row < rows)"),
    Mutant("wgrad: all splits to one place", WGRAD,
        "float* partial = args.partials + int64_t{block.split} * rows * columns;", "float* partial = args.partials;"),
    Mutant("wgrad: next image begins with the last", WGRAD_SHARED, "      point.top += static_cast<int>(args_.list.in.h);\n", ""),
    Mutant("wgrad: next row of the image is the last", WGRAD_SHARED, "      point.y += phase_.y.in_step;\n", ""),
    Mutant("wgrad: every slice multiplies the first points", WGRAD, "const int k = slice * kWgradSliceStep<float> + i;",
        "const int k = i;"),
    Mutant("wgrad: sums over stages that are still read", WGRAD_SHARED,
        "  simt::cp_async_wait<0>();\n  __syncthreads();\n}", "  simt::cp_async_wait<0>();\n}"),
    Mutant("wgrad: no barrier before slices are added", WGRAD_SHARED,
        "    __syncthreads();\n    if (slice < half)", "    if (slice < half)"),
    Mutant("wgrad: two slices left out", WGRAD_SHARED, "int half = kWgradSlices / 2;", "int half = 1;"),
    Mutant("wgrad mma: no barrier", WGRAD_SHARED_MMA,
        "    // This step has come for all threads, and all have left the stage that is filled next.\n"
        "    __syncthreads();\n", ""),
    Mutant("wgrad mma: wait for one group too few", WGRAD_SHARED_MMA, "cp_async_wait<kStages - 2>",
        "cp_async_wait<kStages - 1>"),
    Mutant("wgrad mma: second column not written", WGRAD_MMA,
        "    if (column + 1 < columns) to[1] = sums[1];\n", ""),
    Mutant("wgrad mma: second column always written", WGRAD_MMA,
        "    if (column + 1 < columns) to[1] = sums[1];\n", "    to[1] = sums[1];\n"),
    Mutant("wgrad mma: half of the points", WGRAD_MMA, "slice * kWgradSliceStep<T>", "slice / 2 * kWgradSliceStep<T>"),
    # Rows of a tap too many are no mistake: they are not stored.
    Mutant("wgrad mma: channel of the chunk's first row", WGRAD_SHARED_MMA, "args_.in[offset + (row_ + i) % channels]",
        "args_.in[offset + row_ % channels]"),
    Mutant("wgrad tf32: second half of k read twice", WGRAD_TILE, "a(k + e / 2 * 4,", "a(k + e % 2 * 4,"),
    Mutant("wgrad tf32: operands not rounded but cut", WGRAD_TILE, "fb[j][e] = simt::to_tf32(b(k + e % 2 * 4, j * 16 + e / 2 * 8 + row));",
        "fb[j][e] = __float_as_uint(b(k + e % 2 * 4, j * 16 + e / 2 * 8 + row)) & 0xffff0000u;"),
    # few channels on one side
    Mutant("wgrad narrow: no barrier between the steps", WGRAD_NARROW,
        "    simt::cp_async_wait<kStages - 2>();\n    __syncthreads();\n", "    simt::cp_async_wait<kStages - 2>();\n"),
    Mutant("wgrad narrow: wait for one group too few", WGRAD_NARROW, "cp_async_wait<kStages - 2>", "cp_async_wait<kStages - 1>"),
    Mutant("wgrad narrow: narrow side in the other place", WGRAD_NARROW, "store_narrow(next, pipeline->narrow[step % 2]);",
        "store_narrow(next, pipeline->narrow[(step + 1) % 2]);"),
    Mutant("wgrad narrow: sums over a stage that is still read", WGRAD_NARROW,
        "  __syncthreads();  // all have left the last stage: the sums take its place\n", ""),
    Mutant("wgrad narrow: points of the next split", WGRAD_NARROW, "min(first + args.points_per_split,", "min(1 << 30,"),
    Mutant("wgrad narrow: wide side unbounded by the split", WGRAD_NARROW, "point_ + i * kLanes < last && left_ > 0", "left_ > 0"),
    Mutant("wgrad narrow: pixels between two strides", WGRAD_NARROW, "steps % stride_ == 0 ? steps / stride_ : -1", "steps / stride_"),
    Mutant("wgrad narrow: next image begins with the last", WGRAD_NARROW, "      image_ += sides_.narrow().elements();\n", ""),
    Mutant("wgrad narrow: taps of the kernel transposed", WGRAD_NARROW, "ky = row / narrow_channels / kw, kx = row / narrow_channels % kw", "ky = row / narrow_channels % kw, kx = row / narrow_channels / kw"),
    Mutant("wgrad narrow: sums of one pixel lane left out", WGRAD_NARROW, "for (int i = 1; i < kLanes; ++i) total",
        "for (int i = 1; i + 1 < kLanes; ++i) total"),
    Mutant("wgrad narrow: sums overwritten while they are added", WGRAD_NARROW,
        "      partial[at] = total;\n    }\n    __syncthreads();", "      partial[at] = total;\n    }"),
    Mutant("wgrad narrow: row bound dropped", WGRAD_NARROW, "if (row < rows && channel < sides.wide().c)",
        "if (channel < sides.wide().c)"),
    Mutant("wgrad narrow: channel bound dropped", WGRAD_NARROW, "if (row < rows && channel < sides.wide().c)", "if (row < rows)"),
    Mutant("wgrad narrow: packs without asking for alignment", WGRAD_NARROW,
        "wide.c % kWidth == 0 && wide.pitch % kWidth == 0", "wide.pitch % kWidth == 0"),
    Mutant("wgrad narrow: points of the narrow side", NARROW_PLAN,
        "algorithm == ConvAlgorithm::kNarrow && list.in.c > list.out.c ? list.in : list.out", "list.out"),
    # Hopper
    Mutant("wgrad wgmma: empty stages not waited for", WGRAD_WGMMA,
        "    simt::mbarrier_wait(&pipeline.empty[at], static_cast<uint32_t>(round + 1) & 1);\n", ""),
    Mutant("wgrad wgmma: stage given back before the products are done", WGRAD_WGMMA,
        "if (is_elected && step > 0) simt::mbarrier_arrive(&pipeline->empty[(step - 1) % kStages]);",
        "if (is_elected) simt::mbarrier_arrive(&pipeline->empty[at]);"),
    Mutant("wgrad wgmma: rows of the image are not left", WGRAD_WGMMA, "      x_ -= phase_.x.grid;\n      ++y_;",
        "      x_ -= phase_.x.grid;"),
    Mutant("wgrad wgmma: all groups multiply the first row block", WGRAD_WGMMA, "pipeline->stage[at].a[group]", "pipeline->stage[at].a[0]"),
    Mutant("wgrad wgmma: points of the next split", WGRAD_WGMMA, "(last - first + kStep - 1) / kStep", "args.points_per_split / kStep + 1"),
    Mutant("wgrad wgmma: channel bound dropped", WGRAD_WGMMA, "    if (channel >= channels) continue;\n", ""),
    Mutant("wgrad wgmma: row blocks that do not exist are waited for", WGRAD_WGMMA,
        "mbarrier_init(&pipeline->empty[i], static_cast<uint32_t>(rows.count))", "mbarrier_init(&pipeline->empty[i], kGroups)"),
    Mutant("wgrad wgmma: second block of columns from the first", WGRAD_WGMMA, "simt::shared_address(operand), 1024, kStep",
        "simt::shared_address(operand), 1024, 0 * kStep"),
    Mutant("wgmma: empty stages not waited for", WGMMA,
        "    simt::mbarrier_wait(&pipeline.empty[at], static_cast<uint32_t>(round + 1) & 1);\n", ""),
    Mutant("wgmma: wrong parity of the full stages", WGMMA,
        "simt::mbarrier_wait(&pipeline->full[at], static_cast<uint32_t>(round) & 1);",
        "simt::mbarrier_wait(&pipeline->full[at], static_cast<uint32_t>(round + 1) & 1);"),
    Mutant("wgmma: stage given back before the products are done", WGMMA,
        "if (is_elected && step > 0) simt::mbarrier_arrive(&pipeline->empty[(step - 1) % kStages]);",
        "if (is_elected) simt::mbarrier_arrive(&pipeline->empty[at]);"),
    Mutant("wgmma: map of the first phase", WGMMA, "inputs.map[phase_number]", "inputs.map[0]"),
    Mutant("wgmma: no fence", WGMMA, "    simt::wgmma_fence();\n", ""),
    Mutant("wgmma: both groups multiply the same rows", WGMMA, "pipeline->stage[at].a + group * kGroupRows * kStep",
        "pipeline->stage[at].a"),
    Mutant("wgmma: row of the tap for its column", WGMMA,
        "image, static_cast<uint16_t>(iterator.x),", "image, static_cast<uint16_t>(iterator.y),"),
    Mutant("wgmma: rows of taps are not left", Place("conv_wgmma_kernel", "conv_pass.h", BOTH,
        "conv_wgmma.cu"), "        x = 0;\n        ++y;", "        ++y;"),
    Mutant("wgmma: bytes of A alone expected", WGMMA, "sizeof(typename Pipeline<S>::Stage)",
        "S::kBM * kStep * sizeof(typename S::T)"),
    Mutant("wgmma: upper corner one pixel short", TAP_MAP, "axis.in(axis.grid - 1, 0) - (size - 1)",
        "axis.in(axis.grid - 1, 0) - size"),
    Mutant("wgmma: sums over a stage that the other group reads", WGMMA,
        "  join_groups();\n  const int lane", "  const int lane"),
    Mutant("wgmma: no barrier before the epilogue", WGMMA,
        "  join_groups();\n  epilogue_tile<", "  epilogue_tile<"),
    Mutant("wgmma: row bound dropped", PASS_WGMMA, "min(kRows, phase.rows() - row0)", "kRows"),
    # around them
    Mutant("pack: channels not transposed", PACK, "args.pass == ConvPass::kBackwardInput, channels",
        "false, channels"),
    Mutant("pack: padding not zero", PACK, "channel < used ? w[", "channel < used + 1 ? w["),
    Mutant("bias: sum of the first channel of a pack", BIAS, "column_sum(partial, e)", "column_sum(partial, 0)"),
    Mutant("bias: rows beyond the last", BIAS, "inside ? to_float(v[k].v[e]) : 0.0f", "to_float(v[k].v[e])"),
    Mutant("bias: pitch left out", BIAS, "(next < count ? next : row)) * pitch", "(next < count ? next : row)) * channels"),
    Mutant("bias: channels of the chunk's number", BIAS, "blockIdx.x % tiles", "blockIdx.x / tiles"),
    Mutant("bias: chunk of the channels' number", BIAS, "chunk = blockIdx.x / tiles", "chunk = blockIdx.x % tiles"),
    Mutant("bias: grid ends at 65535", BIAS._replace(tests=MANY_ROWS),
        "static_cast<unsigned>(ceil_div(g.o, kBiasChannels) * bias_chunks(g))",
        "static_cast<unsigned>(std::min<int64_t>(65535, ceil_div(g.o, kBiasChannels) * bias_chunks(g)))"),
    Mutant("sums: first split alone", ADD, "i < count && chunk < chunks;", "i < count && chunk < 1;"),
    Mutant("sums: first lane alone", ADD, "sum = column_sum(partial, 0);", ""),
    Mutant("sums: splits beyond the last", ADD, "chunk + k * kLanes < chunks ? v[k] : 0.0f", "v[k]"),
    Mutant("sums: transposed weights as others", ADD, "g.transposed ? PartialSums", "false ? PartialSums"),
    Mutant("workspace: of the weights alone", ADD, "conv_splits(geometry, dtype, math).splits * weights", "weights"),
    Mutant("plan: a split too few", PLAN, "return {static_cast<int>(ceil_div(points, per_split)),",
        "return {static_cast<int>(points / per_split + (points < per_split)),"),
    # the plain loops
    Mutant("naive: pixels outside the image read", NAIVE, "      if (offset < 0) continue;\n      const T* w =", "      const T* w ="),
    Mutant("naive: taps of the filter in the list's order", NAIVE, "int64_t{phase.position(tap, kw)}", "int64_t{tap}"),
    Mutant("naive wgrad: points of the next split", WGRAD_NAIVE,
        "min(first + args.points_per_split, phase.rows())", "phase.rows()"),
    # what they share
    Mutant("fragments: rows 8 to 15 of A swapped with chunk 1", TILE, "a(i * 16 + lane % 16, lane / 16)",
        "a(i * 16 + lane % 8 + lane / 16 * 8, lane / 8 % 2)"),
    Mutant("fragments: transposed B of the next chunk", TILE._replace(
        kernel="conv_wgrad_mma_kernel", tests=WEIGHTS, compiled="conv_wgrad_mma.cu"),
        "b(lane % 16, j * 2 + lane / 16)", "b(lane % 16, j * 2 + 1 - lane / 16)"),
    Mutant("tf32: operands not rounded", TILE, "r[i] = simt::to_tf32(__uint_as_float(r[i]))", "r[i] += 0"),
    Mutant("pass: last column of the image taken for outside", Place("conv_naive_kernel", "conv_pass.h", BOTH, "conv_naive.cu"),
        "static_cast<unsigned>(x) < static_cast<unsigned>(in.w)", "static_cast<unsigned>(x) + 1 < static_cast<unsigned>(in.w)"),
    Mutant("pass: last row of the image taken for outside", Place("conv_wgrad_simt_kernel", "conv_pass.h", WEIGHTS, "conv_wgrad_simt.cu"),
        "static_cast<unsigned>(y) < static_cast<unsigned>(in.h)", "static_cast<unsigned>(y) + 1 < static_cast<unsigned>(in.h)"),
    Mutant("pass: output beyond 32 bits", PASS_MMA._replace(tests=FAR),
        "args.out + at.image * out.elements() + at.pixel * out.pitch + channel",
        "args.out + static_cast<int>(at.image * out.elements() + at.pixel * out.pitch + channel)"),
    Mutant("mainloop: input beyond 32 bits", MAINLOOP_SIMT._replace(tests=FAR),
        "int64_t{point.pixel + tap_pixel} * in.pitch", "(point.pixel + tap_pixel) * static_cast<int>(in.pitch)"),
    Mutant("wgrad: input beyond 32 bits", WGRAD_SHARED_MMA._replace(tests=FAR),
        "int64_t{(point.top + y) * static_cast<int>(image.w) + x} * image.pitch",
        "((point.top + y) * static_cast<int>(image.w) + x) * static_cast<int>(image.pitch)"),
    Mutant("pass: residual of another image", PASS, "at.image % args.residual_n * pixels", "at.image / args.residual_n * pixels"),
    Mutant("pass: channels beyond the last written", PASS, "    if (i < count) to[i] = result.v[i];", "    to[i] = result.v[i];"),
)
