#include "nn/autograd/param_store.h"

#include <algorithm>
#include <cmath>

namespace ebb::autograd {
namespace {

constexpr int64_t kAlignFloats = Allocator::kAlignment / size_of(DType::kF32);

int64_t padded(const Shape& shape) {
  return (shape.elements() + kAlignFloats - 1) / kAlignFloats * kAlignFloats;
}

}  // namespace

ParamStore::ParamStore(Context& context, std::vector<ParamSpec> specs, bool with_ema)
    : specs_(std::move(specs)) {
  int64_t trainable = 0, running = 0;
  for (const ParamSpec& spec : specs_) {
    int64_t& total = spec.info.trainable ? trainable : running;
    const Entry entry{{}, {}, spec.info.trainable, total, spec.shape};
    EBB_CHECK(entries_.emplace(spec.name, entry).second, Error, "parameter ", spec.name,
              " is declared twice");
    total += padded(spec.shape);
  }
  for (Tensor* flat : {&values_, &grads_, &m_, &v_}) *flat = Tensor::zeros(context, {trainable});
  buffers_ = Tensor::zeros(context, {running});
  const float one = 1;
  one_ = Tensor::from_host(context, {1}, std::span(&one, 1));
  if (with_ema) {
    ema_ = Tensor::zeros(context, {trainable});
    ema_buffers_ = Tensor::zeros(context, {running});
  }
  for (auto& [name, entry] : entries_) {
    entry.value = (entry.trainable ? values_ : buffers_).range(entry.offset, entry.shape);
    if (entry.trainable) entry.grad = grads_.range(entry.offset, entry.shape);
  }
}

void ParamStore::initialize(uint64_t seed) {
  for (const Tensor* flat : {&values_, &grads_, &m_, &v_, &buffers_}) flat->fill_zero();
  for (size_t i = 0; i < specs_.size(); ++i) {
    std::vector<float> host(static_cast<size_t>(specs_[i].shape.elements()));
    ebb::initialize(specs_[i], seed, static_cast<int64_t>(i), host);
    value(specs_[i].name).copy_from_host(host);
  }
  if (has_ema()) {
    ema_.copy_from(values_);
    ema_buffers_.copy_from(buffers_);
  }
}

const ParamStore::Entry& ParamStore::entry(const std::string& name) const {
  const auto found = entries_.find(name);
  EBB_CHECK(found != entries_.end(), Error, "no parameter named ", name);
  return found->second;
}

TensorMap ParamStore::views_of(const Tensor& trainable, const Tensor& running) const {
  TensorMap views;
  for (const auto& [name, entry] : entries_) {
    views[name] = (entry.trainable ? trainable : running).range(entry.offset, entry.shape);
  }
  return views;
}

TensorMap ParamStore::grads_by_name() const {
  TensorMap grads;
  for (const auto& [name, entry] : entries_) {
    if (entry.trainable) grads[name] = entry.grad;
  }
  return grads;
}

std::string ParamStore::first_nonfinite_grad() const {
  for (const ParamSpec& spec : specs_) {
    if (!spec.info.trainable) continue;
    const std::vector<float> host = grad(spec.name).to_host();
    if (!std::all_of(host.begin(), host.end(), [](float g) { return std::isfinite(g); })) {
      return spec.name;
    }
  }
  return "";
}

}  // namespace ebb::autograd
