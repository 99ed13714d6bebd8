#include "nn/network.h"

#include <algorithm>

#include "base/json.h"
#include "base/text.h"
#include "nn/classifier_mnist.h"
#include "nn/config_keys.h"
#include "nn/param_collector.h"
#include "nn/unet_diffusers.h"
#include "nn/unet_mnist.h"

namespace ebb {
namespace {

Network mnist_unet_network(const Json& json, const std::string& where) {
  UnetMnistConfig config;
  config.conditioning = one_of<Conditioning>(json, where, "conditioning",
                                             {{"none", Conditioning::kNone},
                                              {"time", Conditioning::kTime},
                                              {"class", Conditioning::kClass}});
  if (config.conditioning == Conditioning::kTime) {
    config.time_fusion =
        one_of<TimeFusion>(json, where, "time_fusion",
                           {{"add", TimeFusion::kAdd}, {"multiply", TimeFusion::kMultiply}});
  }
  config.hidden = integer(json, where, "hidden", 1, 4096);
  if (config.conditioning == Conditioning::kClass) {
    config.classes = integer(json, where, "classes", 1, 1000);
  }
  Network network;
  network.config = keys_of(json, {"name", "conditioning", "time_fusion", "hidden", "classes"});
  network.inputs.push_back({"x", {28, 28, 1}, InputRole::kSample});
  if (config.conditioning != Conditioning::kNone) {
    network.inputs.push_back({"t", {1}, InputRole::kTime});
  }
  if (config.conditioning == Conditioning::kClass) {
    network.inputs.push_back(
        {"c", {config.classes}, InputRole::kCondition, DType::kF32, false, config.classes});
  }
  network.forward = [config](Ops& ops, const std::vector<Value>& inputs) {
    const auto input = [&](size_t i) {
      return i < inputs.size() ? std::optional<Value>(inputs[i]) : std::nullopt;
    };
    return unet_mnist(ops, config, inputs.at(0), input(1), input(2));
  };
  return network;
}

Network mnist_classifier_network(const Json& json, const std::string& where) {
  ClassifierMnistConfig config;
  config.hidden = integer(json, where, "hidden", 1, 1024);
  config.classes = integer(json, where, "classes", 1, 1000);
  Network network;
  network.config = keys_of(json, {"name", "hidden", "classes"});
  network.inputs.push_back({"x", {28, 28, 1}, InputRole::kSample});
  network.forward = [config](Ops& ops, const std::vector<Value>& inputs) {
    return classifier_mnist(ops, config, inputs.at(0));
  };
  return network;
}

Value trace(const Network& network, ParamCollector& collector) {
  std::vector<Value> inputs;
  for (const NetworkInput& input : network.inputs) inputs.push_back(collector.input(input.shape));
  return network.forward(collector, inputs);
}

using Builder = Network (*)(const Json&, const std::string& where);

}  // namespace

bool Network::has_input(const std::string& name) const {
  return std::any_of(inputs.begin(), inputs.end(),
                     [&](const NetworkInput& input) { return input.name == name; });
}

const NetworkInput* Network::input(InputRole role) const {
  const auto found = std::find_if(inputs.begin(), inputs.end(),
                                  [&](const NetworkInput& input) { return input.role == role; });
  return found == inputs.end() ? nullptr : &*found;
}

const NetworkInput& Network::sample() const {
  const NetworkInput* found = input(InputRole::kSample);
  EBB_CHECK(found != nullptr, Error, "network: takes no images");
  return *found;
}

Network make_network(const std::string& config, const std::string& where) {
  Json json = Json::parse(config, nullptr, /*allow_exceptions=*/false);
  EBB_CHECK(json.is_object(), FormatError, where, ": model config is not a JSON object");
  if (json.contains("name") && json["name"] == "mnist_judge") {  // the classifier's former name
    json["name"] = "mnist_classifier";
  }
  if (!json.contains("name") && json.contains("_class_name")) {  // config.json of diffusers
    return unet_diffusers_network(json, where);
  }
  const auto build = one_of<Builder>(
      json, where, "name",
      {{"mnist_unet", mnist_unet_network}, {"mnist_classifier", mnist_classifier_network}});
  return build(json, where);
}

Value forward_in_precision(Ops& ops, const Network& network, const std::vector<Value>& inputs) {
  const Scope precision("precision");
  std::vector<Value> activations;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const NetworkInput& input = network.inputs.at(i);
    const bool converts = input.dtype == DType::kF32 && !input.exact;
    activations.push_back(converts ? ops.in_type(precision, inputs[i], ops.activation_dtype())
                                   : inputs[i]);
  }
  return ops.in_type(precision, network.forward(ops, activations), DType::kF32);
}

Shape output_shape(const Network& network) {
  ParamCollector collector;
  const Shape batched = collector.shape(trace(network, collector));
  Shape image;
  for (int i = 1; i < batched.rank(); ++i) image.push_back(batched[i]);
  return image;
}

std::vector<ParamSpec> list_params(const Network& network) {
  ParamCollector collector;
  trace(network, collector);
  return collector.specs();
}

int64_t count_trainable(const std::vector<ParamSpec>& specs) {
  int64_t count = 0;
  for (const ParamSpec& spec : specs) count += spec.info.trainable ? spec.shape.elements() : 0;
  return count;
}

}  // namespace ebb
