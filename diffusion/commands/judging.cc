#include "diffusion/commands/judging.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <iostream>

#include "diffusion/metrics/judge.h"
#include "diffusion/sampling/classes.h"

namespace ebb {
namespace {

// The digits of MNIST, as pictures of this model.
bool draws_digits(const Drawing& drawing) {
  return drawing.image() == Shape({28, 28, 1}) && class_count(drawing.model().network) == 10;
}

}  // namespace

struct JudgePrinter::Impl {
  Judge judge;
};

JudgePrinter::JudgePrinter(const Drawing& drawing) {
  if (!draws_digits(drawing)) return;
  try {
    impl_.reset(new Impl{load_judge(drawing.context())});
  } catch (const IoError& error) {
    std::cerr << "warning: not judged: " << error.what() << '\n';
  }
}

JudgePrinter::~JudgePrinter() = default;

void JudgePrinter::print(const std::string& what, std::span<const float> values, int64_t expected) {
  if (impl_ == nullptr) return;
  const Verdicts verdicts = impl_->judge(values);
  const auto right = std::count(verdicts.labels.begin(), verdicts.labels.end(), expected);
  std::array<char, 32> share;
  std::snprintf(share.data(), share.size(), "%.1f",
                100.0 * static_cast<double>(right) / static_cast<double>(verdicts.images));
  std::cout << "judged " << what << " as " << expected << ": " << share.data() << " % (" << right
            << " of " << verdicts.images << ")\n";
}

}  // namespace ebb
