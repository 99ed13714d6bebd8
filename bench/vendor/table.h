#pragma once

// Entries of a kernel table around a vendor's convolutions, which support dense images and one
// filter layout: packing, pitches, bias, residual, activation, the weight gradient of transposed
// convolutions. `Vendor` provides the multiplication:
//
//   struct Vendor {
//     static constexpr VendorMath kMath;
//     static const KernelTable& ours();                        // everything but convolutions
//     static int64_t bytes(const VendorConv&, ConvPass);       // scratch of run()
//     static void run(const VendorConv&, ConvPass, const VendorConvPointers&, KernelStream);
//     static void bias_gradient(const VendorConv&, const void* dy, void* db, KernelStream);
//     static void widen(DType, const void* from, int64_t count, float* to, KernelStream);
//   };

#include "bench/vendor/convs.h"
#include "kernels/conv/tap_list.h"

namespace ebb {
namespace vendor {

// Workspace layout of a pass, besides the algorithm's own scratch. It always has space for dense
// copies of both images, because pitches are unknown when the size is requested.
template <class Vendor>
struct Scratch {
  int64_t plan, x, y, filter, w_halves, w, bias, bytes;  // offsets; size of all

  Scratch(const VendorConv& c, ConvPass pass) {
    const int64_t size = size_of(c.dtype);
    const auto take = [this](int64_t count) {
      constexpr int64_t kAlignment = 256;
      const int64_t at = bytes;
      bytes += (count + kAlignment - 1) / kAlignment * kAlignment;
      return at;
    };
    const bool weight = pass == ConvPass::kBackwardWeight;
    bytes = 0;
    plan = take(Vendor::bytes(c, pass));
    x = take(c.x_count() * size);
    y = take(c.y_count() * size);
    filter = take(weight ? (c.g.transposed ? packed_gradient_bytes(c) : 0) : c.w_count() * size);
    w_halves = take(weight && size < 4 ? c.w_count() * size : 0);
    w = take(weight && c.g.transposed ? c.w_count() * 4 : 0);
    bias = take(c.g.o * size);
  }

  // The gradient of a transposed convolution's weights on its way from cuDNN's layout to ours.
  static int64_t packed_gradient_bytes(const VendorConv& c) {
    return Vendor::ebb().conv_packed_bytes.fn(ordinary(c.g), ConvPass::kBackwardInput, DType::kF32,
                                              {});
  }
  static ConvGeometry ordinary(const ConvGeometry& g) {
    return conv_geometry(1, g.ho, g.wo, g.o, g.c, g.kh, g.kw, g.stride, g.pad, false);
  }
};

// One call of an entry.
template <class Vendor>
class VendorCall {
 public:
  VendorCall(const VendorConv& conv, ConvPass pass, void* workspace, KernelStream stream)
      : c_(conv), pass_(pass), layout_(conv, pass), workspace_(workspace), stream_(stream) {}

  void* at(int64_t offset) const { return static_cast<char*>(workspace_) + offset; }
  const Scratch<Vendor>& layout() const { return layout_; }

  // The rows made adjacent, or the rows themselves when they are.
  void* dense(const void* rows, int64_t count, int64_t channels, int64_t pitch, int64_t offset) {
    if (pitch == channels) return const_cast<void*>(rows);
    copy_rows(count, channels, pitch, channels, rows, at(offset));
    return at(offset);
  }
  void copy_rows(int64_t rows, int64_t channels, int64_t from_pitch, int64_t to_pitch,
                 const void* from, void* to) {
    Vendor::ebb().copy_rows.fn({rows, rows, channels, from_pitch, to_pitch, c_.dtype, from, to},
                               stream_);
  }
  // Packed weights without the channels that fill up copies of 16 bytes.
  void* filter(const void* packed) {
    const TapList list = tap_list(c_.g, c_.packing());
    const int64_t rows = list.out.c * list.kh * list.kw;
    const int64_t bytes = Vendor::ebb().conv_packed_bytes.fn(c_.g, c_.packing(), c_.dtype, {});
    return dense(packed, rows, list.in.c, bytes / size_of(c_.dtype) / rows, layout_.filter);
  }
  void multiply(void* x, void* w, void* y) {
    Vendor::run(c_, pass_, {x, w, y, at(layout_.plan)}, stream_);
  }

 private:
  const VendorConv& c_;
  ConvPass pass_;
  Scratch<Vendor> layout_;
  void* workspace_;
  KernelStream stream_;
};

template <class Vendor>
int64_t packed_bytes(const ConvGeometry& g, ConvPass, DType dtype, const ConvMath&) {
  const VendorConv c{g, dtype, Vendor::kMath};
  return Vendor::ebb().conv_packed_bytes.fn(g, c.packing(), dtype, {});
}

template <class Vendor>
void pack(const ConvPackArgs& args, KernelStream stream) {
  ConvPackArgs as_filter = args;
  as_filter.pass = VendorConv{args.geometry, args.dtype, Vendor::kMath}.packing();
  Vendor::ebb().conv_pack.fn(as_filter, stream);
}

template <class Vendor>
int64_t workspace_bytes(const ConvGeometry& g, ConvPass pass, DType dtype, const ConvMath&, int) {
  return Scratch<Vendor>({g, dtype, Vendor::kMath}, pass).bytes;
}

// y += bias, y += residual, y = act(y), y *= scale, y += shift, each a pass of its own by our
// kernels.
template <class Vendor>
void finish(const ConvForwardArgs& args, const VendorCall<Vendor>& call, void* y,
            KernelStream stream) {
  const KernelTable& ebb = Vendor::ebb();
  const ConvGeometry& g = args.geometry;
  const int64_t pixels = g.ho * g.wo;
  if (args.bias != nullptr) {
    const void* bias = args.bias;
    if (args.dtype != DType::kF32) {  // packing one row of weights rounds it
      const ConvGeometry row = conv_geometry(1, 1, 1, g.o, 1, 1, 1, 1, 0, false);
      bias = call.at(call.layout().bias);
      ebb.conv_pack.fn({row, ConvPass::kForward, args.dtype, args.bias, const_cast<void*>(bias)},
                       stream);
    }
    ebb.broadcast_forward.fn({BroadcastOp::kAdd, g.n, pixels, g.o, g.n, 1, args.dtype, y, bias, y},
                             stream);
  }
  if (args.residual != nullptr) {
    ebb.broadcast_forward.fn({BroadcastOp::kAdd, g.n, 1, pixels * g.o, g.n, args.residual_n,
                              args.dtype, y, args.residual, y},
                             stream);
  }
  if (args.activation != Activation::kNone) {
    ebb.activation_forward.fn({args.activation, args.dtype, g.n * pixels * g.o, y, y}, stream);
  }
  const auto modulate = [&](BroadcastOp op, const void* s, int64_t s_n) {
    if (s == nullptr) return;
    ebb.broadcast_forward.fn({op, g.n, pixels, g.o, g.n, s_n, args.dtype, y, s, y}, stream);
  };
  modulate(BroadcastOp::kMultiply, args.scale, args.scale_n);
  modulate(BroadcastOp::kAdd, args.shift, args.shift_n);
}

template <class Vendor>
void forward(const ConvForwardArgs& args, KernelStream stream) {
  const ConvGeometry& g = args.geometry;
  const VendorConv c{g, args.dtype, Vendor::kMath};
  VendorCall<Vendor> call(c, ConvPass::kForward, args.workspace, stream);
  void* const x = call.dense(args.x, g.n * g.h * g.w, g.c, g.x_pitch, call.layout().x);
  void* const y = g.y_pitch == g.o ? args.y : call.at(call.layout().y);
  call.multiply(x, call.filter(args.packed), y);
  finish(args, call, y, stream);
  if (y != args.y) call.copy_rows(g.n * g.ho * g.wo, g.o, g.o, g.y_pitch, y, args.y);
}

inline int64_t no_moment_chunks(const ConvGeometry&, DType, const ConvMath&) { return 0; }

template <class Vendor>
void backward_input(const ConvBackwardInputArgs& args, KernelStream stream) {
  const ConvGeometry& g = args.geometry;
  const VendorConv c{g, args.dtype, Vendor::kMath};
  VendorCall<Vendor> call(c, ConvPass::kBackwardInput, args.workspace, stream);
  void* const dy = call.dense(args.dy, g.n * g.ho * g.wo, g.o, g.y_pitch, call.layout().y);
  void* const dx = g.x_pitch == g.c ? args.dx : call.at(call.layout().x);
  call.multiply(dx, call.filter(args.packed), dy);
  if (dx != args.dx) call.copy_rows(g.n * g.h * g.w, g.c, g.c, g.x_pitch, dx, args.dx);
}

template <class Vendor>
void backward_weight(const ConvBackwardWeightArgs& args, KernelStream stream) {
  const ConvGeometry& g = args.geometry;
  const VendorConv c{g, args.dtype, Vendor::kMath};
  VendorCall<Vendor> call(c, ConvPass::kBackwardWeight, args.workspace, stream);
  const Scratch<Vendor>& layout = call.layout();
  void* const x = call.dense(args.x, g.n * g.h * g.w, g.c, g.x_pitch, layout.x);
  void* const dy = call.dense(args.dy, g.n * g.ho * g.wo, g.o, g.y_pitch, layout.y);
  const bool halves = args.dtype != DType::kF32;
  // cuDNN gives [K][KH][KW][C] of the ordinary convolution, in the stored type.
  float* const filter = g.transposed ? static_cast<float*>(call.at(layout.w)) : args.dw;
  void* const stored = halves ? call.at(layout.w_halves) : filter;
  call.multiply(x, stored, dy);
  if (halves) Vendor::widen(args.dtype, stored, c.w_count(), filter, stream);
  if (g.transposed) {  // [C][KH][KW][O] -> [O][KH][KW][C]
    const ConvGeometry ordinary = Scratch<Vendor>::ordinary(g);
    const int64_t rows = g.o * g.kh * g.kw, bytes = Scratch<Vendor>::packed_gradient_bytes(c);
    void* const packed = call.at(layout.filter);
    Vendor::ebb().conv_pack.fn({ordinary, ConvPass::kBackwardInput, DType::kF32, filter, packed},
                               stream);
    Vendor::ebb().copy_rows.fn(
        {rows, rows, g.c, bytes / size_of(DType::kF32) / rows, g.c, DType::kF32, packed, args.dw},
        stream);
  }
  if (args.db == nullptr) return;
  void* const db = halves ? call.at(layout.bias) : args.db;
  Vendor::bias_gradient(c, dy, db, stream);
  if (halves) Vendor::widen(args.dtype, db, g.o, args.db, stream);
}

}  // namespace vendor

template <class Vendor>
KernelTable vendor_table() {
  KernelTable table = Vendor::ebb();
  table.conv_packed_bytes.fn = vendor::packed_bytes<Vendor>;
  table.conv_pack.fn = vendor::pack<Vendor>;
  table.conv_workspace_bytes.fn = vendor::workspace_bytes<Vendor>;
  table.conv_forward.fn = vendor::forward<Vendor>;
  table.conv_moment_chunks.fn = vendor::no_moment_chunks;
  table.conv_backward_input.fn = vendor::backward_input<Vendor>;
  table.conv_backward_weight.fn = vendor::backward_weight<Vendor>;
  return table;
}

}  // namespace ebb
