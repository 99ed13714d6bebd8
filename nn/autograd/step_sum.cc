#include "nn/autograd/step_sum.h"

#include "kernels/kernel_table.h"

namespace ebb::autograd {
namespace {

constexpr int64_t kSumBytes = sizeof(uint64_t);

}  // namespace

StepSum::StepSum(Context& context, const ParamStore& params)
    : stream_(context.stream()),
      offset_of_buffers_(params.grads().elements()),
      offset_of_loss_(offset_of_buffers_ + params.buffers().elements()),
      offset_of_lost_(offset_of_loss_ + 1),
      sums_(Tensor::zeros(context, {(offset_of_lost_ + 1) * kSumBytes}, DType::kU8)),
      share_(Tensor::empty(context, {sizeof(FixedShare)}, DType::kU8)),
      loss_(Tensor::zeros(context, {1})) {}

void StepSum::clear() { sums_.fill_zero(); }

void StepSum::set_share(const FixedShare& share) {
  stream_->copy_to_device(share_.raw(), &share, sizeof share);
}

void StepSum::add(Context& context, const ParamStore& params, const Tensor& loss) const {
  const auto add = [&](const Tensor& x, int64_t offset) {
    context.launch(&KernelTable::add_fixed,
                   AddFixedArgs{.count = x.elements(),
                                .share = static_cast<const FixedShare*>(share_.raw()),
                                .x = x.data<float>(),
                                .sum = at(offset),
                                .lost = at(offset_of_lost_)});
  };
  add(params.grads(), 0);
  add(params.buffers(), offset_of_buffers_);
  add(loss, offset_of_loss_);
}

void StepSum::take(Context& context, const ParamStore& params) const {
  const auto take = [&](const Tensor& x, int64_t offset) {
    context.launch(&KernelTable::from_fixed,
                   FromFixedArgs{.count = x.elements(), .sum = at(offset), .x = x.data<float>()});
  };
  take(params.grads(), 0);
  take(params.buffers(), offset_of_buffers_);
  take(loss_, offset_of_loss_);
}

int64_t StepSum::read_lost() const {
  int64_t count = 0;
  stream_->copy_to_host(&count, lost(), 1, sizeof count, sizeof count);
  return count;
}

}  // namespace ebb::autograd
