#pragma once

#include "nn/ops.h"
#include "nn/unet_layout.h"

// The parts of the blocks of diffusers' UNets. Every function names its parameters and module
// outputs as diffusers does, under `s`; images are x [N, H, W, C].
namespace ebb {

// Read by all layers of a pass.
struct UnetPass {
  const UnetLayout& layout;
  Value embedding;            // [N, embedding_width()]: time, class and pooled text
  Value activated_embedding;  // the same behind layout.activation
  std::optional<Value> text;  // [N, R, X]
};

// Emits nothing for kNone.
Value activate(Ops& ops, const Scope& s, Value x, Activation activation);
// An operation of its own where the norm cannot end with it.
Value norm_activate(Ops& ops, const Scope& s, Value x, int64_t groups, Activation activation,
                    GroupNormOptions options);

enum class Resample { kNone, kDown, kUp };  // by 2

struct UnetResnet {
  int64_t channels = 0;  // of the output
  Resample resample = Resample::kNone;
  bool skip_time_activation = false;
  float scale_factor = 1;  // divides the sum
};

// ResnetBlock2D -> [N, H', W', channels].
Value unet_resnet(Ops& ops, const Scope& s, const UnetPass& pass, Value x,
                  const UnetResnet& resnet);

// Self-attention of pixels, groups 0: without its norm.
Value unet_attention(Ops& ops, const Scope& s, const UnetPass& pass, Value x, int64_t head_width,
                     int64_t groups, float scale_factor = 1);
// Pixels that attend to the text and, unless `only_text`, to the pixels.
Value unet_cross_attention(Ops& ops, const Scope& s, const UnetPass& pass, Value x,
                           int64_t head_width, bool only_text);

// Block `i` of the way down: appends what the way up will read to `skips`.
Value unet_down_block(Ops& ops, const Scope& s, const UnetPass& pass, Value x, size_t i,
                      std::vector<Value>& skips);
Value unet_mid_block(Ops& ops, const Scope& s, const UnetPass& pass, Value x);
// Block `i` of the way up: takes its part from the end of `skips`.
Value unet_up_block(Ops& ops, const Scope& s, const UnetPass& pass, Value x, size_t i,
                    std::vector<Value>& skips);

}  // namespace ebb
