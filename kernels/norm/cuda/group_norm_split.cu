#include <limits>

#include "kernels/cuda/column_sums.h"
#include "kernels/cuda/elements.h"
#include "kernels/norm/cuda/affine.h"
#include "kernels/norm/cuda/group_norm_split.h"
#include "kernels/norm/cuda/moments.h"
#include "kernels/pointwise/cuda/activate.h"

// Two passes over x: moments of every part of a group, then, where they are joined again by each
// block that needs them, the result. Both with the same blocks and threads.
namespace ebb::EBB_GPU_NAMESPACE {
namespace {

// Threads of a block: [lanes][packs], a pack is 16 bytes of neighboring channels.
template <class T>
struct Threads {
  static constexpr int kWidth = kPackWidth<T>, kPacks = kGroupNormChannels / kWidth;
  static constexpr int kLanes = kThreads / kPacks;
  static constexpr int kRows = kGroupNormPixels / kLanes;  // pixels of a thread in registers
};

// blockIdx.x: image and chunk of pixels, blockIdx.y: tile of channels.
struct Tile {
  int64_t image, chunk, tile;
  int64_t first_pixel, end_pixel;
  int first_channel, end_channel;
  int width;  // channels of a group
  int first_group, groups;

  SIMT_DEVICE explicit Tile(const GroupNormPlan& plan)
      : image(blockIdx.x / static_cast<uint32_t>(plan.chunks)),
        chunk(blockIdx.x % static_cast<uint32_t>(plan.chunks)),
        tile(blockIdx.y),
        first_pixel(chunk * plan.chunk_pixels),
        end_pixel(min(first_pixel + plan.chunk_pixels, plan.size.pixels)),
        first_channel(static_cast<int>(blockIdx.y) * kGroupNormChannels),
        end_channel(min(first_channel + kGroupNormChannels, static_cast<int>(plan.size.c))),
        width(static_cast<int>(plan.size.c) / static_cast<int>(plan.size.groups)),
        first_group(first_channel / width),
        groups((end_channel - 1) / width - first_group + 1) {}

  SIMT_DEVICE int64_t pixels() const { return end_pixel - first_pixel; }
};

// The channels of a group in one tile.
struct PartChannels {
  int begin, end;

  SIMT_DEVICE PartChannels(int group, int width, int tile)
      : begin(max(group * width, tile * kGroupNormChannels)),
        end(min((group + 1) * width, (tile + 1) * kGroupNormChannels)) {}

  SIMT_DEVICE int count() const { return end - begin; }
};

SIMT_DEVICE int thread_number() { return static_cast<int>(threadIdx.y * blockDim.x + threadIdx.x); }

// Moments of item(0) ... item(count - 1) together, known to all lanes of the warp: first their
// mean, then the deviations from it.
template <class Item>
SIMT_DEVICE Moments join(int count, const Item& item) {
  const int lane = thread_number() % 32;
  double numbers = 0, sum = 0, m2 = 0;
  for (int i = lane; i < count; i += 32) {
    const Moments part = item(i);
    numbers += part.count;
    sum += part.count * part.mean;
  }
  numbers = warp_sum(numbers);
  const double mean = warp_sum(sum) / numbers;
  for (int i = lane; i < count; i += 32) {
    const Moments part = item(i);
    const double delta = part.mean - mean;
    m2 += part.m2 + part.count * delta * delta;
  }
  return {numbers, mean, warp_sum(m2)};
}

// Moments of each channel of the tile over the chunk. Pieces of kGroupNormPixels stay in registers
// between the sum and the deviations from its mean. Returned to thread (pack, e) for e < kWidth.
template <class T>
SIMT_DEVICE Moments channel_moments(const GroupNormPlan& plan, const Tile& tile, const T* x) {
  using Of = Threads<T>;
  constexpr int kWidth = Of::kWidth, kPacks = Of::kPacks;
  SIMT_SHARED(float, sums, [kThreads / 32][kWidth][kPacks]);
  SIMT_SHARED(float, deviations, [kThreads / 32][2 * kWidth][kPacks]);
  const int channel = tile.first_channel + static_cast<int>(threadIdx.x) * kWidth;
  const int lane = static_cast<int>(threadIdx.y);
  const T* from = x + tile.image * plan.size.pixels * plan.size.c + channel;
  Moments all = {0, 0, 0};
  for (int64_t pixel = tile.first_pixel; pixel < tile.end_pixel; pixel += kGroupNormPixels) {
    const int count =
        static_cast<int>(min(tile.end_pixel - pixel, static_cast<int64_t>(kGroupNormPixels)));
    Pack<T, kWidth> v[Of::kRows];
#pragma unroll
    for (int k = 0; k < Of::kRows; ++k) {
      const int row = k * Of::kLanes + lane;
      const bool inside = channel < tile.end_channel && row < count;
      v[k] = inside ? load_pack<kWidth>(from + (pixel + row) * plan.size.c) : Pack<T, kWidth>{};
    }
    float sum[kWidth] = {}, rest[2 * kWidth] = {};  // rest: what rounding left, and squares
#pragma unroll
    for (int k = 0; k < Of::kRows; ++k) {
#pragma unroll
      for (int e = 0; e < kWidth; ++e) sum[e] += to_float(v[k].v[e]);
    }
    reduce_columns(sum, sums);
    const float inverse = 1.0f / static_cast<float>(count);
#pragma unroll
    for (int e = 0; e < kWidth; ++e) {
      const float center = column_sum(sums, e) * inverse;
#pragma unroll
      for (int k = 0; k < Of::kRows; ++k) {
        const bool inside = k * Of::kLanes + lane < count;
        const float deviation = inside ? to_float(v[k].v[e]) - center : 0.0f;
        rest[e] += deviation;
        rest[kWidth + e] += deviation * deviation;
      }
    }
    const double center = lane < kWidth ? column_sum(sums, lane) * inverse : 0.0f;
    reduce_columns(rest, deviations);
    if (lane < kWidth) {
      const double pixels = count, left = column_sum(deviations, lane);
      const double m2 = column_sum(deviations, kWidth + lane) - left * left / pixels;
      all = merge(all, {pixels, center + left / pixels, m2});
    }
  }
  return all;
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    group_norm_moments_kernel(GroupNormPlan plan, const T* x, GroupMoments* moments) {
  SIMT_SHARED(GroupMoments, channels, [kGroupNormChannels]);
  const Tile tile(plan);
  const Moments own = channel_moments(plan, tile, x);
  if (threadIdx.y < Threads<T>::kWidth) {
    channels[threadIdx.x * Threads<T>::kWidth + threadIdx.y] = {own.mean, own.m2};
  }
  __syncthreads();
  const double pixels = static_cast<double>(tile.pixels());
  for (int g = thread_number() / 32; g < tile.groups; g += kThreads / 32) {
    const int group = tile.first_group + g;
    const PartChannels part(group, tile.width, static_cast<int>(tile.tile));
    const Moments all = join(part.count(), [&](int i) -> Moments {
      const GroupMoments& channel = channels[part.begin - tile.first_channel + i];
      return {pixels, channel.mean, channel.m2};
    });
    if (thread_number() % 32 == 0) {
      const int64_t at = tile.image * plan.parts() + tile.tile + group;
      moments[at * plan.chunks + tile.chunk] = {all.mean, all.m2};
    }
  }
}

// Moments of a whole group from those of its parts.
SIMT_DEVICE Moments group_moments(const GroupNormPlan& plan, const Tile& tile, int group,
                                  const GroupMoments* moments) {
  const int first_tile = group * tile.width / kGroupNormChannels;
  const int last_tile = ((group + 1) * tile.width - 1) / kGroupNormChannels;
  const int chunks = static_cast<int>(plan.chunks);
  const GroupMoments* of_image = moments + tile.image * plan.parts() * chunks;
  return join((last_tile - first_tile + 1) * chunks, [&](int i) -> Moments {
    const int t = first_tile + i / chunks, chunk = i % chunks;
    const int64_t first_pixel = chunk * plan.chunk_pixels;
    const int64_t pixels = min(plan.chunk_pixels, plan.size.pixels - first_pixel);
    const double count = static_cast<double>(pixels * PartChannels(group, tile.width, t).count());
    const GroupMoments& part = of_image[int64_t{t + group} * chunks + chunk];
    return {count, part.mean, part.m2};
  });
}

// y = act((x - mean) * slope + offset) of one tile and chunk. y may be x.
template <class T, Activation kActivation>
__global__ void __launch_bounds__(kThreads, 2)
    group_norm_apply_kernel(GroupNormPlan plan, GroupNormForwardArgs args,
                            const GroupMoments* moments) {
  using Of = Threads<T>;
  constexpr int kWidth = Of::kWidth;
  // By group of the tile. The mean in two parts: f32 cannot represent a large one.
  SIMT_SHARED(float, means, [kGroupNormChannels]);
  SIMT_SHARED(float, rests, [kGroupNormChannels]);
  SIMT_SHARED(float, rstds, [kGroupNormChannels]);
  const Tile tile(plan);
  for (int g = thread_number() / 32; g < tile.groups; g += kThreads / 32) {
    const int group = tile.first_group + g;
    const Moments all = group_moments(plan, tile, group, moments);
    if (thread_number() % 32 != 0) continue;
    means[g] = static_cast<float>(all.mean);
    rests[g] = static_cast<float>(all.mean - means[g]);
    rstds[g] = static_cast<float>(1 / sqrt(all.m2 / all.count + args.eps));
    if (tile.chunk != 0 || group * tile.width < tile.first_channel) continue;
    const int64_t task = tile.image * plan.size.groups + group;
    if (args.mean != nullptr) args.mean[task] = means[g];
    if (args.rstd != nullptr) args.rstd[task] = rstds[g];
  }
  __syncthreads();
  const int channel = tile.first_channel + static_cast<int>(threadIdx.x) * kWidth;
  if (channel >= tile.end_channel) return;
  float center[kWidth], slope[kWidth], offset[kWidth];
#pragma unroll
  for (int e = 0; e < kWidth; ++e) {
    const int c = channel + e, g = c / tile.width - tile.first_group;
    const Affine affine =
        affine_of(args.gamma, args.beta, args.scale, args.shift, c, tile.image * plan.size.c + c);
    center[e] = means[g];
    slope[e] = affine.grad * rstds[g];
    offset[e] = affine.offset - rests[g] * slope[e];
  }
  const int64_t first = tile.image * plan.size.pixels * plan.size.c + channel;
  const T* x = static_cast<const T*>(args.x) + first;
  T* y = static_cast<T*>(args.y) + first;
  constexpr int kTogether = 4;  // loads in flight
  for (int64_t pixel = tile.first_pixel + threadIdx.y; pixel < tile.end_pixel;
       pixel += kTogether * Of::kLanes) {
    Pack<T, kWidth> v[kTogether];
#pragma unroll
    for (int k = 0; k < kTogether; ++k) {  // without a condition, to be in flight together
      const int64_t next = pixel + k * Of::kLanes;
      v[k] = load_pack<kWidth>(x + (next < tile.end_pixel ? next : pixel) * plan.size.c);
    }
#pragma unroll
    for (int k = 0; k < kTogether; ++k) {
      const int64_t next = pixel + k * Of::kLanes;
#pragma unroll
      for (int e = 0; e < kWidth; ++e) {
        const float u = (to_float(v[k].v[e]) - center[e]) * slope[e] + offset[e];
        v[k].v[e] = from_float<T>(activate<kActivation>(u));
      }
      if (next < tile.end_pixel) store_pack<kWidth>(y + next * plan.size.c, v[k]);
    }
  }
}

template <class T>
simt::LaunchConfig config(const char* name, const GroupNormPlan& plan, KernelStream stream) {
  return {.name = name,
          .grid = dim3(static_cast<unsigned>(plan.size.n * plan.chunks),
                       static_cast<unsigned>(plan.tiles)),
          .block = dim3(Threads<T>::kPacks, Threads<T>::kLanes),
          .stream = stream};
}

}  // namespace

bool group_norm_has_packs(const GroupNormForwardArgs& args) {
  return args.size.c * size_of(args.dtype) % 16 == 0 && packs_fit(args.x, args.y);
}

void group_norm_split_forward(const GroupNormPlan& plan, const GroupNormForwardArgs& args,
                              KernelStream stream) {
  constexpr int64_t kMaxBlocksX = std::numeric_limits<int32_t>::max();
  EBB_CHECK(plan.size.n <= kMaxBlocksX / plan.chunks, ShapeError, "cuda kernels: group_norm of ",
            plan.size.n, " images in ", plan.chunks, " chunks each, at most ", kMaxBlocksX,
            " in all. Use a smaller batch");
  GroupMoments* moments = static_cast<GroupMoments*>(args.workspace);
  for_dtype("group_norm", args.dtype, [&](auto type) {
    using T = decltype(type);
    simt::launch(config<T>("group_norm_moments", plan, stream), group_norm_moments_kernel<T>, plan,
                 static_cast<const T*>(args.x), moments);
    for_activation(args.activation, [&](auto tag) {
      simt::launch(config<T>("group_norm_apply", plan, stream),
                   group_norm_apply_kernel<T, decltype(tag)::value>, plan, args, moments);
    });
  });
}

}  // namespace ebb::EBB_GPU_NAMESPACE
