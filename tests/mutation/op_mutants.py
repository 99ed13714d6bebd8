"""Mistakes in the CUDA kernels of everything but convolutions."""

from kernel_mutants import Mutant, Place


def op(kernel: str, name: str, tests: str = "") -> Place:
    return Place(f"{kernel}_kernel", f"{name}_cuda.cu", f"{tests or name}:*")


def header(kernel: str, file: str, name: str, tests: str = "") -> Place:
    return Place(f"{kernel}_kernel", f"{file}.h", f"{tests or name}:*", f"{name}_cuda.cu")


MAP, ACTIVATE = header("map", "map", "activation"), header("map", "activate", "activation")
ATTENTION, DELTA = op("attention_forward", "attention"), op("attention_delta", "attention")
QUERIES, KEYS = op("attention_query_gradient", "attention"), op("attention_key_gradient", "attention")
TILES = header("attention_forward", "attention_tiles", "attention")
POOL, UNPOOL = op("avg_pool_forward", "avg_pool"), op("avg_pool_backward", "avg_pool")
STATISTICS = op("statistics", "batch_norm")
LANES = header("statistics", "column_sums", "batch_norm")
MOMENTS = header("statistics", "moments", "batch_norm")
ROWS = header("apply", "row_iterator", "batch_norm")
FINISH, APPLY, INFER = (op(k, "batch_norm") for k in ("finish_statistics", "apply", "infer"))
GRADIENT_SUMS, FINISH_GRADIENTS, APPLY_GRADIENT = (
    op(k, "batch_norm") for k in ("gradient_sums", "finish_gradients", "apply_gradient"))
BROADCAST, BROADCAST_BACK = op("broadcast_forward", "broadcast"), op("broadcast_backward", "broadcast")
DIFFUSION, DIGITS = op("diffusion_batch", "diffusion_batch"), op("digit_batch", "digit_batch")
EMBEDDING, EMBEDDING_BACK = op("embedding", "embedding"), op("embedding_backward", "embedding")
CONVERT = op("convert", "convert")
TIMESTEPS = op("timestep_embedding", "embedding", "timestep_embedding")
NORM, NORM_SUMS, NORM_INPUT, NORM_PARAMS, NORM_ADD = (
    op(f"group_norm_{k}", "group_norm") for k in ("forward", "sums", "input", "params", "add"))
LAYER_NORM, LAYER_NORM_INPUT, LAYER_NORM_PARAMS, LAYER_NORM_ADD = (
    op(f"layer_norm_{k}", "norm/layer_norm", "layer_norm") for k in ("forward", "input", "params", "add"))
BLOCK_SUM = header("group_norm_forward", "reduce", "group_norm")
BLOCK_MAX = header("softmax_forward", "reduce", "softmax")
COMBINE, FILTER = op("linear_combination", "linear_combination"), op("line_filter", "line_filter")
TERMS = header("sum_terms", "sum", "mse_loss")
PARTIALS = header("sum_partials", "sum", "adam", "sum_squares")
ADAM, RANDOM = op("adam", "adam", "adam"), op("random_fill", "random")
SOFTMAX, SOFTMAX_BACK = op("softmax_forward", "softmax"), op("softmax_backward", "softmax")
ENTROPY = op("softmax_cross_entropy_backward", "softmax_cross_entropy")
UP, UP_BACK = op("upsample_forward", "upsample"), op("upsample_backward", "upsample")
GATHER, FOLD = op("signed_gather", "signed_gather"), op("fold_batch_norm", "fold_batch_norm")

OP_MUTANTS = (
    # one element at a time
    Mutant("map: first element of the tail left out", MAP, "packs * kWidth + global_thread(); i < count",
        "packs * kWidth + global_thread() + 1; i < count"),
    Mutant("map: last pack left out", MAP, "i < packs; i += global_threads()", "i + 1 < packs; i += global_threads()"),
    Mutant("gelu: -infinity times 0", ACTIVATE, "const float bounded = x < -6.0f ? -6.0f : x;",
        "const float bounded = x;"),
    Mutant("silu: the wrong half", ACTIVATE, "logistic_pair(bounded, up, down);\n  return bounded * (bounded < 0 ? down : up)",
        "logistic_pair(bounded, up, down);\n  return bounded * (bounded < 0 ? up : down)"),
    Mutant("silu: grad without the product", ACTIVATE, "bounded * s * rest + s", "bounded * s * rest"),
    Mutant("mish: the branch of positive numbers everywhere", ACTIVATE, "up = 2.0f * u + (x < 0 ? u * u : 1.0f);",
        "up = 2.0f * u + 1.0f;"),
    Mutant("affine: not shifted", op("map", "affine"), "fmaf(scale, x, shift)", "fmaf(scale, x, 0.0f)"),
    Mutant("blend: known value everywhere", op("blend", "blend"), "__fsub_rn(1.0f, mask), args.known[e]",
        "1.0f, args.known[e]"),
    Mutant("learned_noise: code of the first element", op("learned_noise", "learned_noise"), "args.code[e]",
        "args.code[0]"),
    Mutant("threshold: images of the first one's quantile", op("dynamic_threshold", "threshold"),
        "quantile(x, elements, args.ratio), 1.0f", "quantile(args.x, elements, args.ratio), 1.0f"),
    Mutant("threshold: written while it is read", op("dynamic_threshold", "threshold"),
        "  return -block_max<kSearchThreads>(-smallest);", "  return smallest;"),
    Mutant("threshold: equal values as one", op("dynamic_threshold", "threshold"), "up_to > below + 1 ? low", "false ? low"),
    Mutant("threshold: the value of the next rank", op("dynamic_threshold", "threshold"), "if (count > rank)", "if (count > rank + 1)"),
    Mutant("threshold: not divided", op("dynamic_threshold", "threshold"), "clamped(x[e], s) / s", "clamped(x[e], s)"),
    Mutant("clip: above only", op("clip", "threshold"), "v < -limit ? -limit : v", "v"),
    Mutant("linear_combination: coefficients of the first image", COMBINE, "args.per_image ? image : 0", "0"),
    Mutant("linear_combination: first element of the tail left out", COMBINE,
        "packs * kWidth + global_thread(); i < args.elements", "packs * kWidth + global_thread() + 1; i < args.elements"),
    Mutant("linear_combination: last term left out", COMBINE, "k = 1; k < kTerms; ++k) {\n    const Pack",
        "k = 1; k + 1 < kTerms; ++k) {\n    const Pack"),
    Mutant("signed_gather: minus instead of complement", GATHER, "-x[~k]", "-x[-k]"),
    Mutant("signed_gather: images of the wrong size", GATHER, "args.x + n * args.x_elements", "args.x + n * args.elements"),
    Mutant("copy_rows: source does not repeat", op("copy_rows", "copy_rows"), "row % args.x_rows * args.x_pitch",
        "row * args.x_pitch"),
    Mutant("copy_rows: destination without gaps", op("copy_rows", "copy_rows"), "y + row * args.y_pitch",
        "y + row * args.c"),
    # attention
    Mutant("attention: no barrier before the next keys", ATTENTION,
        "      __syncthreads();  // the previous tile may still be read\n      if (kWide) shared->q.load",
        "      if (kWide) shared->q.load"),
    Mutant("attention: no barrier after the keys", ATTENTION,
        "shared->v.load(v, column, s.all_keys(), s.d);\n      __syncthreads();",
        "shared->v.load(v, column, s.all_keys(), s.d);"),
    Mutant("attention: the first slice of the values for all", ATTENTION,
        "shared->v.load(v.from(own), column", "shared->v.load(v, column"),
    Mutant("attention: earlier sums keep the old maximum", ATTENTION, "sum[r] = sum[r] * scale + ", "sum[r] = sum[r] + "),
    Mutant("attention: earlier values keep the old maximum", TILES, "v[r][e] *= factor;", "v[r][e] *= 1;"),
    Mutant("attention: keys beyond the last count", ATTENTION, "  if (j >= s.all_keys()) return -INFINITY;\n", ""),
    Mutant("attention: lse without the maximum", ATTENTION, "= row_max[r] + logf(sum[r])", "= logf(sum[r])"),
    Mutant("attention: first own key taken for text", TILES, "j < extra.count ? extra", "j <= extra.count ? extra"),
    Mutant("attention: rows of the first warp for all", TILES, "a.v[warp * kRowsPerWarp + r][e]", "a.v[r][e]"),
    Mutant("attention: numbers of the next head", TILES, "first + row < count && e < d;", "first + row < count;"),
    Mutant("attention: results into the next head", TILES, "if (row < count && number < d)", "if (row < count)"),
    Mutant("attention: one column too few", TILES, "column < kAttentionColumns; ++column",
        "column < kAttentionColumns - 1; ++column"),
    Mutant("delta: queries beyond the last", DELTA, "i < s.queries && e < s.d; e += 32", "e < s.d; e += 32"),
    Mutant("delta: one lane short", DELTA, "  sum = warp_sum(sum);\n  if (i < s.queries &&",
        "  sum = threadIdx.x % 32 == 31 ? 0 : sum;\n  sum = warp_sum(sum);\n  if (i < s.queries &&"),
    Mutant("query gradient: no barrier after the keys", QUERIES,
        "shared->load_columns(k.from(e), v.from(e), column, s.all_keys(), s.d - e);\n      __syncthreads();",
        "shared->load_columns(k.from(e), v.from(e), column, s.all_keys(), s.d - e);"),
    Mutant("query gradient: without delta", QUERIES, "ds[r] = p * (product[r] - delta[at]);", "ds[r] = p * product[r];"),
    Mutant("query gradient: not scaled", QUERIES,
        "s.queries, s.d - own, [&](int) { return args.scale; });", "s.queries, s.d - own, [&](int) { return 1.0f; });"),
    Mutant("query gradient: the first slice of the keys for all", QUERIES,
        "shared->column_a.load(k.from(own), column", "shared->column_a.load(k, column"),
    Mutant("key gradient: no barrier before the next queries", KEYS,
        "      __syncthreads();  // the previous tile may still be read\n      if (kWide) shared->load_rows(k.",
        "      if (kWide) shared->load_rows(k."),
    Mutant("key gradient: keys and values swapped", KEYS, "key_sum.add(ds, shared->column_a);\n    value_sum.add(p,",
        "key_sum.add(p, shared->column_a);\n    value_sum.add(ds,"),
    # pooling and resizing
    Mutant("avg_pool: last pixel of the window left out", POOL, "i < count && tap < area;", "i < count && tap + 1 < area;"),
    Mutant("avg_pool: window of the next row", POOL, "(row * kh + next / kw) * s.w", "(row + next / kw) * s.w"),
    Mutant("avg_pool: pixels beyond the window", POOL, "inside ? to_float(v[u].v[e]) : 0.0f", "to_float(v[u].v[e])"),
    Mutant("avg_pool: first lane alone", POOL, "sum[e] = column_sum(partial, e);", ";"),
    Mutant("avg_pool backward: row of the wrong output", UNPOOL, "row / s.kh * wo + column / s.kw", "row % s.kh * wo + column / s.kw"),
    Mutant("upsample: weight of the other axis", UP, "va + column.weight * ", "va + row.weight * "),
    Mutant("upsample: corner read twice", UP, "(row.second * s.w + column.second)", "(row.second * s.w + column.first)"),
    Mutant("upsample backward: weight of the other axis", UP_BACK, ".weight_of(column)", ".weight_of(row)"),
    Mutant("upsample backward: first output only", UP_BACK, "oj < columns.end; ++oj", "oj < columns.begin + 2; ++oj"),
    # normalizations
    Mutant("lane sums: no barrier", LANES, "  }\n  __syncthreads();\n}", "  }\n}"),
    Mutant("lane sums: half of the lanes of a warp", LANES, "offset < 32; offset *= 2", "offset < 16; offset *= 2"),
    Mutant("lane sums: last warp left out", LANES, "warp < kWarps; ++warp", "warp < kWarps - 1; ++warp"),
    Mutant("moments: weight of the wrong side", MOMENTS, "delta * delta * a.count * weight", "delta * delta * b.count * weight"),
    Mutant("statistics: rows beyond the last deviate", STATISTICS,
        "i * kLanes + threadIdx.y < count ? value[i] - center : 0.0f", "value[i] - center"),
    Mutant("statistics: channel bound dropped", STATISTICS, "channel < plan.c && row < count", "row < count"),
    Mutant("statistics: row bound dropped", STATISTICS, "channel < plan.c && row < count", "channel < plan.c"),
    Mutant("moments: what f32 leaves of the mean forgotten", MOMENTS, "static_cast<double>(m.mean) + m.rest", "m.mean"),
    Mutant("finish: chunks counted alike", FINISH, "sum[1] += part.count * part.mean;",
        "sum[1] += part.count > 0 ? part.mean : 0;"),
    Mutant("finish: first chunk in place of those beyond the last", FINISH, "part[k].count = part[k].m2 = 0;",
        "part[k].m2 = 0;"),
    Mutant("finish: means of the chunks do not deviate", FINISH, "m2[0] += part.m2 + part.count * delta * delta;",
        "m2[0] += part.m2;"),
    Mutant("finish: running variance of the biased kind", FINISH, "max(all.count - 1, 1.0)", "max(all.count, 1.0)"),
    Mutant("apply: mean of the pack's first channel", APPLY,
        "activate<kActivation>((v - mean.v[e]) * scale.v[e] + shift.v[e]);\n  });",
        "activate<kActivation>((v - mean.v[0]) * scale.v[e] + shift.v[e]);\n  });"),
    Mutant("apply: rows of the threads beyond a whole row", ROWS, "end = row < step ? rows : 0;", "end = rows;"),
    Mutant("apply: rows beyond the last", ROWS,
        "if (r < rows_of_thread.end) store_pack<kWidth>(y", "store_pack<kWidth>(y"),
    Mutant("infer: variance of the pack's first channel", INFER, "args.running_var[channel]", "args.running_var[rows_of_thread.channel]"),
    Mutant("gradient sums: rows beyond the last", GRADIENT_SUMS, "const bool inside = row + k * kSumLanes < count;",
        "const bool inside = true;"),
    Mutant("gradient sums: not centered", GRADIENT_SUMS, "part[kWidth + e] += dz * centered", "part[kWidth + e] += dz * to_float(vx[k].v[e])"),
    Mutant("gradient sums: first tile of a chunk alone", GRADIENT_SUMS, "totals[i] += part[i]", "totals[i] = tile == begin ? part[i] : totals[i]"),
    Mutant("finish gradients: last chunk left out", FINISH_GRADIENTS, "chunk < plan.chunks", "chunk + 1 < plan.chunks"),
    Mutant("finish gradients: sums of the next channel", FINISH_GRADIENTS, "sums[chunk * plan.c + channel]", "sums[chunk * plan.c + (channel + 1) % plan.c]"),
    Mutant("finish gradients: channel bound dropped", FINISH_GRADIENTS,
        "channel < plan.c && chunk < plan.chunks", "chunk < plan.chunks"),
    Mutant("apply gradient: offset of the pack's first channel", APPLY_GRADIENT, "offset.v[e]", "offset.v[0]"),
    Mutant("apply gradient: rows beyond the last", APPLY_GRADIENT, "if (r < rows_of_thread.end) store_pack<kWidth>(dx", "store_pack<kWidth>(dx"),
    Mutant("block sum: no barrier before", BLOCK_SUM, "  __syncthreads();  // the previous call may still be read\n", ""),
    Mutant("block sum: no barrier after", BLOCK_SUM,
        "partial[threadIdx.x / 32] = v;\n  __syncthreads();\n  T sum", "partial[threadIdx.x / 32] = v;\n  T sum"),
    Mutant("block sum: last warp left out", BLOCK_SUM, "warp < kBlock / 32; ++warp) sum", "warp < kBlock / 32 - 1; ++warp) sum"),
    Mutant("warp sum: half of the lanes", BLOCK_SUM, "offset = 16; offset > 0; offset /= 2) v +=",
        "offset = 8; offset > 0; offset /= 2) v +="),
    Mutant("group_norm: mean over the rounded center", NORM, "squares += deviation * deviation", "squares += deviation"),
    Mutant("group_norm: groups interleaved", NORM, "task % s.groups * s.group_channels()", "task % s.groups"),
    Mutant("group_norm: statistics of every thread", NORM, "    if (threadIdx.x == 0) {\n      if (args.mean", "    {\n      if (args.mean"),
    Mutant("group_norm sums: no barrier", NORM_SUMS, "partial[1][threadIdx.y][threadIdx.x] = product;\n    __syncthreads();",
        "partial[1][threadIdx.y][threadIdx.x] = product;"),
    Mutant("group_norm sums: channel bound dropped", NORM_SUMS, "    if (threadIdx.y == 0 && c < s.c) {", "    if (threadIdx.y == 0) {"),
    Mutant("group_norm sums: first row twice", NORM_SUMS,
        "int row = 1; row < kSumRows; ++row) {\n        sum +=", "int row = 0; row < kSumRows; ++row) {\n        sum +="),
    Mutant("group_norm input: factor without the scale", NORM_INPUT,
        "(args.scale == nullptr ? 1.0f : 1.0f + args.scale[nc]);\n}", "1.0f;\n}"),
    Mutant("group_norm params: last image left out", NORM_PARAMS, "c < channels && n < last;", "c < channels && n + 1 < last;"),
    Mutant("group_norm params: images of the next chunk", NORM_PARAMS,
        "const int64_t last = min(first + chunks.images_of_one, args.size.n);", "const int64_t last = args.size.n;"),
    Mutant("group_norm params: all chunks to one place", NORM_PARAMS, "sums + blockIdx.y * 2 * channels", "sums"),
    Mutant("group_norm params: first chunk alone", NORM_ADD, "chunk < chunks; ++chunk", "chunk < 1; ++chunk"),
    Mutant("rms_norm: gamma of the first channel", op("rms_norm_forward", "rms_norm"),
        "to_float(x[c]) * rstd * args.gamma[c])", "to_float(x[c]) * rstd * args.gamma[0])"),
    Mutant("rms_norm: sum instead of mean", op("rms_norm_forward", "rms_norm"),
        "block_sum<kThreads>(squares) / static_cast<double>(args.c)", "block_sum<kThreads>(squares)"),
    Mutant("rms_norm input: mean left out", op("rms_norm_input", "rms_norm"), "rstd * (g - to_float(x[c]) * rstd * mean)",
        "rstd * g"),
    Mutant("rms_norm gamma: no barrier", op("rms_norm_gamma", "rms_norm"),
        "partial[threadIdx.y][threadIdx.x] = sum;\n  __syncthreads();", "partial[threadIdx.y][threadIdx.x] = sum;"),
    Mutant("rms_norm gamma: rows of the next chunk", op("rms_norm_gamma", "rms_norm"),
        "min(first + chunks.rows_of_one, args.rows)", "first + chunks.rows_of_one"),
    Mutant("rms_norm add: first chunk alone", op("rms_norm_add", "rms_norm"), "chunk < chunks; ++chunk", "chunk < 1; ++chunk"),
    Mutant("layer_norm: mean not removed", LAYER_NORM, "const float xh = (to_float(x[c]) - center - rest) * rstd;",
        "const float xh = to_float(x[c]) * rstd;"),
    Mutant("layer_norm: rounded mean not corrected", LAYER_NORM, "static_cast<float>(mean - center)", "0 * static_cast<float>(mean - center)"),
    Mutant("layer_norm: beta of the first channel", LAYER_NORM, "0.0f : args.beta[c]", "0.0f : args.beta[0]"),
    Mutant("layer_norm: statistics of every thread", LAYER_NORM, "    if (threadIdx.x == 0) {\n      if (args.mean",
        "    {\n      if (args.mean"),
    Mutant("layer_norm input: mean of g left out", LAYER_NORM_INPUT, "rstd * (g - mean_g - xh * mean_gx)", "rstd * (g - xh * mean_gx)"),
    Mutant("layer_norm input: products with x not centered", LAYER_NORM_INPUT, "product += g * ((to_float(x[c]) - mean) * rstd);",
        "product += g * (to_float(x[c]) * rstd);"),
    Mutant("layer_norm params: no barrier", LAYER_NORM_PARAMS, "partial[1][threadIdx.y][threadIdx.x] = dgamma;\n  __syncthreads();",
        "partial[1][threadIdx.y][threadIdx.x] = dgamma;"),
    Mutant("layer_norm params: rows of the next chunk", LAYER_NORM_PARAMS, "min(first + chunks.rows_of_one, args.rows)",
        "first + chunks.rows_of_one"),
    Mutant("layer_norm params: channel bound dropped", LAYER_NORM_PARAMS, "c < args.c && row < last;", "row < last;"),
    Mutant("layer_norm params: all chunks to one place", LAYER_NORM_PARAMS, "sums + blockIdx.y * 2 * args.c", "sums"),
    Mutant("layer_norm add: first chunk alone", LAYER_NORM_ADD, "chunk < chunks; ++chunk", "chunk < 1; ++chunk"),
    Mutant("layer_norm add: null not seen", LAYER_NORM_ADD, "    if (result == nullptr) continue;\n", ""),
    Mutant("fold_batch_norm: mean left out", FOLD, "static_cast<double>(a.b[o]) - a.mean[o]", "static_cast<double>(a.b[o])"),
    Mutant("fold_batch_norm: every thread writes the bias", FOLD, "if (threadIdx.x == 0) {", "{"),
    # sums and losses
    Mutant("sum: every thread writes the block's", TERMS, "if (threadIdx.x == 0) partial[blockIdx.x] = sum;",
        "partial[blockIdx.x] = sum;"),
    Mutant("sum: first element of a thread alone", TERMS, "i < count; i += global_threads()", "i < count; i += count"),
    Mutant("sum: first partial sum alone", PARTIALS, "i < blocks; i += kThreads", "i < 1; i += kThreads"),
    Mutant("mse_loss: half of the gradient", op("map", "mse_loss"), "2.0 / static_cast<double>(args.count)", "1.0 / static_cast<double>(args.count)"),
    Mutant("softmax: large scores overflow", SOFTMAX, "expf(to_float(x[c]) - most) * factor", "expf(to_float(x[c])) * factor"),
    Mutant("block max: no barrier after", BLOCK_MAX,
        "partial[threadIdx.x / 32] = v;\n  __syncthreads();\n  float most", "partial[threadIdx.x / 32] = v;\n  float most"),
    Mutant("warp max: half of the lanes", BLOCK_MAX, "offset = 16; offset > 0; offset /= 2)\n    v = fmaxf",
        "offset = 8; offset > 0; offset /= 2)\n    v = fmaxf"),
    Mutant("softmax backward: mean left out", SOFTMAX_BACK, "(to_float(dy[c]) - mean)", "to_float(dy[c])"),
    Mutant("cross entropy: targets taken for sums of 1", ENTROPY, "share * total - ", "share - "),
    Mutant("cross entropy: row bound dropped", ENTROPY, "row < args.rows; row += global_threads()",
        "row < (args.rows + 1); row += global_threads()"),
    # training
    Mutant("adam: first element of the tail left out", ADAM, "packs * kWidth + global_thread(); i < args.count",
        "packs * kWidth + global_thread() + 1; i < args.count"),
    Mutant("adam: second moment not scale", ADAM, "  store_pack<kWidth>(args.v + i, v);\n", ""),
    Mutant("adam: guard not asked", op("adam", "adam", "adam and ema"), "  if (!updates(args.guard)) return;\n", ""),
    Mutant("update_guard: square of the norm", op("update_guard", "adam", "update_guard"), "sqrt(*args.sum_squares)",
        "*args.sum_squares"),
    Mutant("adam: gradient scale left out", ADAM, "grad * f.grad_scale", "grad"),
    Mutant("random: image's end not seen", RANDOM, "if (e + i < args.elements) y[e + i]", "y[e + i]"),
    Mutant("random: counters apart", RANDOM, "static_cast<uint32_t>(e / 4)", "static_cast<uint32_t>(e)"),
    Mutant("random: same numbers for all images", RANDOM, "args.image0 + static_cast<uint64_t>(image)", "args.image0"),
    Mutant("diffusion_batch: image's end not seen", DIFFUSION, "i < 4 && p + i < args.pixels; i += 2", "i < 4; i += 2"),
    Mutant("diffusion_batch: both pixels with one number", DIFFUSION, "noise.second", "noise.first"),
    Mutant("diffusion_batch: every thread writes t", DIFFUSION, "args.t != nullptr && threadIdx.x == 0", "args.t != nullptr"),
    Mutant("digit_batch: wraps at the left side", DIGITS, "j >= 0 && j < width", "j < width"),
    Mutant("digit_batch: corner read twice", DIGITS, "pixel(i + 1, j + 1)", "pixel(i + 1, j)"),
    # by index
    Mutant("embedding: one number too many known", EMBEDDING, "id < args.entries", "id <= args.entries"),
    Mutant("embedding backward: last id of every 32 left out", EMBEDDING_BACK, "left != 0; left &= left - 1",
        "(left & 0x7fffffffu) != 0; left &= left - 1"),
    Mutant("embedding backward: id bound dropped", EMBEDDING_BACK, "i0 + lane < args.count && args.ids", "args.ids"),
    Mutant("embedding backward: channel bound dropped", EMBEDDING_BACK, "        if (c < args.c) sum +=", "        sum +="),
    Mutant("convert: tail left out", CONVERT, "packs * kWidth + global_thread(); i < count", "packs * kWidth + global_thread() + 1; i < count"),
    Mutant("convert: packs without asking for alignment", CONVERT, "const bool vectorized = vectors_fit(args.x, args.y);",
        "const bool vectorized = true;"),
    Mutant("timestep_embedding: halves swapped", TIMESTEPS, "args.sin_first ? half + i : i", "args.sin_first ? i : half + i"),
    Mutant("timestep_embedding: every thread writes the zero", TIMESTEPS, "args.c % 2 == 1 && global_thread() == 0",
        "args.c % 2 == 1"),
    Mutant("line_filter: edge pixel twice", FILTER, "2 * (size - 1) - position", "2 * size - 1 - position"),
    Mutant("line_filter: one tap to the right", FILTER, "j + (k - reach) * args.dx", "j + (k - reach + 1) * args.dx"),
    # sums per channel of an image
    Mutant("broadcast: vector of the next image", BROADCAST, "n % args.s_n * args.c", "(n + 1) % args.s_n * args.c"),
    Mutant("broadcast: pack of the first channels", BROADCAST, "load_pack<kWidth>(s + channel)", "load_pack<kWidth>(s)"),
    Mutant("broadcast backward: channel bound dropped", BROADCAST_BACK, "exists = channel < args.c", "exists = true"),
    Mutant("broadcast backward: pixels beyond the last", BROADCAST_BACK, "inside ? term : 0.0", "term"),
    Mutant("broadcast backward: sum of the first channel of a pack", BROADCAST_BACK, "column_sum(partial, e)", "column_sum(partial, 0)"),
)
