#pragma once

#include <map>
#include <string>
#include <vector>

#include "nn/param.h"

namespace ebb::autograd {

// All state of a model in training, in flat buffers: Adam, EMA, clipping and checkpoints are single
// passes over them. Parameters start at multiples of 16 floats; the padding is zero and stays zero.
class ParamStore {
 public:
  // Everything zero; see initialize().
  ParamStore(Context& context, std::vector<ParamSpec> specs, bool with_ema);

  void initialize(uint64_t seed);  // PyTorch's default distributions; moments zero; EMA = weights

  const std::vector<ParamSpec>& specs() const { return specs_; }
  bool has_ema() const { return ema_.defined(); }

  // Views of one parameter, in the engine's layout.
  const Tensor& value(const std::string& name) const { return entry(name).value; }
  const Tensor& grad(const std::string& name) const { return entry(name).grad; }
  bool is_trainable(const std::string& name) const { return entry(name).trainable; }
  bool contains(const std::string& name) const { return entries_.contains(name); }

  // Flat buffers over the trainable parameters.
  const Tensor& values() const { return values_; }
  const Tensor& grads() const { return grads_; }
  const Tensor& first_moments() const { return m_; }
  const Tensor& second_moments() const { return v_; }
  const Tensor& ema() const { return ema_; }
  const Tensor& one() const { return one_; }  // [1], holds 1: where every backward pass starts
  // Running statistics, and their EMA.
  const Tensor& buffers() const { return buffers_; }
  const Tensor& ema_buffers() const { return ema_buffers_; }

  // Parameters and running statistics by name, as an Executor takes them: the current weights, or
  // their EMA. They share memory with the store.
  TensorMap weights() const { return views_of(values_, buffers_); }
  TensorMap ema_weights() const { return views_of(ema_, ema_buffers_); }
  // The weights to use once training is over: their EMA where one is kept.
  TensorMap final_weights() const { return has_ema() ? ema_weights() : weights(); }
  TensorMap grads_by_name() const;
  // Names for the parts of any pair of buffers laid out like values() and buffers().
  TensorMap views_of(const Tensor& trainable, const Tensor& running) const;

  // Name of the first parameter with a gradient that is not finite, empty when there is none.
  std::string first_nonfinite_grad() const;

 private:
  struct Entry {
    Tensor value, grad;  // grad undefined for running statistics
    bool trainable = true;
    int64_t offset = 0;  // in the flat buffer
    Shape shape;
  };
  const Entry& entry(const std::string& name) const;

  std::vector<ParamSpec> specs_;
  std::map<std::string, Entry> entries_;
  Tensor values_, grads_, m_, v_, ema_, buffers_, ema_buffers_, one_;
};

}  // namespace ebb::autograd
