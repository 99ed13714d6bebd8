#pragma once

#include <cstdint>

namespace ebb::cpu {

// One image's head of attention's forward pass, with keys and values packed for the register tile
// of the convolutions (conv_tile-inl.h). W: floats of a tile's row.
struct PackedHead {
  int64_t d = 0;       // numbers per head
  int64_t count = 0;   // keys
  float* k = nullptr;  // [keys / W][d][W], zeros beyond the last key
  float* v = nullptr;  // [d / W][keys][W], keys and channels rounded up, zeros there
};

struct AttentionShape {
  int64_t padded_keys;      // keys of `v`
  int64_t padded_channels;  // d rounded up to W
};
AttentionShape packed_attention_shape(int64_t d, int64_t keys);

// Queries of one task. Each reads all keys and values, from a cache for the second and later strip.
inline constexpr int64_t kQueryBlock = 48;

// key_rows[j], value_rows[j]: d numbers of key first + j. Packs keys [first, first + count), at
// most a tile's width; `first` is a multiple of it.
void pack_keys(const PackedHead& head, int64_t first, int64_t count, const float* const* key_rows,
               const float* const* value_rows);
int64_t pack_width();

struct QueryBlock {
  int64_t count;      // 1..kQueryBlock
  const float* q;     // the first query's numbers
  int64_t q_pitch;    // from query to query
  const float* bias;  // [count][keys] or null
  float scale;
  float* o;
  int64_t o_pitch;
  float* lse;  // [count] or null
};
void attend(const PackedHead& head, const QueryBlock& block);

}  // namespace ebb::cpu
