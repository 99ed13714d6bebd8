#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "diffusion/conditioner.h"

namespace ebb {

// Prompts as the text encoder of a model left them, in a file: a tensor [R, S] or [1, R, S] by
// prompt, safetensors or a dict saved by torch.save(). The empty prompt is the unconditional one.
struct PromptEmbeddings {
  std::string path;
  std::string sha256;                      // of the file
  int64_t tokens = 0, width = 0;           // R, S
  std::vector<std::string> prompts;        // sorted
  std::vector<std::vector<float>> values;  // of each, [R, S]
};

// FormatError when the file is damaged, holds no such tensors or tensors of several sizes; IoError
// when it cannot be read.
PromptEmbeddings read_prompt_embeddings(const std::string& path);

// Prompts that are looked up in such a file: as they are written, else without regard to blanks
// around them and to the case of ASCII letters.
class EmbeddingConditioner final : public Conditioner {
 public:
  // `network` reads text of the width of the embeddings and as many tokens (with_text_tokens());
  // UsageError that names `flag` and the file when the width differs.
  EmbeddingConditioner(Context& context, const Network& network, PromptEmbeddings embeddings,
                       const std::string& flag);

  int64_t find(const std::string& prompt, const std::string& flag) override;
  std::string text(int64_t condition) const override;
  bool has_none() const override { return true; }
  using Conditioner::encode;
  TensorMap encode(std::span<const int64_t> conditions) override;

 private:
  Context& context_;
  std::string input_, file_;
  PromptEmbeddings embeddings_;
  int64_t none_ = -1;  // the empty prompt
};

// The input for text states [R, S]; null for a network that reads no text.
const NetworkInput* text_input(const Network& network);

// The same network for texts of another number of tokens.
Network with_text_tokens(const Network& network, int64_t tokens);

}  // namespace ebb
