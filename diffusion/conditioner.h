#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "diffusion/denoiser.h"

namespace ebb {

// No condition: the network chooses.
inline constexpr int64_t kNoClass = -1;

// Turns prompts into what a network is conditioned on. It numbers its conditions, as classes are
// numbered; kNoClass is the empty prompt.
class Conditioner {
 public:
  virtual ~Conditioner() = default;
  // The number of the condition that a prompt names. UsageError "<flag> <prompt>: ..." when there
  // is none.
  virtual int64_t find(const std::string& prompt, const std::string& flag) = 0;
  // The condition in words: "class 7", or the prompt; empty for kNoClass.
  virtual std::string text(int64_t condition) const = 0;
  // False for networks that need a condition: there is none to guide away from.
  virtual bool has_none() const = 0;
  // By input name, each [conditions, ...].
  virtual TensorMap encode(std::span<const int64_t> conditions) = 0;

  TensorMap encode(std::span<const std::string> prompts);
};

// The conditioner that goes with a network whose condition is a class; null when the network takes
// no condition. `model` names the model in messages. UsageError for other conditions.
std::unique_ptr<Conditioner> make_conditioner(Context& context, const Network& network,
                                              const std::string& model);

// Number of classes of a network whose only condition is a class; 0 for any other network.
int64_t class_count(const Network& network);

// The class that a prompt for a model of digits means: "7", "seven", "a photo of a seven" (the one
// number in it, whatever its case); nothing when there is none or there are two.
std::optional<int64_t> class_of_prompt(const std::string& prompt);

// The digit that a word of the prompt was probably meant to name, as the end of a message, ". Did
// you mean seven?", or nothing.
std::string suggest_digit(const std::string& prompt);

// One-hot rows [N, classes]; a row of zeros, which the network takes for "any", for kNoClass.
Tensor one_hot(Context& context, std::span<const int64_t> labels, int64_t classes);

// Classes, and prompts that name one, see class_of_prompt().
class ClassConditioner final : public Conditioner {
 public:
  // The network must have class_count() > 0.
  ClassConditioner(Context& context, const Network& network, const std::string& model);

  int64_t find(const std::string& prompt, const std::string& flag) override;
  std::string text(int64_t condition) const override;
  bool has_none() const override { return !takes_ids_; }
  using Conditioner::encode;
  TensorMap encode(std::span<const int64_t> conditions) override;

 private:
  Context& context_;
  std::string input_, model_;
  int64_t classes_;
  bool takes_ids_;  // not one-hot rows
};

// Guidance by the images' conditions, away from `negative`, which is none unless it is given.
// UsageError when the network needs a condition and an image has none, or `scale` is not 1 and
// there is nothing to guide away from.
Guidance guidance_by(Conditioner& conditioner, std::span<const int64_t> conditions, double scale,
                     int64_t negative = kNoClass);

// The same for the classes of a network; unconditional for a network without classes.
Guidance class_guidance(Context& context, const Network& network, std::span<const int64_t> labels,
                        double cfg_scale);

}  // namespace ebb
