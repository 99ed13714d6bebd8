#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "diffusion/denoiser.h"

namespace ebb {

// Turns prompts into what a network is conditioned on.
class Conditioner {
 public:
  virtual ~Conditioner() = default;
  // The conditions for these prompts by input name, each [prompts, ...]. The empty prompt is no
  // condition: the network chooses. UsageError says what is wrong with a prompt.
  virtual TensorMap encode(std::span<const std::string> prompts) const = 0;
};

// The conditioner that goes with a network; null when the network takes no condition. `model` names
// the model in messages. UsageError for conditions that nothing here makes from text.
std::unique_ptr<Conditioner> make_conditioner(Context& context, const Network& network,
                                              const std::string& model);

inline constexpr int64_t kNoClass = -1;

// Number of classes of a network whose condition is a class; 0 for any other network.
int64_t class_count(const Network& network);

// The class that a prompt for a model of digits means: "7", "seven", "a photo of a seven" (the one
// number in it, whatever its case); nothing when there is none or there are two.
std::optional<int64_t> class_of_prompt(const std::string& prompt);

// The digit that a word of the prompt was probably meant to name, as the end of a message, ". Did
// you mean seven?", or nothing.
std::string suggest_digit(const std::string& prompt);

// One-hot rows [N, classes]; a row of zeros, which the network takes for "any", for kNoClass.
Tensor one_hot(Context& context, std::span<const int64_t> labels, int64_t classes);

// Prompts that name one of the classes of a network, see class_of_prompt().
class DigitConditioner final : public Conditioner {
 public:
  // The network must have class_count() > 0.
  DigitConditioner(Context& context, const Network& network, const std::string& model);

  TensorMap encode(std::span<const std::string> prompts) const override;
  // The same for classes or kNoClass.
  TensorMap encode(std::span<const int64_t> labels) const;

  // The class that a prompt means; UsageError "<flag> <prompt>: must name ...".
  int64_t class_of(const std::string& prompt, const std::string& flag) const;

 private:
  Context& context_;
  std::string input_, model_;
  int64_t classes_;
};

// Guidance by the images' classes; unconditional for a network without classes.
Guidance class_guidance(Context& context, const Network& network, std::span<const int64_t> labels,
                        double cfg_scale);

}  // namespace ebb
