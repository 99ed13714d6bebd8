#pragma once

#include <map>
#include <string>

#include "engine/graph_plan.h"
#include "nn/network.h"

namespace ebb {

// DeviceError, with the numbers, when the weights of a network, whose parameters are stored in
// these types, and the memory to work on one image are more than the device has left. Before
// weights are read: `label` names where they are.
void check_memory(const Context& context, const Network& network,
                  const std::map<std::string, DType>& types, const std::string& label);

// The same for the memory to work on `images` images, when the weights are there.
void check_working_memory(const Context& context, const Graph& graph, int64_t images);

}  // namespace ebb
