#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "diffusion/combine.h"
#include "diffusion/filter.h"
#include "diffusion/view.h"
#include "engine/executor.h"
#include "nn/network.h"

namespace ebb {

// The network's prediction for a batch of N noisy images.
struct Prediction {
  Tensor value;     // [N, H, W, C]: the model's target, the noise or the velocity
  Tensor variance;  // [N, H, W, C]: a code of the variance per element, -1..1 (see DdpmVariance);
                    // undefined when the model has none
};

// Predicts from noisy images.
class Denoiser {
 public:
  virtual ~Denoiser() = default;
  // x [N, H, W, C], t [1, 1]. The tensors are overwritten by the next call.
  virtual Prediction predict(const Tensor& x, const Tensor& t) = 0;
  // Graph-capture key of the next predict(). Equal keys: same kernels, same addresses; the owner of
  // a graph keeps its key, so that no other denoiser gets an equal one. Null: not capturable.
  virtual std::shared_ptr<const void> capture_key() const { return nullptr; }
};

// One evaluation of the network and its weight in the prediction:
//   value    += weight * filter( view^-1( network( view x, condition ) ) )
//   variance += variance_weight * view^-1( variance code ),  without the view's sign.
struct GuidanceTerm {
  // By input name, [N, ...] or, shared by all images, [1, ...]: every network input besides images
  // and time.
  TensorMap condition;
  double weight = 1;
  double variance_weight = 1;
  View view;
  Filter filter;
  // A mistake that is made for comparison: the network sees the images without the view, and the
  // prediction is transformed back all the same.
  bool sees_no_view = false;
};

// A prediction as a sum of terms, which covers every combination of prompts in ebb.
using Guidance = std::vector<GuidanceTerm>;

// The prediction for one condition.
Guidance conditioned(const TensorMap& condition);

// Classifier-free guidance (Ho & Salimans 2022): uncond + scale * (cond - uncond), the variance
// from the condition alone. Scale 1 is the condition alone, with one evaluation.
Guidance guided(const TensorMap& cond, const TensorMap& uncond, double scale);

// Anagrams: the mean of several guided predictions, each made on its own view of the images, so
// every view has its own unconditional estimate. Error if a part already has views.
struct ViewedGuidance {
  View view;
  Guidance guidance;
};
// kShared is a common mistake, for comparison: the estimate of the images as they are is taken for
// that of every view, where its pixels do not belong. In the parts, as guided() makes them, all
// terms but the last are that estimate.
enum class Unconditional { kPerView, kShared };
Guidance mean_of_views(const std::vector<ViewedGuidance>& parts,
                       Unconditional unconditional = Unconditional::kPerView);

// Hybrids: the sum of one band of each guided prediction; the mean of their variances. Error if a
// part already has filters, or the filters do not sum to the identity.
struct FilteredGuidance {
  Filter filter;
  Guidance guidance;
};
Guidance sum_of_parts(const std::vector<FilteredGuidance>& parts);

// True when the network has twice as many output channels as x has.
bool predicts_variance(const Network& network);

// Predicts with guidance. All unique (view, condition) pairs are one run of the graph: x has batch
// N * views, the conditions N * queries and t batch 1, so nodes that depend on x alone or on t
// alone are computed once for all. A network with twice as many output channels as x predicts the
// variance in the upper half.
class NetworkDenoiser final : public Denoiser {
 public:
  // For batches of `images`; the guidance's conditions may hold more, see select(). params: as for
  // Executor.
  NetworkDenoiser(Context& context, const Network& network, TensorMap params, int64_t images,
                  const Guidance& guidance);

  int64_t images() const { return images_; }
  int64_t queries() const { return static_cast<int64_t>(queries_.size()); }
  // Selects images [first, first + images()) of the guidance's conditions.
  void select(int64_t first);

  Prediction predict(const Tensor& x, const Tensor& t) override;
  std::shared_ptr<const void> capture_key() const override;

 private:
  // One view of x, and its inverse for predictions.
  struct ViewPlan {
    View view;
    bool sees_no_view = false;
    Tensor apply_view;       // gather indices [H * W * C]; undefined for the identity
    Tensor inverse_indices;  // the same out of the network's channels; undefined for the identity
    Tensor inverse_code_indices;  // for the variance; undefined if the network has none
  };
  // One unique (view, condition) pair: N images of the executor's output.
  struct Query {
    size_t view = 0;      // of views_
    TensorMap condition;  // as in its term
    Tensor value;         // [N, H, W, C], moved out of the output; undefined when it is read there
    Tensor variance;      // [N, H, W, C]; undefined if no term uses it
  };
  // A weighted sum of predictions, through one base filter.
  struct FilteredSum {
    std::vector<size_t> queries;
    Tensor weights;  // [queries]
    BaseFilter base;
    BaseFilterRunner filter;
  };

  void plan_queries(const Guidance& guidance);
  void build(const Network& network, TensorMap params);
  void plan_views();
  void plan_sums(const Guidance& guidance);
  size_t query_of(const GuidanceTerm& term) const;
  Tensor condition_of_queries(const std::string& name, int64_t first) const;

  void gather(const Tensor& x, const Tensor& index, const Tensor& y) const;
  const Tensor& seen(const Tensor& x);
  Tensor time_of(const NetworkInput& input, const Tensor& t) const;
  void read_output(const Tensor& output);
  Tensor total();

  Context& context_;
  std::shared_ptr<const void> identity_ = std::make_shared<char>();  // compared by address
  bool condition_is_new_ = false;
  int64_t images_;
  Shape image_;  // [H, W, C]
  int64_t out_channels_ = 0;
  std::vector<NetworkInput> inputs_;  // of the network

  std::vector<ViewPlan> views_;
  std::vector<size_t> input_views_;  // views of the executor's x, N images each
  std::vector<Query> queries_;
  std::optional<Executor> executor_;
  std::vector<FilteredSum> sums_;
  std::vector<size_t> variance_queries_;
  Tensor variance_weights_;

  Tensor viewed_x_;                  // [N * shown, H, W, C]; undefined when x itself is
  std::vector<Tensor> predictions_;  // by query, [N, H, W, C]
  Tensor value_, variance_;          // [N, H, W, C]
};

}  // namespace ebb
