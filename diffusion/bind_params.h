#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "nn/param.h"
#include "weights/weight_source.h"

namespace ebb {

// Maps the name of a stored tensor to the network's parameter; nullopt for tensors that are not
// parameters and stay unread.
using NameMap = std::function<std::optional<std::string>(std::string_view stored)>;

// The names as they are, as in a PyTorch state dict, without BatchNorm's unused counters
// ("*.num_batches_tracked").
std::optional<std::string> state_dict_name(std::string_view stored);

// Called with the type of every parameter, all being there, before anything is read.
using BeforeReading = std::function<void(const std::map<std::string, DType>& types)>;

struct BoundParams {
  TensorMap params;
  std::vector<std::string> warnings;  // of values that are no numbers, in the order of the specs
};

// Gives every parameter its tensor, in the engine's layout and the type in which it is stored, on
// the context's device. Names and shapes must match exactly. Otherwise one FormatError, naming the
// source, lists all missing, unexpected and mis-shaped tensors before anything is read. On their
// way tensors pass, one by one, through at most two host buffers of the largest one's size.
BoundParams bind_params(Context& context, const std::vector<ParamSpec>& specs, WeightSource& source,
                        const NameMap& names = state_dict_name,
                        const BeforeReading& before_reading = nullptr);

}  // namespace ebb
