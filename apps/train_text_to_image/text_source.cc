#include "apps/train_text_to_image/text_source.h"

#include <algorithm>

#include "base/text.h"

namespace ebb {
namespace {

constexpr const char* kStates = "encoder_hidden_states";

class EmbeddingFile final : public TextSource {
 public:
  EmbeddingFile(Context& context, PromptEmbeddings embeddings, std::span<const std::string> texts)
      : context_(context), embeddings_(std::move(embeddings)) {
    for (const std::string& text : texts) rows_.push_back(row_of(text));
  }

  int64_t tokens() const override { return embeddings_.tokens; }
  int64_t width() const override { return embeddings_.width; }

  std::vector<NetworkInput> inputs() const override {
    return {{kStates, {tokens(), width()}, InputRole::kCondition}};
  }

  Value states(Ops&, const std::vector<Value>& inputs) const override { return inputs.at(0); }

  void write(std::span<const int32_t> texts, const TensorMap& inputs) const override {
    std::vector<float> values;
    for (const int32_t text : texts) {
      const std::vector<float>& row = embeddings_.values[rows_.at(static_cast<size_t>(text))];
      values.insert(values.end(), row.begin(), row.end());
    }
    inputs.at(kStates).copy_from_host(values);
  }

  PromptEmbeddings embeddings(std::span<const std::string> texts, const TensorMap&) const override {
    PromptEmbeddings found{.path = embeddings_.path,
                           .sha256 = embeddings_.sha256,
                           .tokens = embeddings_.tokens,
                           .width = embeddings_.width,
                           .prompts = {texts.begin(), texts.end()},
                           .values = {}};
    for (const std::string& text : texts) found.values.push_back(embeddings_.values[row_of(text)]);
    return found;
  }

  std::string fingerprint() const override { return embeddings_.sha256; }

 private:
  size_t row_of(const std::string& text) const {
    const std::vector<std::string>& known = embeddings_.prompts;
    const auto found = std::lower_bound(known.begin(), known.end(), text);
    EBB_CHECK(found != known.end() && *found == text, FormatError, "--embeddings ",
              path_label(embeddings_.path), ": has no tensor ", quoted(text),
              ", expected one for each caption and one for the empty text");
    return static_cast<size_t>(found - known.begin());
  }

  Context& context_;
  PromptEmbeddings embeddings_;
  std::vector<size_t> rows_;  // of the data set's texts
};

}  // namespace

std::unique_ptr<TextSource> embedding_file(Context& context, const std::string& path,
                                           std::span<const std::string> texts) {
  return std::make_unique<EmbeddingFile>(context, read_prompt_embeddings(path), texts);
}

}  // namespace ebb
