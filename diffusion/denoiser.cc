#include "diffusion/denoiser.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

#include "diffusion/memory_needs.h"
#include "engine/passes/passes.h"
#include "kernels/kernel_table.h"
#include "nn/graph_builder.h"
#include "nn/param_collector.h"

namespace ebb {
namespace {

std::vector<std::byte> bytes_of(const Context& context, const Tensor& tensor) {
  std::vector<std::byte> bytes(static_cast<size_t>(tensor.bytes()));
  context.stream()->copy_to_host(bytes.data(), tensor.raw(), 1, tensor.bytes(), tensor.bytes());
  return bytes;
}

// Equal conditions, as shared tensors or as separate copies.
bool same_condition(const Context& context, const TensorMap& a, const TensorMap& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](const auto& x, const auto& y) {
    const Tensor &p = x.second, &q = y.second;
    if (x.first != y.first || p.shape() != q.shape() || p.dtype() != q.dtype()) return false;
    return p.raw() == q.raw() || bytes_of(context, p) == bytes_of(context, q);
  });
}

std::vector<double> nonzero(const std::vector<double>& weights, std::vector<size_t>& places) {
  std::vector<double> result;
  for (size_t q = 0; q < weights.size(); ++q) {
    if (weights[q] == 0) continue;
    places.push_back(q);
    result.push_back(weights[q]);
  }
  return result;
}

}  // namespace

bool predicts_variance(const Network& network) {
  ParamCollector shapes;
  std::vector<Value> inputs;
  for (const NetworkInput& input : network.inputs) inputs.push_back(shapes.input(input.shape));
  return shapes.shape(network.forward(shapes, inputs)).back() == 2 * network.sample().shape[2];
}

NetworkDenoiser::NetworkDenoiser(Context& context, const Network& network, TensorMap params,
                                 int64_t images, const Guidance& guidance)
    : context_(context), images_(images), image_(network.sample().shape), inputs_(network.inputs) {
  EBB_CHECK(!guidance.empty(), Error, "denoiser: the guidance has no terms");
  plan_queries(guidance);
  build(network, std::move(params));
  plan_views();
  plan_sums(guidance);
  predictions_.resize(queries_.size());
  value_ = Tensor::empty(context_, with_batch(images_, image_));
  select(0);
}

// If every view has the same number of conditions, queries are ordered slot-major (query (slot s,
// view v) at s * views + v), so that x is stored once per view and read modulo N * views. Otherwise
// every query has its own copy of the viewed x.
void NetworkDenoiser::plan_queries(const Guidance& guidance) {
  std::vector<std::vector<TensorMap>> conditions;  // by view
  for (const GuidanceTerm& term : guidance) {
    auto view = std::find_if(views_.begin(), views_.end(), [&](const ViewPlan& v) {
      return v.view.is_same_as(term.view) && v.sees_no_view == term.sees_no_view;
    });
    if (view == views_.end()) {
      views_.push_back({.view = term.view,
                        .sees_no_view = term.sees_no_view,
                        .apply_view = {},
                        .inverse_indices = {},
                        .inverse_code_indices = {}});
      conditions.emplace_back();
      view = views_.end() - 1;
    }
    std::vector<TensorMap>& asked = conditions[view - views_.begin()];
    const bool is_new = std::none_of(asked.begin(), asked.end(), [&](const TensorMap& condition) {
      return same_condition(context_, condition, term.condition);
    });
    if (is_new) asked.push_back(term.condition);
  }
  const size_t slots =
      std::max_element(conditions.begin(), conditions.end(), [](const auto& a, const auto& b) {
        return a.size() < b.size();
      })->size();
  for (size_t slot = 0; slot < slots; ++slot) {
    for (size_t view = 0; view < views_.size(); ++view) {
      if (slot >= conditions[view].size()) continue;
      queries_.push_back(
          {.view = view, .condition = conditions[view][slot], .value = {}, .variance = {}});
    }
  }
  const bool is_even = queries_.size() == slots * views_.size();
  for (size_t q = 0; q < (is_even ? views_.size() : queries_.size()); ++q) {
    input_views_.push_back(queries_[q].view);
  }
}

void NetworkDenoiser::build(const Network& network, TensorMap params) {
  std::map<std::string, int64_t> batch;
  for (const NetworkInput& input : network.inputs) {
    const int64_t copies =
        input.role == InputRole::kSample ? static_cast<int64_t>(input_views_.size()) : queries();
    batch[input.name] = input.role == InputRole::kTime ? 1 : images_ * copies;
  }
  Graph graph =
      keep_weight_types(inference_graph(network, batch, context_), types_of(params), context_);
  const Shape& output = graph.values[graph.output].shape;
  const int64_t channels = image_[2];
  out_channels_ = output.back();
  EBB_CHECK(output.rank() == 4 && (out_channels_ == channels || out_channels_ == 2 * channels),
            ShapeError, "denoiser: the network makes ", output, " of images ", image_,
            ", expected as many or twice as many channels");
  check_working_memory(context_, graph, images_);
  executor_.emplace(context_, std::move(graph), std::move(params));
}

void NetworkDenoiser::plan_views() {
  const int64_t pixels = image_[0] * image_[1], channels = image_[2];
  const auto index = [&](const View& view, int64_t first, int64_t x_channels, bool with_sign) {
    const std::vector<int32_t> values =
        gather_index(view, pixels, channels, first, x_channels, with_sign);
    return Tensor::from_host(context_, {pixels * channels}, std::span<const int32_t>(values));
  };
  const bool has_variance = out_channels_ > channels;
  for (ViewPlan& seen : views_) {
    const View back = seen.view.is_identity() ? seen.view : inverse(seen.view);
    if (!seen.view.is_identity() && !seen.sees_no_view)
      seen.apply_view = index(seen.view, 0, channels, true);
    if (!seen.view.is_identity() || has_variance)
      seen.inverse_indices = index(back, 0, out_channels_, true);
    if (has_variance) seen.inverse_code_indices = index(back, channels, out_channels_, false);
  }
  const bool is_plain = input_views_.size() == 1 && views_[0].view.is_identity();
  if (!is_plain) {
    viewed_x_ = Tensor::empty(
        context_, with_batch(images_ * static_cast<int64_t>(input_views_.size()), image_));
  }
  for (Query& query : queries_) {
    if (views_[query.view].inverse_indices.defined()) {
      query.value = Tensor::empty(context_, with_batch(images_, image_));
    }
  }
}

size_t NetworkDenoiser::query_of(const GuidanceTerm& term) const {
  for (size_t q = 0; q < queries_.size(); ++q) {
    const ViewPlan& seen = views_[queries_[q].view];
    if (seen.view.is_same_as(term.view) && seen.sees_no_view == term.sees_no_view &&
        same_condition(context_, queries_[q].condition, term.condition)) {
      return q;
    }
  }
  throw Error("denoiser: a term without its query");
}

// A filter is linear and the same for all terms that name it, so it runs once, on their sum.
void NetworkDenoiser::plan_sums(const Guidance& guidance) {
  std::vector<BaseFilter> bases;
  std::vector<std::vector<double>> weights;  // by base, then query
  std::vector<double> variance_weights(queries_.size(), 0);
  for (const GuidanceTerm& term : guidance) {
    const size_t query = query_of(term);
    variance_weights[query] += term.variance_weight;
    for (const Filter::Term& part : term.filter.terms) {
      size_t b = std::find(bases.begin(), bases.end(), part.base) - bases.begin();
      if (b == bases.size()) {
        bases.push_back(part.base);
        weights.emplace_back(queries_.size(), 0);
      }
      weights[b][query] += term.weight * part.weight;
    }
  }
  for (size_t b = 0; b < bases.size(); ++b) {
    std::vector<size_t> places;
    const std::vector<double> values = nonzero(weights[b], places);
    if (places.empty()) continue;
    sums_.push_back({.queries = places,
                     .weights = coefficients(context_, values),
                     .base = bases[b],
                     .filter = BaseFilterRunner(context_, bases[b])});
  }
  if (out_channels_ == image_[2]) return;
  variance_weights_ = coefficients(context_, nonzero(variance_weights, variance_queries_));
  variance_ = Tensor::empty(context_, with_batch(images_, image_));
  for (const size_t q : variance_queries_) {
    queries_[q].variance = Tensor::empty(context_, with_batch(images_, image_));
  }
}

// One condition of all queries, for images [first, first + N): [N * queries, ...].
Tensor NetworkDenoiser::condition_of_queries(const std::string& name, int64_t first) const {
  Tensor all;
  for (int64_t q = 0; q < queries(); ++q) {
    const auto condition = queries_[q].condition.find(name);
    EBB_CHECK(condition != queries_[q].condition.end(), Error,
              "denoiser: a term without the input ", name, " of the network");
    const Tensor selected = select_images(context_, condition->second, first, images_);
    if (!all.defined()) {
      Shape shape = selected.shape();
      shape[0] *= queries();
      all = Tensor::empty(context_, shape, selected.dtype());
    }
    all.range(q * selected.elements(), selected.shape()).copy_from(selected);
  }
  return all;
}

void NetworkDenoiser::select(int64_t first) {
  for (const NetworkInput& input : inputs_) {
    if (input.role == InputRole::kSample || input.role == InputRole::kTime) continue;
    executor_->set_input(input.name, condition_of_queries(input.name, first));
    condition_is_new_ = true;
  }
}

// Filtered sums allocate temporaries, sums of many terms allocate coefficients, and ids of times go
// through the host.
std::shared_ptr<const void> NetworkDenoiser::capture_key() const {
  const bool has_ids = std::any_of(inputs_.begin(), inputs_.end(), [](const NetworkInput& input) {
    return input.role == InputRole::kTime && input.dtype != DType::kF32;
  });
  const bool is_plain = !has_ids && sums_.size() == 1 && sums_[0].base == BaseFilter{} &&
                        queries_.size() <= LinearCombinationArgs::kMaxTerms;
  return is_plain && !condition_is_new_ ? identity_ : nullptr;
}

void NetworkDenoiser::gather(const Tensor& x, const Tensor& index, const Tensor& y) const {
  context_.launch(&KernelTable::signed_gather,
                  SignedGatherArgs{.n = images_,
                                   .x_elements = x.elements() / images_,
                                   .elements = index.elements(),
                                   .index = index.data<int32_t>(),
                                   .x = x.data<float>(),
                                   .y = y.data<float>()});
}

const Tensor& NetworkDenoiser::seen(const Tensor& x) {
  if (!viewed_x_.defined()) return x;
  for (size_t k = 0; k < input_views_.size(); ++k) {
    const Tensor part = viewed_x_.range(static_cast<int64_t>(k) * x.elements(), x.shape());
    const Tensor& apply_view = views_[input_views_[k]].apply_view;
    if (apply_view.defined()) {
      gather(x, apply_view, part);
    } else {
      part.copy_from(x);
    }
  }
  return viewed_x_;
}

void NetworkDenoiser::read_output(const Tensor& output) {
  const Shape shape{images_, image_[0], image_[1], out_channels_};
  for (size_t q = 0; q < queries_.size(); ++q) {
    const Query& query = queries_[q];
    const ViewPlan& view = views_[query.view];
    const Tensor answer = output.range(static_cast<int64_t>(q) * shape.elements(), shape);
    predictions_[q] = query.value.defined() ? query.value : answer;
    if (query.value.defined()) gather(answer, view.inverse_indices, query.value);
    if (query.variance.defined()) gather(answer, view.inverse_code_indices, query.variance);
  }
}

Tensor NetworkDenoiser::total() {
  std::vector<Tensor> parts;
  for (const FilteredSum& sum : sums_) {
    std::vector<Tensor> terms;
    for (const size_t q : sum.queries) terms.push_back(predictions_[q]);
    const bool is_last = sums_.size() == 1 && sum.base == BaseFilter{};
    const Tensor mixed = is_last ? value_ : Tensor::empty(context_, value_.shape());
    combine(context_, terms, sum.weights, mixed);
    parts.push_back(mixed);
    if (sum.base == BaseFilter{}) continue;
    parts.back() = Tensor::empty(context_, value_.shape());
    sum.filter.run(mixed, parts.back());
  }
  if (parts.size() == 1) return parts.front();
  const std::vector<double> ones(parts.size(), 1.0);
  combine(context_, parts, coefficients(context_, ones), value_);
  return value_;
}

// t as the network takes it: ids come by way of the host.
Tensor NetworkDenoiser::time_of(const NetworkInput& input, const Tensor& t) const {
  const Shape shape = with_batch(1, input.shape);
  if (input.dtype == DType::kF32) return t.reshape(shape);
  const std::array id{static_cast<int32_t>(std::lround(t.item()))};
  return Tensor::from_host(context_, shape, std::span<const int32_t>(id));
}

Prediction NetworkDenoiser::predict(const Tensor& x, const Tensor& t) {
  for (const NetworkInput& input : inputs_) {
    if (input.role == InputRole::kSample) executor_->set_input(input.name, seen(x));
    if (input.role == InputRole::kTime) executor_->set_input(input.name, time_of(input, t));
  }
  read_output(executor_->run());
  condition_is_new_ = false;
  Prediction prediction;
  prediction.value = total();
  if (variance_.defined()) {
    std::vector<Tensor> codes;
    for (const size_t q : variance_queries_) codes.push_back(queries_[q].variance);
    combine(context_, codes, variance_weights_, variance_);
    prediction.variance = variance_;
  }
  return prediction;
}

}  // namespace ebb
