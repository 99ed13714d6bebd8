#pragma once

#include <limits>
#include <string>
#include <vector>

#include "bench/variants.h"
#include "engine/context.h"

namespace ebb {

// A pass of a case computed in one way.
struct Measurement {
  OpCase op_case;
  CasePass pass;
  Variant variant;
  OpRoofline roofline;
  bool is_plan;            // what the product runs
  std::vector<double> ms;  // of every round; empty when it cannot run here
  std::string why_not;
  double error = std::numeric_limits<double>::quiet_NaN();
  bool was_compared = false;  // then `error` is one

  bool is_conv() const { return op_case.op == "conv"; }
  std::string name() const {
    return (is_conv() ? "" : op_case.op + ", ") + op_case.name + ", " + to_string(pass);
  }
};

// Measures one round. with_error: also compares a convolution with sums in double, where that takes
// no time to speak of. A DeviceError of the kernels lands in why_not.
void measure(Context& context, Measurement& m, bool with_error);

}  // namespace ebb
