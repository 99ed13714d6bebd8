#pragma once

#include <functional>
#include <string>
#include <vector>

#include "nn/ops.h"

namespace ebb {

struct NetworkInput {
  std::string name;  // "x", "t", "c"
  Shape shape;       // of one image, without the batch: [28, 28, 1] or [10]
};

// A network that can be described to any Ops. `config` is the JSON object that a model file stores
// under "ebb.model" and that make_network() reads back.
struct Network {
  std::string config;
  std::vector<NetworkInput> inputs;
  std::function<Value(Ops&, const std::vector<Value>& inputs)> forward;

  bool has_input(const std::string& name) const;
};

// Builds the network a config names. FormatError names `where` (a file or flag), the key and its
// value when the config is not valid.
Network make_network(const std::string& config, const std::string& where);

// The shape of the output for one image, without the batch: [28, 28, 1] or [10].
Shape output_shape(const Network& network);

// The parameters in the order in which the network's text creates them.
std::vector<ParamSpec> list_params(const Network& network);

// Sum over trainable parameters.
int64_t count_trainable(const std::vector<ParamSpec>& specs);

}  // namespace ebb
