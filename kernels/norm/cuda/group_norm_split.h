#pragma once

#include "kernels/cuda/grid.h"
#include "kernels/norm/group_norm.h"

namespace ebb::EBB_GPU_NAMESPACE {

// GroupNorm with many blocks per image. A block takes a tile of kGroupNormChannels channels of one
// chunk of pixels, in whole rows of memory; groups may begin and end anywhere in a tile.
inline constexpr int kGroupNormChannels = 64;
// Pixels of a tile that a block's threads hold in registers.
inline constexpr int kGroupNormPixels = 128;
inline constexpr int64_t kGroupNormMaxChunks = 64;

// Mean and sum of squared deviations of the part of a group in one tile and chunk.
struct alignas(16) GroupMoments {
  double mean, m2;
};

// Depends on the size of one image, so that its bits do not depend on the batch.
struct GroupNormPlan {
  GroupNormSize size;
  int64_t tiles;  // of channels
  int64_t chunks, chunk_pixels;

  explicit GroupNormPlan(const GroupNormSize& s)
      : size(s), tiles(ceil_div(s.c, kGroupNormChannels)) {
    const int64_t pieces = ceil_div(s.pixels, kGroupNormPixels);
    chunk_pixels = ceil_div(pieces, kGroupNormMaxChunks) * kGroupNormPixels;
    chunks = ceil_div(s.pixels, chunk_pixels);
  }

  // Whether a group is worth more than one block: below, one reads it from a cache.
  bool splits() const { return size.pixels >= kGroupNormPixels / 2 && tiles <= kMaxGridY; }

  // Parts of groups: from one tile to the next at most one group goes on, so that tile + group
  // counts them, with gaps.
  constexpr int64_t parts() const { return tiles + size.groups; }
  // Workspace: moments [N, parts, chunks].
  int64_t workspace_bytes() const {
    return splits() ? size.n * parts() * chunks * static_cast<int64_t>(sizeof(GroupMoments)) : 0;
  }
};

// Whether x and y can be moved in packs of 16 bytes.
bool group_norm_has_packs(const GroupNormForwardArgs& args);

// For a plan that splits and operands in packs.
void group_norm_split_forward(const GroupNormPlan& plan, const GroupNormForwardArgs& args,
                              KernelStream stream);

}  // namespace ebb::EBB_GPU_NAMESPACE
