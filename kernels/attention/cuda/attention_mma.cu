#include "kernels/attention/cuda/attention_plan.h"
#include "kernels/attention/cuda/attention_tiles.h"
#include "kernels/conv/cuda/mma_tile.h"
#include "kernels/cuda/grid.h"

// Flash attention on tensor cores (Dao 2023): a block takes kRows queries of one image and head, a
// warp 16 of them. Keys and values pass tile by tile through two stages in shared memory: the
// copies of the next tile are under way while one is multiplied. Scores are in base 2. Wide heads
// have tiles of fewer keys and fetch the queries for every tile, so that sums fit the registers.
namespace ebb::EBB_GPU_NAMESPACE {
namespace {

constexpr int kWarps = 4, kRows = 16 * kWarps, kThreadsOfBlock = 32 * kWarps;
// Keys of a tile.
template <int kD>
constexpr int kColumns = kD <= 128 ? 64 : 32;
constexpr float kLog2E = 1.44269504f, kLn2 = 0.693147181f;

// kCount tokens of kD numbers. Rows are longer by 16 bytes, an odd number of chunks, so that
// ldmatrix reads eight of them without a bank conflict.
template <class T, int kD, int kCount>
struct Tokens {
  T v[kCount][kD + kChunkElements<T>];

  // Copies the rows from `first` on by cp.async, zeros beyond `count` tokens and beyond d numbers.
  template <class Rows>
  SIMT_DEVICE void load(const Rows& rows, int64_t first, int64_t count, int64_t d,
                        const T* anywhere) {
    constexpr int kChunks = kD / kChunkElements<T>;
    static_assert(kCount * kChunks % kThreadsOfBlock == 0);
#pragma unroll 2  // more would spill registers in wide heads
    for (int i = 0; i < kCount * kChunks / kThreadsOfBlock; ++i) {
      const int at = i * kThreadsOfBlock + static_cast<int>(threadIdx.x);
      const int row = at / kChunks, e = at % kChunks * kChunkElements<T>;
      const bool inside = first + row < count && e < d;
      simt::cp_async(&v[row][e], inside ? rows.row(first + row) + e : anywhere, inside);
    }
  }
};

template <class T, int kD>
using KeyTile = Tokens<T, kD, kColumns<kD>>;
template <class T, int kD>
using QueryTile = Tokens<T, kD, kRows>;

template <class T, int kD>
struct Shared {
  struct Stage {
    KeyTile<T, kD> k, v;
  };
  Stage stages[2];
  QueryTile<T, kD> q;
};

SIMT_DEVICE uint32_t pack_pair(float low, float high, __nv_bfloat16) {
  const __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
  uint32_t bits;
  memcpy(&bits, &pair, sizeof(bits));
  return bits;
}
SIMT_DEVICE uint32_t pack_pair(float low, float high, __half) {
  const __half2 pair = __floats2half2_rn(low, high);
  uint32_t bits;
  memcpy(&bits, &pair, sizeof(bits));
  return bits;
}

// 16 queries of a warp. Of an accumulator of mma, numbers 0 and 1 belong to row lane / 4, numbers 2
// and 3 to the row 8 below.
template <class T, int kD>
class WarpQueries {
  static constexpr int kBlocks = kColumns<kD> / 8;  // of 8 keys
  static constexpr bool kKeepsQueries = kD <= 128;

 public:
  // The queries have come; they are read again from there unless they are kept.
  SIMT_DEVICE explicit WarpQueries(const QueryTile<T, kD>& queries) : queries_(queries) {
    if constexpr (kKeepsQueries) {
#pragma unroll
      for (int s = 0; s < kD / 16; ++s) fetch(s, kept_[s]);
    }
  }

  // The scores of a tile of keys.
  SIMT_DEVICE void multiply(const KeyTile<T, kD>& keys) {
#pragma unroll
    for (int j = 0; j < kBlocks; ++j) {
#pragma unroll
      for (int i = 0; i < 4; ++i) score_[j][i] = 0;
    }
#pragma unroll
    for (int s = 0; s < kD / 16; ++s) {
      uint32_t fetched[4];
      if constexpr (!kKeepsQueries) fetch(s, fetched);
      const uint32_t(&q)[4] = kKeepsQueries ? kept_[s] : fetched;
#pragma unroll
      for (int j = 0; j < kBlocks; j += 2) {
        uint32_t b[4];
        simt::ldmatrix_x4(
            b, &keys.v[j * 8 + lane() % 8 + lane() / 16 * 8][s * 16 + lane() / 8 % 2 * 8]);
        multiply_pair(score_[j], score_[j + 1], q, b);
      }
    }
  }

  // score = score * scale + bias, -infinity beyond the last key.
  SIMT_DEVICE void mask(const AttentionForwardArgs& args, int64_t head, int64_t first_query,
                        int64_t first_key) {
    const AttentionSize& s = args.size;
    const float scale = args.scale * kLog2E;
    for_each_score([&](float& score, int, int) { score *= scale; });
    if (args.bias != nullptr) {
      const float* of_head = args.bias + head * s.queries * s.all_keys();
      for_each_score([&](float& score, int row, int column) {
        const int64_t query = first_query + row, key = first_key + column;
        if (query >= s.queries || key >= s.all_keys()) return;
        score += kLog2E * of_head[query * s.all_keys() + key];
      });
    }
    if (first_key + kColumns < kD >> s.all_keys()) {
      for_each_score([&](float& score, int, int column) {
        if (first_key + column >= s.all_keys()) score = -INFINITY;
      });
    }
  }

  // Scores become weights below the maximum so far; earlier sums are scaled to it.
  SIMT_DEVICE void weigh() {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float most = max_[half];
#pragma unroll
      for (int j = 0; j < kBlocks; ++j) {
        most = fmaxf(most, fmaxf(score_[j][half * 2], score_[j][half * 2 + 1]));
      }
      most = fmaxf(most, __shfl_xor_sync(kAllLanes, most, 1));
      most = fmaxf(most, __shfl_xor_sync(kAllLanes, most, 2));
      const float base = most == -INFINITY ? 0.0f : most;  // only masked keys so far
      const float factor = exp2f(max_[half] - base);
      max_[half] = most;
      float total = total_[half] * factor;
#pragma unroll
      for (int j = 0; j < kBlocks; ++j) {
#pragma unroll
        for (int i = half * 2; i < half * 2 + 2; ++i) {
          score_[j][i] = exp2f(score_[j][i] - base);
          total += score_[j][i];
        }
      }
      total_[half] = total;
#pragma unroll
      for (int j = 0; j < kD / 8; ++j) {
        sum_[j][half * 2] *= factor;
        sum_[j][half * 2 + 1] *= factor;
      }
    }
  }

  // Adds the values by their weights.
  SIMT_DEVICE void add(const KeyTile<T, kD>& values) {
#pragma unroll
    for (int k = 0; k < kBlocks; k += 2) {
      const uint32_t weights[4] = {pack_pair(score_[k][0], score_[k][1], T{}),
                                   pack_pair(score_[k][2], score_[k][3], T{}),
                                   pack_pair(score_[k + 1][0], score_[k + 1][1], T{}),
                                   pack_pair(score_[k + 1][2], score_[k + 1][3], T{})};
#pragma unroll
      for (int j = 0; j < kD / 8; j += 2) {
        uint32_t b[4];
        simt::ldmatrix_x4_trans(b, &values.v[k * 8 + lane() % 16][j * 8 + lane() / 16 * 8]);
        multiply_pair(sum_[j], sum_[j + 1], weights, b);
      }
    }
  }

  // Averages, and logarithms of the sums, after the last tile. They take the queries' place in
  // shared memory, from where whole chunks are stored: no other warp reads these rows.
  SIMT_DEVICE void store(const AttentionForwardArgs& args, const TokenRows<T>& o,
                         int64_t first_query, float* lse, QueryTile<T, kD>& scratch) {
    __syncwarp();  // all lanes have left the queries
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float total = total_[half];
      total += __shfl_xor_sync(kAllLanes, total, 1);
      total += __shfl_xor_sync(kAllLanes, total, 2);
      const int row = warp_row() + lane() / 4 + half * 8;
      const float inverse = 1.0f / total;
#pragma unroll
      for (int j = 0; j < kD / 8; ++j) {
        const uint32_t pair =
            pack_pair(sum_[j][half * 2] * inverse, sum_[j][half * 2 + 1] * inverse, T{});
        *reinterpret_cast<uint32_t*>(&scratch.v[row][j * 8 + lane() % 4 * 2]) = pair;
      }
      const int64_t query = first_query + row;
      if (lse != nullptr && lane() % 4 == 0 && query < args.size.queries) {
        lse[query] = (max_[half] + log2f(total)) * kLn2;
      }
    }
    __syncwarp();  // all lanes have written
    constexpr int kChunks = kD / kChunkElements<T>;
    for (int at = lane(); at < 16 * kChunks; at += 32) {
      const int row = warp_row() + at / kChunks, e = at % kChunks * kChunkElements<T>;
      const int64_t query = first_query + row;
      if (query < args.size.queries && e < args.size.d) {
        store_pack<kChunkElements<T>>(o.row(query) + e,
                                      load_pack<kChunkElements<T>>(&scratch.v[row][e]));
      }
    }
  }

 private:
  static SIMT_DEVICE int lane() { return static_cast<int>(threadIdx.x) % 32; }
  static SIMT_DEVICE int warp_row() { return static_cast<int>(threadIdx.x) / 32 * 16; }

  // visit(score, query of the block, key of the tile)
  template <class Visit>
  SIMT_DEVICE void for_each_score(const Visit& visit) {
#pragma unroll
    for (int j = 0; j < kBlocks; ++j) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        visit(score_[j][i], warp_row() + lane() / 4 + i / 2 * 8, j * 8 + lane() % 4 * 2 + i % 2);
      }
    }
  }

  // Numbers s * 16 and on.
  SIMT_DEVICE void fetch(int s, uint32_t (&to)[4]) const {
    simt::ldmatrix_x4(to, &queries_.v[warp_row() + lane() % 16][s * 16 + lane() / 16 * 8]);
  }

  // b: two blocks of 8 columns.
  static SIMT_DEVICE void multiply_pair(float (&first)[4], float (&second)[4],
                                        const uint32_t (&a)[4], const uint32_t (&b)[4]) {
    const uint32_t low[2] = {b[0], b[1]}, high[2] = {b[2], b[3]};
    multiply_fragments(first, a, low, T{});
    multiply_fragments(second, a, high, T{});
  }

  const QueryTile<T, kD>& queries_;
  uint32_t kept_[kKeepsQueries ? kD / 16 : 1][4];
  float score_[kBlocks][4];
  float sum_[kD / 8][4] = {};
  float max_[2] = {-INFINITY, -INFINITY};
  float total_[2] = {0, 0};  // over the lane's own keys
};

template <class T, int kD>
__global__ void __launch_bounds__(kThreadsOfBlock, kD <= 64 ? 3 : 2)
    attention_mma_kernel(AttentionForwardArgs args) {
  using SharedOf = Shared<T, kD>;
  SIMT_DYNAMIC_SHARED(SharedOf, shared);
  constexpr int kKeys = kColumns<kD>;
  const AttentionSize& s = args.size;
  const int64_t image = blockIdx.y / s.heads, head = blockIdx.y % s.heads;
  const int64_t first_query = int64_t{blockIdx.x} * kRows, keys = s.all_keys();
  const T* all_q = static_cast<const T*>(args.q);
  const auto q = query_rows(s, all_q, s.q_pitch, image, head);
  const auto o = query_rows(s, static_cast<T*>(args.o), s.o_pitch, image, head);
  const auto k =
      key_rows(s, static_cast<const T*>(args.extra_k), static_cast<const T*>(args.k), image, head);
  const auto v =
      key_rows(s, static_cast<const T*>(args.extra_v), static_cast<const T*>(args.v), image, head);
  const auto load = [&](int64_t tile) {
    auto& to = shared->stages[tile % 2];
    to.k.load(k, tile * kKeys, keys, s.d, all_q);
    to.v.load(v, tile * kKeys, keys, s.d, all_q);
    simt::cp_async_commit();
  };
  shared->q.load(q, first_query, s.queries, s.d, all_q);
  simt::cp_async_commit();
  load(0);
  simt::cp_async_wait<1>();
  __syncthreads();
  WarpQueries<T, kD> queries(shared->q);
  const int64_t tiles = (keys + kKeys - 1) / kKeys;
  for (int64_t tile = 0; tile < tiles; ++tile) {
    simt::cp_async_wait<0>();
    // This tile has come for all threads, and all have left the stage that is filled next.
    __syncthreads();
    if (tile + 1 < tiles) load(tile + 1);
    const auto& stage = shared->stages[tile % 2];
    queries.multiply(stage.k);
    queries.mask(args, head, first_query, tile * kKeys);
    queries.weigh();
    queries.add(stage.v);
  }
  float* lse = args.lse == nullptr ? nullptr : args.lse + int64_t{blockIdx.y} * s.queries;
  queries.store(args, o, first_query, lse, shared->q);
}

// Calls body with the smallest width of tiles for heads of d numbers.
template <class Body>
void for_mma_head_dim(int64_t d, const Body& body) {
  if (d <= 32) return body(std::integral_constant<int, 32>{});
  if (d <= 48) return body(std::integral_constant<int, 48>{});
  if (d <= 64) return body(std::integral_constant<int, 64>{});
  if (d <= 80) return body(std::integral_constant<int, 80>{});
  if (d <= 96) return body(std::integral_constant<int, 96>{});
  if (d <= 128) return body(std::integral_constant<int, 128>{});
  if (d <= 160) return body(std::integral_constant<int, 160>{});
  return body(std::integral_constant<int, 256>{});
}

template <class T>
void run(const AttentionForwardArgs& args, KernelStream stream) {
  const AttentionSize& s = args.size;
  for_mma_head_dim(s.d, [&](auto width) {
    constexpr int kD = decltype(width)::value;
    simt::launch({.name = "attention_mma",
                  .grid = dim3(static_cast<unsigned>(ceil_div(s.queries, kRows)),
                               static_cast<unsigned>(s.b * s.heads)),
                  .block = dim3(kThreadsOfBlock),
                  .shared_bytes = sizeof(Shared<T, kD>),
                  .stream = stream},
                 attention_mma_kernel<T, kD>, args);
  });
}

}  // namespace

AttentionAlgorithm attention_algorithm(const AttentionForwardArgs& args) {
  const AttentionSize& s = args.size;
  const bool packs = packs_fit(args.q, args.k, args.v, args.extra_k, args.extra_v, args.o);
  const auto whole = [](int64_t numbers) { return numbers % 8 == 0; };
  const bool fits = packs && whole(s.d) && whole(s.q_pitch) && whole(s.o_pitch) &&
                    (s.keys == 0 || whole(s.kv_pitch)) && (s.extra == 0 || whole(s.extra_pitch));
  return size_of(args.dtype) == 2 && fits && s.d <= kMaxMmaHeadDim ? AttentionAlgorithm::kMma
                                                                   : AttentionAlgorithm::kTiles;
}

void attention_mma_forward(const AttentionForwardArgs& args, KernelStream stream) {
  if (args.dtype == DType::kBF16) {
    run<__nv_bfloat16>(args, stream);
  } else {
    run<__half>(args, stream);
  }
}

}  // namespace ebb::EBB_GPU_NAMESPACE
