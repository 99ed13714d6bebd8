#pragma once

#include "kernels/optimizer/fixed_sum.h"
#include "nn/autograd/param_store.h"

namespace ebb::autograd {

// The sum of the parts of a training step in fixed point: gradients, running statistics and
// loss, each the mean over the step's images. The same bits in any order of the parts.
class StepSum {
 public:
  StepSum(Context& context, const ParamStore& params);

  void clear();                             // before the first part
  void set_share(const FixedShare& share);  // before each
  // Adds the store's gradients and running statistics, and the loss [1], of one part.
  void add(Context& context, const ParamStore& params, const Tensor& loss) const;
  // Gives the store the sums of gradients and running statistics, and loss() its own.
  void take(Context& context, const ParamStore& params) const;

  const Tensor& loss() const { return loss_; }  // [1]
  const uint64_t* lost() const { return at(offset_of_lost_); }
  int64_t read_lost() const;  // how many numbers fit no sum

 private:
  uint64_t* at(int64_t offset) const { return static_cast<uint64_t*>(sums_.raw()) + offset; }

  std::shared_ptr<Stream> stream_;
  int64_t offset_of_buffers_, offset_of_loss_, offset_of_lost_;
  Tensor sums_;   // of 64 bits: gradients, running statistics, loss, lost
  Tensor share_;  // one FixedShare
  Tensor loss_;
};

}  // namespace ebb::autograd
