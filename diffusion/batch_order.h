#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace ebb {

// The examples of a data set that each training step takes: every epoch visits them in another
// order, and its last batch may be smaller. All of it is a function of (seed, step).
class BatchOrder {
 public:
  BatchOrder(int64_t examples, int64_t batch_size, uint64_t seed);

  int64_t steps_per_epoch() const { return steps_per_epoch_; }

  // Positions [first, first + count) of the epoch's order.
  struct Slice {
    int64_t epoch, first, count;
  };
  Slice slice(int64_t step) const;  // from 0
  // The rows of the data set at these positions. Valid until the next call.
  std::span<const int32_t> rows(const Slice& slice);

  // Number in the run of the step's first example: what its random numbers are keyed by.
  uint64_t first_example(int64_t step) const;

 private:
  void shuffle(int64_t epoch);

  int64_t examples_, batch_size_, steps_per_epoch_;
  uint64_t seed_;
  int64_t epoch_ = -1;  // of order_
  std::vector<int32_t> order_;
};

}  // namespace ebb
