#pragma once

#include "nn/ops.h"

namespace ebb {

struct ClassifierMnistConfig {
  int64_t hidden = 16;  // D
  int64_t classes = 10;
};

// A small classifier of 28x28 digits: measures how well generated digits can be read, and provides
// the features in which sets of digits are compared (module "features", [N, 4D]).
//   x [N, 28, 28, 1], 0 black to 1 white.  Returns logits [N, classes].
// D = 16: 4.2 M multiply-adds an image.
Value classifier_mnist(Ops& ops, const ClassifierMnistConfig& config, Value x);

}  // namespace ebb
