#pragma once

#include <cstdint>
#include <deque>

namespace ebb {

// Tells from the losses of a run whether it has diverged: their mean over the last steps is many
// times the loss of the first step, where the network had learned nothing. A single bad batch is
// none.
class DivergenceGuard {
 public:
  static constexpr int64_t kWindow = 10;    // steps of the mean
  static constexpr double kDiverged = 10;   // times the first loss: stop
  static constexpr double kSuspicious = 2;  // times the first loss: no state to keep

  // `least`: about the loss of a network that has learned nothing, for when the first step was not
  // seen.
  explicit DivergenceGuard(double least) : first_(least) {}

  // The finite losses of a run, in order.
  void add(int64_t step, double loss);

  double first() const { return first_; }
  double recent() const;  // mean of the last steps
  // A full window of losses that are too large; at the end of a run fewer are enough.
  bool has_diverged(bool is_last_step = false) const;
  // False: a checkpoint of this state would replace a better one.
  bool is_sound() const { return recent() <= kSuspicious * first(); }

 private:
  double first_;
  std::deque<double> window_;
};

}  // namespace ebb
