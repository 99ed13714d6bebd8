#include "diffusion/prompt_embeddings.h"

#include <algorithm>
#include <array>

#include "base/closest_name.h"
#include "base/json.h"
#include "base/text.h"
#include "weights/weight_source.h"

namespace ebb {
namespace {

constexpr size_t kNearest = 3;  // prompts that a message names

// In lower case and without blanks around it, as pipelines hand prompts to the tokenizer.
std::string plain(const std::string& prompt) {
  constexpr const char* kBlanks = " \t\r\n";
  const size_t first = prompt.find_first_not_of(kBlanks);
  if (first == std::string::npos) return "";
  std::string text = prompt.substr(first, prompt.find_last_not_of(kBlanks) - first + 1);
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

std::string size_text(const std::vector<uint64_t>& shape) {
  std::string text;
  for (const uint64_t side : shape) text += (text.empty() ? "" : ", ") + std::to_string(side);
  return cat("[", text, "]");
}

// The size [R, S] of a prompt's tensor; empty for other shapes.
std::vector<uint64_t> size_of_text(const TensorInfo& tensor) {
  if (tensor.shape.size() == 2) return tensor.shape;
  const bool is_batch = tensor.shape.size() == 3 && tensor.shape[0] == 1;
  return is_batch ? std::vector<uint64_t>{tensor.shape[1], tensor.shape[2]}
                  : std::vector<uint64_t>{};
}

}  // namespace

PromptEmbeddings read_prompt_embeddings(const std::string& path) {
  const std::unique_ptr<WeightSource> source = open_weights(path);
  PromptEmbeddings embeddings{.path = path, .sha256 = {}, .prompts = {}, .values = {}};
  EBB_CHECK(!source->tensors().empty(), FormatError, source->label(), ": holds no prompts.");
  std::vector<TensorInfo> tensors = source->tensors();
  const std::vector<uint64_t> size = size_of_text(tensors.front());
  for (const TensorInfo& tensor : tensors) {
    EBB_CHECK(!size.empty() && size_of_text(tensor) == size, FormatError, source->label(),
              ": tensor ", quoted(tensor.name), " is ", size_text(tensor.shape),
              ", expected the states of a prompt, [tokens, width], of one size in the whole file.");
  }
  embeddings.tokens = static_cast<int64_t>(size[0]);
  embeddings.width = static_cast<int64_t>(size[1]);
  std::vector<std::pair<std::string, std::vector<float>>> rows;
  for (const TensorInfo& tensor : tensors) {
    std::vector<float> values(size[0] * size[1]);
    const NonFinite bad =
        source->read(tensor.name, DType::kF32, std::as_writable_bytes(std::span(values)));
    EBB_CHECK(!bad.any(), FormatError, source->label(), ": tensor ", quoted(tensor.name),
              " holds values that are no numbers. Encode the prompt again.");
    rows.emplace_back(tensor.name, std::move(values));
  }
  std::sort(rows.begin(), rows.end());
  for (auto& [prompt, values] : rows) {
    embeddings.prompts.push_back(prompt);
    embeddings.values.push_back(std::move(values));
  }
  embeddings.sha256 = source->finish();
  return embeddings;
}

const NetworkInput* text_input(const Network& network) {
  for (const NetworkInput& input : network.inputs) {
    if (input.role == InputRole::kCondition && input.shape.rank() == 2) return &input;
  }
  return nullptr;
}

Network with_text_tokens(const Network& network, int64_t tokens) {
  Json config = Json::parse(network.config);
  config["text_tokens"] = tokens;
  return make_network(config.dump(), "the network");
}

EmbeddingConditioner::EmbeddingConditioner(Context& context, const Network& network,
                                           PromptEmbeddings embeddings, const std::string& flag)
    : context_(context),
      file_(cat(flag, " ", path_label(embeddings.path))),
      embeddings_(std::move(embeddings)) {
  const NetworkInput* input = text_input(network);
  EBB_CHECK(input != nullptr, Error, "EmbeddingConditioner: the network reads no text");
  EBB_CHECK(input->shape[1] == embeddings_.width, UsageError, file_, ": its prompts have ",
            embeddings_.width, " numbers per token, the model reads ", input->shape[1],
            ". Use the text encoder of this model.");
  EBB_CHECK(input->shape[0] == embeddings_.tokens, Error,
            "EmbeddingConditioner: ", embeddings_.tokens, " tokens for ", input->shape);
  input_ = input->name;
  const auto empty = std::find(embeddings_.prompts.begin(), embeddings_.prompts.end(), "");
  if (empty != embeddings_.prompts.end()) none_ = empty - embeddings_.prompts.begin();
}

int64_t EmbeddingConditioner::find(const std::string& prompt, const std::string& flag) {
  const std::vector<std::string>& known = embeddings_.prompts;
  if (prompt.empty()) return kNoClass;
  auto found = std::find(known.begin(), known.end(), prompt);
  if (found == known.end()) {
    found = std::find_if(known.begin(), known.end(),
                         [&](const std::string& other) { return plain(other) == plain(prompt); });
  }
  if (found != known.end()) return found->empty() ? kNoClass : found - known.begin();
  std::string nearest;
  for (const std::string& text : nearest_texts(prompt, known, kNearest)) {
    nearest += cat(nearest.empty() ? "" : ", ", quoted(text));
  }
  throw UsageError(cat(flag, " ", terminal_safe(prompt), ": is not in ", file_,
                       nearest.empty() ? "." : cat(". Did you mean ", nearest, "?")));
}

std::string EmbeddingConditioner::text(int64_t condition) const {
  return condition == kNoClass ? "" : embeddings_.prompts.at(static_cast<size_t>(condition));
}

TensorMap EmbeddingConditioner::encode(std::span<const int64_t> conditions) {
  const int64_t tokens = embeddings_.tokens, width = embeddings_.width;
  std::vector<float> states;
  for (const int64_t condition : conditions) {
    EBB_CHECK(condition != kNoClass || none_ >= 0, UsageError, file_,
              ": holds no empty prompt \"\", which stands for none and which guidance leads away "
              "from. Add it, or give --prompt with --negative-prompt or --cfg-scale 1.");
    const int64_t row = condition == kNoClass ? none_ : condition;
    const std::vector<float>& values = embeddings_.values.at(static_cast<size_t>(row));
    states.insert(states.end(), values.begin(), values.end());
  }
  return {
      {input_, Tensor::from_host(context_, {static_cast<int64_t>(conditions.size()), tokens, width},
                                 std::span<const float>(states))}};
}

}  // namespace ebb
