#pragma once

#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "base/dtype.h"
#include "kernels/conv/cuda/conv_plan.h"
#include "kernels/kernel_table.h"
#include "testing/compare.h"
#include "testing/emulated.h"
#include "testing/reference/conv.h"
#include "tests/kernels/conv/conv_case.h"

// A convolution on the emulator: the data of a ConvCase in a stored type, in device memory, and the
// kernels of a table on it.
namespace ebb {

using Bytes = std::vector<uint8_t>;

inline Bytes store(const std::vector<float>& values, DType dtype) {
  Bytes bytes(values.size() * static_cast<size_t>(size_of(dtype)));
  for (size_t i = 0; i < values.size(); ++i) {
    if (dtype == DType::kF32) {
      std::memcpy(bytes.data() + i * 4, &values[i], 4);
    } else {
      const uint16_t half = dtype == DType::kBF16 ? f32_to_bf16(values[i]) : f32_to_f16(values[i]);
      std::memcpy(bytes.data() + i * 2, &half, 2);
    }
  }
  return bytes;
}

inline std::vector<float> restore(const Bytes& bytes, DType dtype) {
  std::vector<float> values(bytes.size() / static_cast<size_t>(size_of(dtype)));
  for (size_t i = 0; i < values.size(); ++i) {
    if (dtype == DType::kF32) {
      std::memcpy(&values[i], bytes.data() + i * 4, 4);
    } else {
      uint16_t half = 0;
      std::memcpy(&half, bytes.data() + i * 2, 2);
      values[i] = dtype == DType::kBF16 ? bf16_to_f32(half) : f16_to_f32(half);
    }
  }
  return values;
}

inline std::vector<float> round_to(const std::vector<float>& values, DType dtype) {
  return restore(store(values, dtype), dtype);
}

class ConvCudaCase {
 public:
  // stream: passed to the kernels, with its conv_math and device.
  ConvCudaCase(const ConvGeometry& geometry, DType dtype, const KernelStream& stream = {},
               const KernelTable& table = emu_kernels())
      : data(geometry), g(geometry), dtype_(dtype), stream_(stream), table_(&table) {
    data.x = round_to(data.x, dtype);
    data.dy = round_to(data.dy, dtype);
    data.residual = round_to(data.residual, dtype);
    data.scale = round_to(data.scale, dtype);
    data.shift = round_to(data.shift, dtype);
  }

  // Another f32 case's data.
  ConvCudaCase(const ConvCase& case_data, const KernelStream& stream)
      : data(case_data),
        g(case_data.g),
        dtype_(DType::kF32),
        stream_(stream),
        table_(&emu_kernels()) {}

  // moments: gets what the kernel says of y's channels, [conv_moment_chunks, O].
  std::vector<float> forward(const ConvOptions& options,
                             std::vector<RowMoments>* moments = nullptr) const {
    const auto x = device(data.x, "x");
    const auto residual = device(data.residual, "residual");
    const auto scale = device(data.scale, "scale"), shift = device(data.shift, "shift");
    const test::DeviceArray<RowMoments> chunks(
        static_cast<size_t>(table_->conv_moment_chunks.fn(g, dtype_, stream_.conv_math) * g.o),
        "moments");
    const test::DeviceArray<float> bias(data.bias, "bias");
    const auto y = device(std::vector<float>(data.dy.size(), kGap), "y");
    const auto packed = pack(ConvPass::kForward), scratch = workspace(ConvPass::kForward);
    table_->conv_forward.fn({.geometry = g,
                             .dtype = dtype_,
                             .x = x->get(),
                             .packed = packed->get(),
                             .bias = options.bias ? bias.get() : nullptr,
                             .residual = options.residual_n > 0 ? residual->get() : nullptr,
                             .residual_n = options.residual_n,
                             .activation = options.activation,
                             .y = y->get(),
                             .workspace = scratch->get(),
                             .scale = options.scale_n > 0 ? scale->get() : nullptr,
                             .scale_n = options.scale_n,
                             .shift = options.shift_n > 0 ? shift->get() : nullptr,
                             .shift_n = options.shift_n,
                             .moments = moments == nullptr ? nullptr : chunks.get()},
                            stream_);
    if (moments != nullptr) *moments = chunks.values();
    return restore(y->values(), dtype_);
  }

  std::vector<float> backward_input() const {
    const auto dy = device(data.dy, "dy");
    const auto dx = device(std::vector<float>(data.x.size(), kGap), "dx");
    const auto packed = pack(ConvPass::kBackwardInput);
    const auto scratch = workspace(ConvPass::kBackwardInput);
    table_->conv_backward_input.fn({.geometry = g,
                                    .dtype = dtype_,
                                    .dy = dy->get(),
                                    .packed = packed->get(),
                                    .dx = dx->get(),
                                    .workspace = scratch->get()},
                                   stream_);
    return restore(dx->values(), dtype_);
  }

  ConvCase::WeightGradient backward_weight() const {
    const auto x = device(data.x, "x"), dy = device(data.dy, "dy");
    test::DeviceArray<float> dw(data.w.size(), "dw"), db(static_cast<size_t>(g.o), "db");
    const auto scratch = workspace(ConvPass::kBackwardWeight);
    table_->conv_backward_weight.fn({.geometry = g,
                                     .dtype = dtype_,
                                     .x = x->get(),
                                     .dy = dy->get(),
                                     .dw = dw.get(),
                                     .db = db.get(),
                                     .workspace = scratch->get()},
                                    stream_);
    return {dw.values(), db.values()};
  }

  // Weights as the kernels see them: rounded when packed.
  std::vector<float> weights() const { return round_to(data.w, dtype_); }

  ConvCase data;  // rounded to what is stored
  ConvGeometry g;

 private:
  using DeviceBytes = std::unique_ptr<test::DeviceArray<uint8_t>>;

  DeviceBytes device(const std::vector<float>& values, const char* name) const {
    return std::make_unique<test::DeviceArray<uint8_t>>(store(values, dtype_), name);
  }
  DeviceBytes workspace(ConvPass pass) const {
    return std::make_unique<test::DeviceArray<uint8_t>>(
        static_cast<size_t>(table_->conv_workspace_bytes.fn(g, pass, dtype_, stream_.conv_math, 1)),
        "workspace");
  }
  DeviceBytes pack(ConvPass pass) const {
    const test::DeviceArray<float> w(data.w, "w");
    auto packed = std::make_unique<test::DeviceArray<uint8_t>>(
        static_cast<size_t>(table_->conv_packed_bytes.fn(g, pass, dtype_, stream_.conv_math)),
        "packed");
    table_->conv_pack.fn(
        {.geometry = g, .pass = pass, .dtype = dtype_, .w = w.get(), .packed = packed->get()},
        stream_);
    return packed;
  }

  DType dtype_;
  KernelStream stream_;
  const KernelTable* table_;
};

}  // namespace ebb
