#include "nn/unet_mnist.h"

#include "nn/layers.h"

namespace ebb {
namespace {

// Modulates h [N, H, W, C] by the time and class vectors of one level, names "time1", "class1".
Value condition(Ops& ops, const UnetMnistConfig& config, const std::string& level, Value h,
                std::optional<Value> t, std::optional<Value> c) {
  if (config.conditioning == Conditioning::kNone) return h;
  const Scope time("time" + level), fused("condition" + level);
  const int64_t channels = ops.shape(h).back();
  const Value time_vector = fc_block(ops, time, *t, channels);  // [N, C]
  if (config.conditioning == Conditioning::kTime) {
    return config.time_fusion == TimeFusion::kAdd ? ops.add(fused, h, time_vector)
                                                  : ops.multiply(fused, h, time_vector);
  }
  const Value class_vector = fc_block(ops, Scope("class" + level), *c, channels);  // [N, C]
  return ops.add(fused, ops.multiply(fused, h, class_vector), time_vector);
}

}  // namespace

Value unet_mnist(Ops& ops, const UnetMnistConfig& config, Value x, std::optional<Value> t,
                 std::optional<Value> c) {
  const int64_t d = config.hidden;
  const Scope s;
  const Shape image = ops.shape(x);
  EBB_CHECK(image == Shape({image[0], 28, 28, 1}), ShapeError, "mnist_unet: input x ", image,
            ", expected [N, 28, 28, 1]");
  const Value e0 = conv_block(ops, s / "init_conv", x, d);   // [N, 28, 28,  d]
  const Value e1 = down_block(ops, s / "down1", e0, d);      // [N, 14, 14,  d]
  const Value e2 = down_block(ops, s / "down2", e1, 2 * d);  // [N,  7,  7, 2d]
  const Value f = flatten(ops, s / "flatten", e2);           // [N,  1,  1, 2d]
  const Value z = unflatten(ops, s / "unflatten", f);        // [N,  7,  7, 2d]
  const Value zc = condition(ops, config, "1", z, t, c);     // [N,  7,  7, 2d]
  const Value u1 =                                           // [N, 14, 14,  d]
      up_block(ops, s / "up1", ops.concat(s / "up1", {e2, zc}), d);
  const Value u1c = condition(ops, config, "2", u1, t, c);  // [N, 14, 14,  d]
  const Value u2 =                                          // [N, 28, 28,  d]
      up_block(ops, s / "up2", ops.concat(s / "up2", {e1, u1c}), d);
  const Value h =  // [N, 28, 28,  d]
      conv_block(ops, s / "out_conv", ops.concat(s / "out_conv", {e0, u2}), d);
  const Value y = ops.conv2d(s / "out", h, 1, 3, 1, 1);  // [N, 28, 28,  1]
  ops.mark_output(s / "output", y);
  return y;
}

}  // namespace ebb
