#pragma once

#include <functional>
#include <string>
#include <vector>

#include "nn/ops.h"

namespace ebb {

// Role of an input for the code that runs networks.
enum class InputRole {
  kSample,     // the noisy images
  kTime,       // how noisy they are
  kCondition,  // what they are to show: a class, the states of a text
  kLowRes,     // smaller images of the same, enlarged: what super-resolution starts from
};

struct NetworkInput {
  std::string name;  // "x", "t", "c": what files and graphs call it
  Shape shape;       // of one image, without the batch: [28, 28, 1], [10] or, of an id, []
  InputRole role;
  DType dtype = DType::kF32;  // as it is given; i32 for ids
  // Stays f32 where activations have another type: times, of which 16 bits would round off digits.
  bool exact = false;
  int64_t classes = 0;  // of a class and of other ids: how many there are
};

// A network that can be described to any Ops. `config` is the JSON object that a model file stores
// under "ebb.model" and that make_network() reads back: ebb's own, which has a "name", or
// diffusers' config.json, which has a "_class_name".
struct Network {
  std::string config;
  std::vector<NetworkInput> inputs;
  std::function<Value(Ops&, const std::vector<Value>& inputs)> forward;

  bool has_input(const std::string& name) const;
  // The first input with a role; nullptr when there is none.
  const NetworkInput* input(InputRole role) const;
  // The input with the images; Error when there is none.
  const NetworkInput& sample() const;
};

// Builds the network a config names. FormatError names `where` (a file or flag), the key and its
// value when the config is not valid.
Network make_network(const std::string& config, const std::string& where);

// The network's output in f32 from inputs as they are given: float inputs become activations, in
// ops.activation_dtype(), unless they are exact.
Value forward_in_precision(Ops& ops, const Network& network, const std::vector<Value>& inputs);

// The shape of the output for one image, without the batch: [28, 28, 1] or [10].
Shape output_shape(const Network& network);

// The parameters in the order in which the network's text creates them.
std::vector<ParamSpec> list_params(const Network& network);

// Sum over trainable parameters.
int64_t count_trainable(const std::vector<ParamSpec>& specs);

}  // namespace ebb
