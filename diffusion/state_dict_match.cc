#include "diffusion/state_dict_match.h"

#include <algorithm>

#include "base/error.h"
#include "base/text.h"

namespace ebb {
namespace {

// The tensors of one module, by the last part of their names.
struct Layer {
  std::string module;
  std::map<std::string, std::vector<uint64_t>> shapes;
  std::string signature;  // kind and shape, for messages, too
};

std::string shape_text(const std::vector<uint64_t>& shape) {
  std::string text;
  for (const uint64_t dim : shape) text += (text.empty() ? "" : ", ") + std::to_string(dim);
  return "[" + text + "]";
}

void add_tensor(std::vector<Layer>& layers, const std::string& name,
                const std::vector<uint64_t>& shape) {
  const size_t dot = name.rfind('.');
  const std::string module = dot == std::string::npos ? "" : name.substr(0, dot);
  const std::string leaf = dot == std::string::npos ? name : name.substr(dot + 1);
  if (leaf == "num_batches_tracked") return;
  auto layer = std::find_if(layers.begin(), layers.end(),
                            [&](const Layer& other) { return other.module == module; });
  if (layer == layers.end()) layer = layers.insert(layers.end(), {module, {}, {}});
  layer->shapes[leaf] = shape;
}

// Layers that others of their shape stand for, named by what comes before them.
void sign(std::vector<Layer>& layers) {
  std::string convolution, linear;
  for (Layer& layer : layers) {
    const auto weight = layer.shapes.find("weight");
    if (weight == layer.shapes.end()) {
      layer.signature = "no layer with a weight";
      continue;
    }
    const std::vector<uint64_t>& shape = weight->second;
    const std::string text = shape_text(shape);
    if (layer.shapes.contains("running_mean")) {
      layer.signature = cat("BatchNorm ", text, " after ", convolution);
    } else if (shape.size() == 4) {
      layer.signature = convolution = cat("convolution ", text);
    } else if (shape.size() == 2) {
      const bool is_square = shape[0] == shape[1];
      layer.signature = cat("linear ", text, is_square ? " after " + linear : "");
      linear = cat("linear ", text);
    } else {
      layer.signature = cat("layer ", text);
    }
  }
}

std::vector<Layer> layers_of(const std::vector<ParamSpec>& specs) {
  std::vector<Layer> layers;
  for (const ParamSpec& spec : specs) {
    const Shape shape = torch_shape(spec);
    add_tensor(layers, spec.name, {shape.begin(), shape.end()});
  }
  sign(layers);
  return layers;
}

std::vector<Layer> layers_of(const WeightSource& source) {
  std::vector<Layer> layers;
  std::vector<TensorInfo> tensors = source.tensors();
  std::stable_sort(tensors.begin(), tensors.end(),
                   [](const TensorInfo& a, const TensorInfo& b) { return a.index < b.index; });
  for (const TensorInfo& tensor : tensors) add_tensor(layers, tensor.name, tensor.shape);
  sign(layers);
  return layers;
}

using BySignature = std::map<std::string, std::vector<const Layer*>>;

BySignature group(const std::vector<Layer>& layers) {
  BySignature groups;
  for (const Layer& layer : layers) groups[layer.signature].push_back(&layer);
  return groups;
}

std::string tensor_name(const Layer& layer, const std::string& leaf) {
  return layer.module.empty() ? leaf : layer.module + "." + leaf;
}

// Gives the tensors of `wanted` those of `found`, of the same signature.
void match_layer(const Layer& wanted, const Layer& found, const std::string& label,
                 StateDictMatch& match) {
  for (const auto& [leaf, shape] : wanted.shapes) {
    const std::string name = tensor_name(wanted, leaf);
    const auto stored = found.shapes.find(leaf);
    const bool may_lack =
        leaf == "bias" && shape.size() == 1 && wanted.signature.starts_with("convolution");
    if (stored == found.shapes.end() && may_lack) {
      match.zeros.push_back(name);
      continue;
    }
    EBB_CHECK(stored != found.shapes.end(), FormatError, label, ": ", wanted.signature, " ",
              quoted(found.module), " has no ", leaf, ", expected one of ", shape_text(shape));
    EBB_CHECK(stored->second == shape, FormatError, label, ": tensor ",
              quoted(tensor_name(found, leaf)), " is ", shape_text(stored->second), ", expected ",
              shape_text(shape), " for ", name);
    match.stored[name] = tensor_name(found, leaf);
  }
}

void match_given(const std::map<std::string, std::string>& given, std::vector<Layer>& wanted,
                 std::vector<Layer>& found, const std::string& label, StateDictMatch& match) {
  const auto take = [&](std::vector<Layer>& layers, const std::string& module, const char* whose) {
    const auto layer = std::find_if(layers.begin(), layers.end(),
                                    [&](const Layer& other) { return other.module == module; });
    EBB_CHECK(layer != layers.end(), UsageError, "--map: ", whose, " has no module ",
              quoted(module), " that is not mapped yet");
    Layer taken = *layer;
    layers.erase(layer);
    return taken;
  };
  for (const auto& [from, to] : given) {
    const Layer theirs = take(found, from, label.c_str()), ours = take(wanted, to, "the network");
    match_layer(ours, theirs, label, match);
  }
}

// "2 of convolution [64, 64, 3, 3], expected 3 (init_conv.conv2.conv, ...)"
std::string differences(const BySignature& wanted, const BySignature& found) {
  constexpr size_t kMaxListed = 5;
  std::vector<std::string> parts;
  for (const auto& [signature, layers] : wanted) {
    const auto other = found.find(signature);
    const size_t there = other == found.end() ? 0 : other->second.size();
    if (there == layers.size()) continue;
    parts.push_back(cat("; ", there, " of ", signature, ", expected ", layers.size(), " (",
                        layers.front()->module, layers.size() > 1 ? ", ...)" : ")"));
  }
  for (const auto& [signature, layers] : found) {
    if (wanted.contains(signature)) continue;
    parts.push_back(cat("; ", layers.size(), " of ", signature, ", expected none (",
                        terminal_safe(layers.front()->module), layers.size() > 1 ? ", ...)" : ")"));
  }
  std::string text;
  for (size_t i = 0; i < std::min(parts.size(), kMaxListed); ++i) text += parts[i];
  if (parts.size() > kMaxListed) text += cat("; and ", parts.size() - kMaxListed, " more");
  return text;
}

}  // namespace

StateDictMatch match_state_dict(const std::vector<ParamSpec>& specs, const WeightSource& source,
                                const std::map<std::string, std::string>& given) {
  std::vector<Layer> wanted = layers_of(specs), found = layers_of(source);
  StateDictMatch match;
  match_given(given, wanted, found, source.label(), match);
  const BySignature ours = group(wanted), theirs = group(found);
  const std::string different = differences(ours, theirs);
  EBB_CHECK(different.empty(), FormatError, source.label(),
            ": its layers are not those of the network", safe_message(different),
            ". Use the --as and the --hidden that it was trained with, or --map for layers that "
            "differ.");
  for (const auto& [signature, layers] : ours) {
    const std::vector<const Layer*>& stored = theirs.at(signature);
    for (size_t i = 0; i < layers.size(); ++i) {
      match_layer(*layers[i], *stored[i], source.label(), match);
    }
    (layers.size() == 1 ? match.by_shape : match.by_order) += static_cast<int64_t>(layers.size());
  }
  return match;
}

}  // namespace ebb
