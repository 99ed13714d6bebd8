#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "engine/backend.h"
#include "engine/executor.h"
#include "engine/passes/passes.h"
#include "kernels/kernel_table.h"
#include "nn/graph_builder.h"
#include "testing/catch.h"
#include "testing/networks.h"

namespace ebb::test {

// A convolution of [2, 14, 14, 64] to 64 channels in a storage type, by the kernels that the
// context chooses: weights and scratch have the size that they request.
inline std::vector<float> run_conv(Context& context, DType dtype) {
  const ConvGeometry g = conv_geometry(2, 14, 14, 64, 64, 3, 3, 1, 1, false);
  RandomData random(1);
  const Tensor exact = normal_tensor(context, {2, 14, 14, 64}, random);
  const Tensor w = normal_tensor(context, {64, 3, 3, 64}, random);
  const auto convert = [&](const Tensor& from, DType to) {
    if (from.dtype() == to) return from;
    const Tensor result = Tensor::empty(context, from.shape(), to);
    context.launch(&KernelTable::convert,
                   ConvertArgs{from.elements(), from.dtype(), to, from.raw(), result.raw()});
    return result;
  };
  const auto scratch = [&](int64_t bytes) { return Tensor::empty(context, {bytes}, DType::kU8); };
  const Tensor x = convert(exact, dtype), y = Tensor::empty(context, {2, 14, 14, 64}, dtype);
  const Tensor packed = scratch(context.kernel(&KernelTable::conv_packed_bytes)(
      g, ConvPass::kForward, dtype, context.conv_math()));
  const Tensor workspace = scratch(context.kernel(&KernelTable::conv_workspace_bytes)(
      g, ConvPass::kForward, dtype, context.conv_math(), context.kernel_stream().threads));
  context.launch(&KernelTable::conv_pack,
                 ConvPackArgs{g, ConvPass::kForward, dtype, w.data<float>(), packed.raw()});
  context.launch(&KernelTable::conv_forward, ConvForwardArgs{.geometry = g,
                                                             .dtype = dtype,
                                                             .x = x.raw(),
                                                             .packed = packed.raw(),
                                                             .bias = nullptr,
                                                             .residual = nullptr,
                                                             .residual_n = 1,
                                                             .activation = Activation::kNone,
                                                             .y = y.raw(),
                                                             .workspace = workspace.raw()});
  return convert(y, DType::kF32).to_host();
}

// A network with its passes in the context's precision.
class RunningNetwork {
 public:
  RunningNetwork(Context& context, int64_t hidden)
      : network_(make_network(mnist_config("class", "add", hidden), "class")),
        executor_(
            context,
            optimize(build_graph(network_, 1, activation_dtype(context.precision())), context),
            random_params(context, network_, 1)) {
    for (const auto& [name, value] : random_inputs(context, network_, 1, 2)) {
      executor_.set_input(name, value);
    }
  }
  std::vector<float> run() { return executor_.run().to_host(); }

 private:
  Network network_;
  Executor executor_;
};

// A computation in a context.
using ContextWork = std::function<std::vector<float>(Context&)>;

// Each context gives the bits that it gives alone, whatever the others did since it was made; and
// they differ, or one could have computed for another.
inline void check_contexts_in_turn(const std::vector<ContextOptions>& options,
                                   const ContextWork& work) {
  std::vector<std::vector<float>> alone;
  for (const ContextOptions& option : options) {
    alone.push_back(work(*make_context(option)));
    for (size_t i = 0; i + 1 < alone.size(); ++i) CHECK(alone[i] != alone.back());
  }
  std::vector<std::unique_ptr<Context>> contexts;
  for (const ContextOptions& option : options) contexts.push_back(make_context(option));
  for (int round = 0; round < 2; ++round) {
    for (size_t i = 0; i < contexts.size(); ++i) {
      CAPTURE(round, i);
      CHECK(work(*contexts[i]) == alone[i]);
    }
  }
}

// The same with networks that were all prepared before the first one runs.
inline void check_networks_in_turn(const std::vector<ContextOptions>& options, int64_t hidden) {
  std::vector<std::vector<float>> alone;
  for (const ContextOptions& option : options) {
    const auto context = make_context(option);
    alone.push_back(RunningNetwork(*context, hidden).run());
    for (size_t i = 0; i + 1 < alone.size(); ++i) CHECK(alone[i] != alone.back());
  }
  std::vector<std::unique_ptr<Context>> contexts;
  std::vector<std::unique_ptr<RunningNetwork>> networks;
  for (const ContextOptions& option : options) {
    contexts.push_back(make_context(option));
    networks.push_back(std::make_unique<RunningNetwork>(*contexts.back(), hidden));
  }
  for (size_t i = 0; i < networks.size(); ++i) {
    CAPTURE(i);
    CHECK(networks[i]->run() == alone[i]);
  }
}

}  // namespace ebb::test
