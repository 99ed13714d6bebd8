#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "diffusion/prompt_embeddings.h"
#include "nn/network.h"

namespace ebb {

// The text states that a UNet is trained on: the inputs that they are made of, as part of the
// training network.
class TextSource {
 public:
  virtual ~TextSource() = default;

  virtual int64_t tokens() const = 0;  // R
  virtual int64_t width() const = 0;   // S
  // The inputs that stand for a text, and the states [N, R, S] of their values.
  virtual std::vector<NetworkInput> inputs() const = 0;
  virtual Value states(Ops& ops, const std::vector<Value>& inputs) const = 0;
  // Writes the inputs for texts of the data set, by input name; tensors are [texts.size(), ...].
  virtual void write(std::span<const int32_t> texts, const TensorMap& inputs) const = 0;
  // The states of these texts with the weights of a run.
  virtual PromptEmbeddings embeddings(std::span<const std::string> texts,
                                      const TensorMap& weights) const = 0;
  // A checkpoint must agree on it.
  virtual std::string fingerprint() const = 0;
};

// Texts whose states are in a file (diffusion/prompt_embeddings.h), one tensor for each caption of
// the data set and one for "". FormatError names a caption that it lacks.
std::unique_ptr<TextSource> embedding_file(Context& context, const std::string& path,
                                           std::span<const std::string> texts);

}  // namespace ebb
