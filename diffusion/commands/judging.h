#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "diffusion/commands/drawing.h"

namespace ebb {

// Lets the judge network read digits and prints how many it reads as meant:
//   "judged upright as 6: 95 % (19 of 20)"
// Prints nothing for models that do not draw MNIST digits. values: [N, 28, 28].
class JudgePrinter {
 public:
  explicit JudgePrinter(const Drawing& drawing);
  ~JudgePrinter();
  void print(const std::string& what, std::span<const float> values, int64_t expected);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;  // null: nothing to judge
};

}  // namespace ebb
