#pragma once

#include <map>
#include <string>
#include <vector>

#include "nn/param.h"
#include "weights/weight_source.h"

namespace ebb {

// A network's parameters in a PyTorch state_dict that names them otherwise.
struct StateDictMatch {
  std::map<std::string, std::string> stored;  // parameter -> tensor of the file
  // Biases that the file does without: a convolution needs none in front of a BatchNorm. They are
  // 0.
  std::vector<std::string> zeros;
  int64_t by_shape = 0;  // layers of a shape that no other has
  int64_t by_order = 0;  // layers that stand in the file's order among those of their shape
};

// Matches layers (the tensors of one module) by kind and shape, those of one shape in the order in
// which they are stored, which is the order in which a PyTorch module creates them. A BatchNorm
// counts with the convolution before it and a square linear layer with the linear one before it.
// `given`: module of the file -> module of the network, matched before all others. FormatError,
// naming the file, lists the layers that are missing or left over.
StateDictMatch match_state_dict(const std::vector<ParamSpec>& specs, const WeightSource& source,
                                const std::map<std::string, std::string>& given = {});

}  // namespace ebb
