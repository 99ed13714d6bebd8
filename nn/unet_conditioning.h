#pragma once

#include "nn/ops.h"
#include "nn/unet_layout.h"

// The vectors that condition diffusers' UNets, and their text. Parameters and module outputs have
// diffusers' names.
namespace ebb {

struct UnetConditions {
  Value timestep;                     // [N], exact; ids where timesteps are learned
  std::optional<Value> text;          // [N, R, S]
  std::optional<Value> class_labels;  // [N]: ids, or exact numbers; [N, class_width]
};

// Time, class and pooled text -> [N, embedding_width()].
Value unet_embedding(Ops& ops, const UnetLayout& layout, const UnetConditions& conditions);

// The text as attentions read it, [N, R, S] -> [N, R, X].
std::optional<Value> unet_text(Ops& ops, const UnetLayout& layout,
                               const std::optional<Value>& text);

}  // namespace ebb
