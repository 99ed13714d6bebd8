#pragma once

#include "diffusion/compare.h"
#include "diffusion/model.h"

namespace ebb {

// References of networks: input.<name> in PyTorch's layout as the network takes them, every other
// tensor the output of the module of that name. ebb's networks take x [N, C, H, W], t [N, 1] and c
// [N, classes], those of diffusers
//   sample                 [N, C, H, W] of any size; of a second stage with the enlarged image in
//                          the last channels
//   timestep               [N], fractional or not, or [1] for all
//   encoder_hidden_states  [N, R, S] of any number of tokens R
//   class_labels           [N] ids or numbers, or [N, E]
struct NetworkComparison {
  const Network& network;
  const TensorMap& params;  // the engine's layout
};

// Runs the network in inference mode on the inputs of a reference, and compares all outputs that
// the file has, in the order in which the network computes them. FormatError when the file does not
// go with the network.
std::vector<LayerComparison> compare_layers(Context& context, const NetworkComparison& model,
                                            const CompareRequest& request);

// The network for the sizes of a reference's inputs: images [.., H, W] and texts [.., R, S] of
// UNets of diffusers may have any. `image` names the input that has the image's size.
Network fit_to_reference(const Network& network, const ReferenceFile& reference,
                         const std::string& image);

// An input for `batch` images or rows, in the type that the network takes. FormatError when the
// file has none, of another shape, or ids that the network does not know.
Tensor read_input(const Context& context, const ReferenceFile& reference, const NetworkInput& input,
                  int64_t batch);

// Rows of the table of kinds.
bool is_unet_reference(const ReferenceFile& reference);
CompareLimits unet_limits(Precision precision);
CompareLimits network_limits(Precision precision);
Comparison compare_network(Context& context, const CompareRequest& request);

}  // namespace ebb
