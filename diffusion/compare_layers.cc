#include "diffusion/compare_layers.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

#include "base/json.h"
#include "base/text.h"
#include "diffusion/diffusers_model.h"
#include "diffusion/find_model.h"
#include "engine/executor.h"
#include "engine/passes/passes.h"
#include "nn/graph_builder.h"
#include "nn/param_collector.h"

namespace ebb {
namespace {

constexpr uint64_t kMaxBatch = 4096;
constexpr size_t kListedNames = 20;

int64_t batch_of(const ReferenceFile& reference, const std::string& name) {
  EBB_CHECK(reference.has_input(name), FormatError, reference.label(), ": no tensor \"input.", name,
            "\", expected the network's input [N, ...] with N in 1..", kMaxBatch,
            ". weights/README.md describes references.");
  const std::vector<uint64_t>& shape = reference.input_shape(name);
  EBB_CHECK(!shape.empty() && shape[0] >= 1 && shape[0] <= kMaxBatch, FormatError,
            reference.label(), ": tensor \"input.", name, "\" is ", shape_text(shape),
            ", expected [N, ...] with N in 1..", kMaxBatch,
            ". weights/README.md describes references.");
  return static_cast<int64_t>(shape[0]);
}

// Numbers of what the network takes as ids.
Tensor ids(const Context& context, const ReferenceFile& reference, const NetworkInput& input,
           const Shape& shape) {
  const std::vector<double> numbers = reference.input_numbers(input.name);
  std::vector<int32_t> values;
  for (const double number : numbers) {
    const bool is_known = number >= 0 && number < static_cast<double>(input.classes);
    EBB_CHECK(is_known && number == std::floor(number), FormatError, reference.label(),
              ": tensor \"input.", input.name, "\" holds ", number, ", expected a number of 0..",
              input.classes - 1, ". Use a reference of this model.");
    values.push_back(static_cast<int32_t>(number));
  }
  return Tensor::from_host(context, shape, std::span<const int32_t>(values));
}

// One time for all images may be stored once.
Tensor times(const Context& context, const ReferenceFile& reference, const NetworkInput& input,
             const Shape& shape) {
  const std::vector<double> numbers = reference.input_numbers(input.name);
  std::vector<float> values(numbers.begin(), numbers.end());
  if (values.size() == 1) values.resize(static_cast<size_t>(shape[0]), values.front());
  return Tensor::from_host(context, shape, std::span<const float>(values));
}

}  // namespace

Tensor read_input(const Context& context, const ReferenceFile& reference, const NetworkInput& input,
                  int64_t batch) {
  const Shape shape = with_batch(batch, input.shape);
  if (input.dtype == DType::kF32 && input.shape.rank() > 0) {
    return reference.input_tensor(context, input.name, shape);
  }
  const std::vector<uint64_t>& stored = reference.input_shape(input.name);
  const bool is_one =
      input.role == InputRole::kTime && (stored.empty() || stored == std::vector<uint64_t>{1});
  EBB_CHECK(is_one || stored == torch_order(shape), FormatError, reference.label(),
            ": tensor \"input.", input.name, "\" is ", shape_text(stored), ", expected ",
            shape_text(torch_order(shape)), ". Use a reference of this model.");
  return input.dtype == DType::kI32 ? ids(context, reference, input, shape)
                                    : times(context, reference, input, shape);
}

namespace {

void check_inputs(const ReferenceFile& reference, const Network& network) {
  for (const std::string& name : reference.inputs()) {
    EBB_CHECK(network.has_input(name), FormatError, reference.label(), ": tensor ",
              quoted("input." + name), " is no input of the model. Use a reference of this model.");
  }
}

void check_modules(const ReferenceFile& reference, const Graph& graph) {
  std::vector<std::string> strangers;
  for (const std::string& name : reference.outputs()) {
    if (!graph.module_outputs.contains(name)) strangers.push_back(name);
  }
  EBB_CHECK(strangers.empty(), FormatError, reference.label(),
            strangers.size() == 1 ? ": tensor " : ": tensors ", name_list(strangers, kListedNames),
            strangers.size() == 1 ? " is no module" : " are no modules",
            " of the model. Name tensors like its modules, for example ",
            graph.module_outputs.begin()->first, ".");
  EBB_CHECK(!reference.outputs().empty(), FormatError, reference.label(),
            ": no tensors but inputs, expected module outputs to compare with.");
}

// The tensors to compare, in the order in which the graph computes their modules.
std::vector<std::string> outputs_in_order(const ReferenceFile& reference, const Graph& graph) {
  const std::vector<int> producers = graph.producers();
  // Modules that return an inner module's output share its node and come after it; what returns an
  // input has none.
  std::map<std::tuple<int, int64_t, std::string>, std::string> by_node;
  for (const std::string& name : reference.outputs()) {
    const int64_t depth = std::count(name.begin(), name.end(), '.');
    by_node[{producers[graph.module_outputs.at(name)], -depth, name}] = name;
  }
  std::vector<std::string> result;
  for (const auto& [place, name] : by_node) result.push_back(name);
  return result;
}

// Keeps no other outputs from being fused away.
void keep_compared(const ReferenceFile& reference, Graph& graph) {
  std::map<std::string, ValueId> kept;
  for (const std::string& name : reference.outputs()) kept[name] = graph.module_outputs.at(name);
  graph.module_outputs = std::move(kept);
}

bool is_16_bit(Precision precision) {
  return precision == Precision::kBF16 || precision == Precision::kF16;
}

}  // namespace

Network fit_to_reference(const Network& network, const ReferenceFile& reference,
                         const std::string& image) {
  Json config = Json::parse(network.config);
  if (!config.contains("_class_name")) return network;
  const auto side = [&](size_t axis) {
    constexpr uint64_t kMaxSide = 65536;
    const std::vector<uint64_t>& shape = reference.input_shape(image);
    EBB_CHECK(shape.size() == 4 && shape[axis] >= 1 && shape[axis] <= kMaxSide, FormatError,
              reference.label(), ": tensor \"input.", image, "\" is ", shape_text(shape),
              ", expected images [N, C, H, W].");
    return static_cast<int64_t>(shape[axis]);
  };
  config["sample_size"] = std::vector<int64_t>{side(2), side(3)};
  constexpr const char* kText = "encoder_hidden_states";
  if (network.has_input(kText) && reference.has_input(kText)) {
    const std::vector<uint64_t>& text = reference.input_shape(kText);
    constexpr uint64_t kMaxTokens = 65536;
    EBB_CHECK(text.size() == 3 && text[1] >= 1 && text[1] <= kMaxTokens, FormatError,
              reference.label(), ": tensor \"input.", kText, "\" is ", shape_text(text),
              ", expected texts [N, tokens, width].");
    config["text_tokens"] = static_cast<int64_t>(text[1]);
  }
  return make_network(config.dump(), reference.label());
}

std::vector<LayerComparison> compare_layers(Context& context, const NetworkComparison& model,
                                            const CompareRequest& request) {
  const ReferenceFile& reference = request.reference;
  const Network& network = model.network;
  const int64_t batch = batch_of(reference, network.inputs.front().name);
  check_inputs(reference, network);
  Graph graph = build_graph(network, batch, activation_dtype(context.precision()));
  check_modules(reference, graph);
  keep_compared(reference, graph);
  if (request.passes) graph = optimize(graph, context);
  const std::vector<std::string> outputs = outputs_in_order(reference, graph);
  std::map<std::string, Tensor> inputs;
  for (const NetworkInput& input : network.inputs) {
    inputs[input.name] = read_input(context, reference, input, batch);
  }
  Executor executor(context, std::move(graph), model.params, {.keep_module_outputs = true});
  for (const auto& [name, tensor] : inputs) executor.set_input(name, tensor);
  executor.run();
  std::vector<LayerComparison> result;
  for (const std::string& name : outputs) {
    const Tensor& actual = executor.mark_output(name);
    result.push_back(compare_tensor(name, actual, reference.output_values(name, actual.shape())));
    if (request.on_progress) {
      request.on_progress(static_cast<int64_t>(result.size()),
                          static_cast<int64_t>(outputs.size()));
    }
  }
  return result;
}

bool is_unet_reference(const ReferenceFile& reference) { return reference.has_input("sample"); }

// Small networks of every kind of block are within 1e-5 of f64; a mistake makes 1e-3. In 16 bits
// the bounds for a step of a UNet: one for all elements, which says most about large tensors, and
// one for the worst.
CompareLimits unet_limits(Precision precision) {
  if (is_16_bit(precision)) return {.nmse = 1e-3, .max_error = 2e-2};
  if (precision == Precision::kTf32) return {.nmse = 1e-5, .max_error = 5e-3};
  return {.max_error = 1e-4};
}

CompareLimits network_limits(Precision precision) {
  if (is_16_bit(precision)) return {.nmse = 1e-3};
  return {.nmse = precision == Precision::kTf32 ? 1e-5 : 1e-10};
}

Comparison compare_network(Context& context, const CompareRequest& request) {
  const std::string path = find_model(request.model);
  const Model model = is_diffusers_model(path)
                          ? load_diffusers_unet(context, path, request.variant)
                          : Model::load(context, request.model, request.variant);
  Network network = model.network;
  if (is_unet_reference(request.reference)) {
    Json config = Json::parse(network.config);
    config["low_res_channels"] = 0;  // the reference has them in the sample
    if (config.contains("_class_name")) network = make_network(config.dump(), model.path);
    network = fit_to_reference(network, request.reference, "sample");
  }
  return {.layers = compare_layers(context, {network, model.params}, request),
          .warnings = model.warnings};
}

}  // namespace ebb
