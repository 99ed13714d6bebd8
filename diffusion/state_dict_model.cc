#include "diffusion/state_dict_model.h"

#include <algorithm>

#include "base/json.h"
#include "base/text.h"
#include "diffusion/state_dict_match.h"
#include "nn/param_collector.h"
#include "weights/non_finite.h"

namespace ebb {
namespace {

// The first tensor with such a shape; nullptr when there is none.
template <typename Fits>
const TensorInfo* find_tensor(const WeightSource& source, const Fits& fits) {
  const auto found = std::find_if(source.tensors().begin(), source.tensors().end(),
                                  [&](const TensorInfo& tensor) { return fits(tensor.shape); });
  return found == source.tensors().end() ? nullptr : &*found;
}

// D, by the convolution that reads the image.
int64_t hidden_of(const WeightSource& source, int64_t wanted) {
  const TensorInfo* first = find_tensor(source, [](const std::vector<uint64_t>& shape) {
    return shape.size() == 4 && shape[1] == 1 && shape[2] == 3 && shape[3] == 3;
  });
  EBB_CHECK(first != nullptr, FormatError, source.label(),
            ": has no 3x3 convolution of one channel, so it is none of the assignment's networks. "
            "Convert the state_dict of one of them.");
  const auto hidden = static_cast<int64_t>(first->shape[0]);
  EBB_CHECK(wanted == 0 || wanted == hidden, FormatError, source.label(),
            ": its first convolution ", quoted(first->name), " makes ", hidden,
            " channels, not the ", wanted, " of --hidden. Leave --hidden out.");
  return hidden;
}

// Classes, by the linear layer [2D, classes] that reads them.
int64_t classes_of(const WeightSource& source, int64_t hidden) {
  const auto width = static_cast<uint64_t>(2 * hidden);
  const TensorInfo* layer = find_tensor(source, [&](const std::vector<uint64_t>& shape) {
    return shape.size() == 2 && shape[0] == width && shape[1] > 1 && shape[1] != width;
  });
  EBB_CHECK(layer != nullptr, FormatError, source.label(), ": has no linear layer that makes ",
            2 * hidden, " numbers of a class. Use --as mnist-time or mnist-denoiser.");
  return static_cast<int64_t>(layer->shape[1]);
}

Objective objective_of(const StateDictOptions& options) {
  if (options.network == "mnist-denoiser") {
    EBB_CHECK(options.objective.empty(), UsageError, "--objective ", options.objective,
              ": mnist-denoiser has none. Leave it out.");
    return {.type = ObjectiveType::kDenoise};
  }
  return {.type = options.objective == "flow" ? ObjectiveType::kFlow : ObjectiveType::kDdpm};
}

Network network_of(const WeightSource& source, const StateDictOptions& options) {
  const int64_t hidden = hidden_of(source, options.hidden);
  Json config{{"name", "mnist_unet"}, {"hidden", hidden}};
  config["conditioning"] = options.network == "mnist-class"  ? "class"
                           : options.network == "mnist-time" ? "time"
                                                             : "none";
  config["time_fusion"] = options.objective == "flow" ? "multiply" : "add";
  config["classes"] = options.network == "mnist-class" ? classes_of(source, hidden) : 10;
  return make_network(config.dump(), source.label());
}

// Modules that read a concatenation: both halves of its channels are as many.
bool reads_concatenation(const std::string& param) {
  return param == "up1.up.conv.weight" || param == "up2.up.conv.weight" ||
         param == "out_conv.conv1.conv.weight";
}

// Exchanges the halves of the input channels of a weight in PyTorch's layout.
void exchange_halves(const ParamSpec& spec, std::vector<float>& values) {
  const Shape shape = torch_shape(spec);
  const bool is_first = spec.info.layout == ParamLayout::kConvTranspose;  // [C, O, KH, KW]
  const auto rows = static_cast<size_t>(is_first ? 1 : shape[0]);
  const size_t half = values.size() / rows / 2;
  for (size_t row = 0; row < rows; ++row) {
    const auto begin = values.begin() + static_cast<ptrdiff_t>(2 * row * half);
    std::swap_ranges(begin, begin + static_cast<ptrdiff_t>(half),
                     begin + static_cast<ptrdiff_t>(half));
  }
}

Tensor read_param(Context& context, const ParamSpec& spec, const std::string& stored,
                  bool decoder_first, WeightSource& source, std::vector<std::string>& warnings) {
  std::vector<float> torch(static_cast<size_t>(spec.shape.elements())), engine(torch.size());
  const NonFinite found =
      source.read(stored, DType::kF32, std::as_writable_bytes(std::span(torch)));
  if (found.any()) warnings.push_back(non_finite_warning(source.label(), stored, found));
  if (decoder_first && reads_concatenation(spec.name)) exchange_halves(spec, torch);
  torch_to_engine(spec, torch, engine);
  return Tensor::from_host(context, spec.shape, engine);
}

std::vector<std::string> notes_on(const StateDictMatch& match, const StateDictOptions& options,
                                  const Network& network, const WeightSource& source) {
  const Json config = Json::parse(network.config);
  std::vector<std::string> notes{
      cat("matched ", match.by_shape, " layers by their shape and ", match.by_order,
          " by their order among those of the same shape; ", options.modules.size(), " by --map")};
  if (!match.zeros.empty()) {
    notes.push_back(cat(match.zeros.size(), " convolutions have no bias: 0"));
  }
  notes.push_back(cat("D = ", config["hidden"].get<int64_t>(), " by the first convolution"));
  notes.push_back(cat("not in the file: the order of concatenations, taken as ",
                      options.decoder_first ? "decoder-first" : "skip-first",
                      " (--order); GELU and its places, taken as the assignment's"));
  if (options.network != "mnist-denoiser") {
    notes.push_back(
        cat("not in the file: the objective, taken as ",
            options.objective.empty() ? "ddpm" : options.objective, " (--objective)",
            options.network == "mnist-time" ? ", and with it how the time is combined" : ""));
  }
  if (source.path().ends_with(".safetensors")) {
    notes.push_back(
        "a safetensors file may have its layers in another order than the network: check the "
        "result, or convert the .pth");
  }
  return notes;
}

}  // namespace

StateDictModel load_state_dict(Context& context, const std::string& path,
                               const StateDictOptions& options) {
  const std::unique_ptr<WeightSource> source = open_weights(path);
  Model model{.path = path};
  model.objective = objective_of(options);
  model.network = network_of(*source, options);
  const std::vector<ParamSpec> specs = list_params(model.network);
  const StateDictMatch match = match_state_dict(specs, *source, options.modules);
  for (const ParamSpec& spec : specs) {
    const auto stored = match.stored.find(spec.name);
    model.params[spec.name] =
        stored == match.stored.end()
            ? Tensor::from_host(context, spec.shape,
                                std::vector<float>(static_cast<size_t>(spec.shape.elements())))
            : read_param(context, spec, stored->second, options.decoder_first, *source,
                         model.warnings);
  }
  for (const std::string& warning : source->warnings()) model.warnings.push_back(warning);
  source->finish();
  std::vector<std::string> notes = notes_on(match, options, model.network, *source);
  return {.model = std::move(model), .notes = std::move(notes)};
}

}  // namespace ebb
