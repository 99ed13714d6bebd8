#include "nn/classifier_mnist.h"

#include "nn/layers.h"

namespace ebb {

Value classifier_mnist(Ops& ops, const ClassifierMnistConfig& config, Value x) {
  const int64_t d = config.hidden;
  const Scope s;
  const Shape image = ops.shape(x);
  EBB_CHECK(image == Shape({image[0], 28, 28, 1}), ShapeError, "mnist_classifier: input x ", image,
            ", expected [N, 28, 28, 1]");
  const Value a = down_conv(ops, s / "down1", x, d);       // [N, 14, 14,  d]
  const Value b = conv(ops, s / "conv1", a, 2 * d);        // [N, 14, 14, 2d]
  const Value c = down_conv(ops, s / "down2", b, 4 * d);   // [N,  7,  7, 4d]
  const Value e = conv(ops, s / "conv2", c, 4 * d);        // [N,  7,  7, 4d]
  const Value g = down_conv(ops, s / "down3", e, 4 * d);   // [N,  4,  4, 4d]
  const Value f = ops.global_avg_pool(s / "features", g);  // [N, 4d]
  ops.mark_output(s / "features", f);
  const Value logits = ops.linear(s / "classifier", f, config.classes);  // [N, classes]
  ops.mark_output(s / "output", logits);
  return logits;
}

}  // namespace ebb
