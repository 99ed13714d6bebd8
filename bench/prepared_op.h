#pragma once

#include <functional>

#include "engine/context.h"
#include "testing/op_cases.h"
#include "testing/op_roofline.h"

namespace ebb {

// One pass of a case with random operands in device memory, ready to run again and again. What does
// not repeat in a network (packing weights for inference) is done once, outside run().
class PreparedOp {
 public:
  PreparedOp(Context& context, const OpCase& op_case, CasePass pass, DType dtype);
  // Queues the kernels; does not wait.
  void run() const { run_(); }

 private:
  std::function<void()> run_;
};

// The work of a PreparedOp that is a convolution (prepared_conv.cc).
std::function<void()> prepare_conv(Context& context, const ConvShape& shape, CasePass pass,
                                   DType dtype);
ConvPass conv_pass_of(CasePass pass);

// Largest error over the largest value of a convolution's result, against sums in double over what
// is stored. Two images of the shape.
double conv_error(Context& context, const ConvShape& shape, ConvPass pass, DType dtype);

}  // namespace ebb
