#include "diffusion/denoiser.h"

#include "diffusion/combine.h"
#include "engine/passes.h"
#include "nn/graph_builder.h"
#include "nn/param_collector.h"

namespace ebb {
namespace {

Graph branched_graph(const Context& context, const Network& network, int64_t images,
                     int64_t branches) {
  std::map<std::string, int64_t> batch;
  for (const NetworkInput& input : network.inputs) batch[input.name] = images * branches;
  batch["x"] = images;
  batch["t"] = 1;
  return optimize(build_graph(network, batch), context);
}

Tensor branch_weights(Context& context, const std::vector<Branch>& branches) {
  std::vector<double> weights;
  for (const Branch& branch : branches) weights.push_back(branch.weight);
  return coefficients(context, weights);
}

// The conditions of all branches behind one another, [branches * N, classes].
Tensor stacked_conditions(Context& context, const std::vector<Branch>& branches) {
  const Shape& one = branches.front().condition.shape();
  const auto count = static_cast<int64_t>(branches.size());
  const Tensor all = Tensor::empty(context, {count * one[0], one[1]});
  for (int64_t b = 0; b < count; ++b) {
    all.range(b * one.elements(), one).copy_from(branches[b].condition);
  }
  return all;
}

}  // namespace

std::vector<Branch> guided(const Tensor& cond, const Tensor& uncond, double scale) {
  if (scale == 1) return {{cond, 1}};
  return {{uncond, 1 - scale}, {cond, scale}};
}

NetworkDenoiser::NetworkDenoiser(Context& context, const Network& network, const TensorMap& params,
                                 int64_t images, const std::vector<Branch>& branches)
    : context_(context),
      executor_(context,
                branched_graph(context, network, images, static_cast<int64_t>(branches.size())),
                params),
      weights_(branch_weights(context, branches)) {
  if (network.has_input("c")) executor_.set_input("c", stacked_conditions(context, branches));
  const bool is_plain = branches.size() == 1 && branches.front().weight == 1;
  if (!is_plain) prediction_ = Tensor::empty(context, with_batch(images, network.inputs[0].shape));
}

const Tensor& NetworkDenoiser::predict(const Tensor& x, const Tensor& t) {
  executor_.set_input("x", x);
  executor_.set_input("t", t);
  const Tensor& answers = executor_.run();
  if (!prediction_.defined()) return answers;
  std::vector<Tensor> per_branch;
  for (int64_t b = 0; b < weights_.elements(); ++b) {
    per_branch.push_back(answers.range(b * prediction_.elements(), prediction_.shape()));
  }
  combine(context_, per_branch, weights_, prediction_);
  return prediction_;
}

}  // namespace ebb
