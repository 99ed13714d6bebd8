#include "diffusion/compare_layers.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "base/text.h"
#include "engine/executor.h"
#include "engine/passes/passes.h"
#include "nn/graph_builder.h"
#include "nn/param_collector.h"
#include "weights/safetensors.h"

namespace ebb {
namespace {

constexpr std::string_view kInputPrefix = "input.";
constexpr uint64_t kMaxBatch = 4096;

// NHWC -> NCHW; vectors stay.
std::vector<uint64_t> torch_dims(const Shape& shape) {
  std::vector<uint64_t> dims(shape.begin(), shape.end());
  if (dims.size() == 4) std::rotate(dims.begin() + 1, dims.begin() + 3, dims.end());
  return dims;
}

// Calls visit(engine offset, torch offset) for every element of an activation.
template <typename Visit>
void for_each_element(const Shape& shape, Visit visit) {
  const int64_t images = shape[0], channels = shape.back(), pixels = pixel_count(shape);
  for (int64_t n = 0; n < images; ++n) {
    for (int64_t p = 0; p < pixels; ++p) {
      for (int64_t c = 0; c < channels; ++c) {
        visit((n * pixels + p) * channels + c, (n * channels + c) * pixels + p);
      }
    }
  }
}

std::string dims_text(const std::vector<uint64_t>& dims) {
  std::string text;
  for (const uint64_t dim : dims) text += (text.empty() ? "" : ", ") + std::to_string(dim);
  return cat("[", text, "]");
}

// The tensor's values, in the file's order.
std::vector<float> read_values(const SafetensorsFile& file, const TensorEntry& entry,
                               const Shape& shape) {
  EBB_CHECK(entry.dtype == StDType::kF32, FormatError, file.label(), ": tensor ",
            quoted(entry.name), " is ", to_string(entry.dtype),
            ", expected F32. Convert it before saving.");
  EBB_CHECK(entry.shape == torch_dims(shape), FormatError, file.label(), ": tensor ",
            quoted(entry.name), " is ", dims_text(entry.shape), ", expected ",
            dims_text(torch_dims(shape)), ". Use a reference of this model.");
  std::vector<float> values(static_cast<size_t>(shape.elements()));
  file.read(entry, values.data());
  return values;
}

int64_t batch_of(const SafetensorsFile& file, const Network& network) {
  const std::string name = std::string(kInputPrefix) + network.sample().name;
  const TensorEntry* x = file.find(name);
  EBB_CHECK(x != nullptr && !x->shape.empty() && x->shape[0] >= 1 && x->shape[0] <= kMaxBatch,
            FormatError, file.label(),
            x == nullptr ? cat(": no tensor \"", name, "\"")
                         : cat(": tensor \"", name, "\" is ", dims_text(x->shape)),
            ", expected the network's input [N, C, H, W] with N in 1..", kMaxBatch,
            ". weights/README.md describes references.");
  return static_cast<int64_t>(x->shape[0]);
}

void set_inputs(Context& context, const SafetensorsFile& file, const Network& network,
                int64_t batch, Executor& executor) {
  for (const NetworkInput& input : network.inputs) {
    const TensorEntry* entry = file.find(std::string(kInputPrefix) + input.name);
    EBB_CHECK(entry != nullptr, FormatError, file.label(), ": no tensor \"", kInputPrefix,
              input.name, "\", which the model takes. Add it to the reference.");
    const Shape shape = with_batch(batch, input.shape);
    const std::vector<float> torch = read_values(file, *entry, shape);
    std::vector<float> engine(torch.size());
    for_each_element(shape, [&](int64_t e, int64_t t) { engine[e] = torch[t]; });
    executor.set_input(input.name, Tensor::from_host(context, shape, engine));
  }
}

// The tensors to compare, in the order in which the graph computes their modules.
std::vector<const TensorEntry*> outputs_in_order(const SafetensorsFile& file,
                                                 const Network& network, const Graph& graph) {
  const std::vector<int> producers = graph.producers();
  // Modules that return an inner module's output share its node.
  std::map<std::pair<int, std::string>, const TensorEntry*> by_node;
  for (const TensorEntry& entry : file.entries()) {
    if (entry.name.starts_with(kInputPrefix)) {
      EBB_CHECK(network.has_input(entry.name.substr(kInputPrefix.size())), FormatError,
                file.label(), ": tensor ", quoted(entry.name),
                " is no input of the model. Use a reference of this model.");
      continue;
    }
    const auto mark_output = graph.module_outputs.find(entry.name);
    EBB_CHECK(mark_output != graph.module_outputs.end(), FormatError, file.label(), ": tensor ",
              quoted(entry.name),
              " is no module of the model. Name tensors like its modules, for example init_conv.");
    by_node[{producers[mark_output->second], entry.name}] = &entry;
  }
  EBB_CHECK(!by_node.empty(), FormatError, file.label(),
            ": no tensors but inputs, expected module outputs to compare with.");
  std::vector<const TensorEntry*> result;
  for (const auto& [place, entry] : by_node) result.push_back(entry);
  return result;
}

LayerComparison compare_layer(const std::string& name, const Tensor& actual,
                              const std::vector<float>& reference) {
  const std::vector<float> values = actual.to_host();
  double error = 0, power = 0, worst = 0;
  bool is_nan = false;
  for_each_element(actual.shape(), [&](int64_t e, int64_t t) {
    const double r = reference[t], difference = static_cast<double>(values[e]) - r;
    error += difference * difference;
    power += r * r;
    worst = std::max(worst, std::fabs(difference));
    is_nan = is_nan || std::isnan(difference);
  });
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  return {.name = name,
          .shape = torch_dims(actual.shape()),
          .nmse = is_nan ? kNan : (error == 0 ? 0 : error / power),
          .max_abs_error = is_nan ? kNan : worst};
}

}  // namespace

std::vector<LayerComparison> compare_with_reference(
    Context& context, const Model& model, const std::string& reference, bool passes,
    const std::function<void(int64_t done, int64_t total)>& after_layer) {
  const SafetensorsFile file = SafetensorsFile::open(reference);
  const int64_t batch = batch_of(file, model.network);
  Graph graph = build_graph(model.network, batch, activation_dtype(context.precision()));
  if (passes) graph = optimize(graph, context);
  const auto outputs = outputs_in_order(file, model.network, graph);
  Executor executor(context, std::move(graph), model.params, {.keep_module_outputs = true});
  set_inputs(context, file, model.network, batch, executor);
  executor.run();
  std::vector<LayerComparison> result;
  for (const TensorEntry* entry : outputs) {
    const Tensor& actual = executor.mark_output(entry->name);
    result.push_back(compare_layer(entry->name, actual, read_values(file, *entry, actual.shape())));
    if (after_layer) {
      after_layer(static_cast<int64_t>(result.size()), static_cast<int64_t>(outputs.size()));
    }
  }
  return result;
}

}  // namespace ebb
