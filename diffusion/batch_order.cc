#include "diffusion/batch_order.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "kernels/random/philox.h"

namespace ebb {

BatchOrder::BatchOrder(int64_t examples, int64_t batch_size, uint64_t seed)
    : examples_(examples),
      batch_size_(batch_size),
      steps_per_epoch_((examples + batch_size - 1) / batch_size),
      seed_(seed) {}

BatchOrder::Slice BatchOrder::slice(int64_t step) const {
  const int64_t first = step % steps_per_epoch_ * batch_size_;
  return {step / steps_per_epoch_, first, std::min(batch_size_, examples_ - first)};
}

std::span<const int32_t> BatchOrder::rows(const Slice& slice) {
  if (slice.epoch != epoch_) shuffle(slice.epoch);
  return std::span<const int32_t>(order_).subspan(static_cast<size_t>(slice.first),
                                                  static_cast<size_t>(slice.count));
}

// Fisher-Yates with one random word per position.
void BatchOrder::shuffle(int64_t epoch) {
  order_.resize(static_cast<size_t>(examples_));
  std::iota(order_.begin(), order_.end(), 0);
  for (int64_t i = examples_ - 1; i > 0; --i) {
    const PhiloxWords words =
        random_words(seed_, RandomStream::kShuffle, static_cast<uint64_t>(epoch), 0,
                     static_cast<uint32_t>(i / 4));
    std::swap(order_[i], order_[below_from_word(words.w[i % 4], i + 1)]);
  }
  epoch_ = epoch;
}

uint64_t BatchOrder::first_example(int64_t step) const {
  return static_cast<uint64_t>(step / steps_per_epoch_ * examples_ +
                               step % steps_per_epoch_ * batch_size_);
}

}  // namespace ebb
