#include <string>

#include "engine/op.h"
#include "testing/catch.h"
#include "testing/contexts.h"
#include "testing/errors.h"
#include "testing/reference/softmax.h"
#include "testing/reference/timestep_embedding.h"
#include "testing/reference/upsample.h"
#include "testing/tensors.h"

namespace ebb {
namespace {

std::vector<Shape> infer(const OpDef& op, const OpAttrs& attrs, std::vector<Shape> inputs) {
  return op.infer(attrs, inputs);
}

std::string refusal(const OpDef& op, const OpAttrs& attrs, std::vector<Shape> inputs) {
  return test::message_of<ShapeError>([&] { infer(op, attrs, inputs); });
}

using Shapes = std::vector<Shape>;

TEST_CASE("conv infers the shapes of the networks' layers", "[engine]") {
  const auto conv = [](const ConvAttrs& attrs, const Shape& x, const Shape& w) {
    return infer(ops::kConv, attrs, {x, w, {w[0]}}).at(0);
  };
  CHECK(conv({3, 1, 1}, {5, 28, 28, 1}, {64, 3, 3, 1}) == Shape{5, 28, 28, 64});
  CHECK(conv({3, 2, 1}, {5, 28, 28, 64}, {64, 3, 3, 64}) == Shape{5, 14, 14, 64});
  CHECK(conv({3, 2, 1}, {5, 7, 7, 8}, {9, 3, 3, 8}) == Shape{5, 4, 4, 9});
  CHECK(conv({.kernel = 4, .stride = 2, .pad = 1, .transposed = true}, {5, 7, 7, 8},
             {4, 4, 4, 8}) == Shape{5, 14, 14, 4});
  CHECK(conv({.kernel = 7, .stride = 7, .pad = 0, .transposed = true}, {5, 1, 1, 8},
             {6, 7, 7, 8}) == Shape{5, 7, 7, 6});
  CHECK(conv({1, 1, 0}, {5, 10}, {64, 10}) == Shape{5, 64});
  CHECK(conv({1, 1, 0}, {5, 6, 6, 10}, {64, 1, 1, 10}) == Shape{5, 6, 6, 64});
  ConvAttrs packed{3, 1, 1};
  packed.packed_weight = true;
  packed.out_channels = 12;
  CHECK(infer(ops::kConv, packed, {{5, 8, 8, 4}, {999}, {12}}).at(0) == Shape{5, 8, 8, 12});
}

TEST_CASE("conv takes a residual of its output's shape or of a batch that divides it", "[engine]") {
  const ConvAttrs attrs{3, 1, 1};
  const auto with_residual = [&](const Shape& r) {
    return Shapes{{6, 8, 8, 4}, {5, 3, 3, 4}, {5}, r};
  };
  for (int64_t n : {6, 3, 2, 1}) {
    CHECK(infer(ops::kConv, attrs, with_residual({n, 8, 8, 5})).at(0) == Shape{6, 8, 8, 5});
  }
  for (const Shape& wrong : {Shape{4, 8, 8, 5}, Shape{0, 8, 8, 5}, Shape{6, 8, 8, 4},
                             Shape{6, 8, 7, 5}, Shape{6, 5}, Shape{12, 8, 8, 5}}) {
    CHECK(refusal(ops::kConv, attrs, with_residual(wrong)) ==
          "conv: residual " + to_string(wrong) + " for output [6, 8, 8, 5]");
  }
}

TEST_CASE("conv takes a scale and a shift per image and channel, behind the residual", "[engine]") {
  ConvAttrs attrs{3, 1, 1};
  const Shape x{6, 8, 8, 4}, w{5, 3, 3, 4}, b{5}, residual{6, 8, 8, 5};
  attrs.shifts = true;
  CHECK(infer(ops::kConv, attrs, {x, w, b, {2, 5}}).at(0) == residual);
  CHECK(infer(ops::kConv, attrs, {x, w, b, residual, {6, 5}}).at(0) == residual);
  CHECK(refusal(ops::kConv, attrs, {x, w, b}) ==
        "conv: got 3 inputs, expected x, w, b[, residual], shift");
  attrs.scales = true;
  CHECK(infer(ops::kConv, attrs, {x, w, b, {1, 5}, {3, 5}}).at(0) == residual);
  CHECK(infer(ops::kConv, attrs, {x, w, b, residual, {1, 5}, {3, 5}}).at(0) == residual);
  for (const Shape& wrong : {Shape{4, 5}, Shape{6, 4}, Shape{6, 1, 5}, Shape{0, 5}}) {
    CHECK_THAT(refusal(ops::kConv, attrs, {x, w, b, {6, 5}, wrong}),
               Catch::Matchers::Contains("conv: shift " + to_string(wrong) +
                                         " for output [6, 8, 8, 5], expected [6, 5]"));
  }
  CHECK_THAT(refusal(ops::kConv, attrs, {x, w, b, {6, 4}, {6, 5}}),
             Catch::Matchers::Contains("conv: scale [6, 4]"));
}

TEST_CASE("moments go from conv to batch norm in a shape of their own", "[engine]") {
  ConvAttrs attrs{3, 1, 1};
  attrs.moment_chunks = 7;
  const Shape x{6, 8, 8, 4}, c{4}, moments{7, 4, 4};
  CHECK(infer(ops::kConv, attrs, {x, {4, 3, 3, 4}, c}) == Shapes{x, moments});
  CHECK(infer(ops::kBatchNormTrain, BatchNormAttrs{}, {x, c, c, c, c, moments}) == Shapes{x, c, c});
  CHECK(refusal(ops::kBatchNormTrain, BatchNormAttrs{}, {x, c, c, c, c, {7, 5, 4}}) ==
        "batch_norm_train: moments [7, 5, 4] for input [6, 8, 8, 4]");
  CHECK(refusal(ops::kBatchNorm, BatchNormAttrs{}, {x, c, c, c, c, moments}) ==
        "batch_norm: got 6 inputs, expected 5");
}

TEST_CASE("an embedding gives a row of its table for every id", "[engine]") {
  CHECK(infer(ops::kEmbedding, {}, {{10, 64}, {5}}) == Shapes{{5, 64}});
  CHECK(infer(ops::kEmbedding, {}, {{10, 64}, {5, 7}}) == Shapes{{5, 7, 64}});
  CHECK(refusal(ops::kEmbedding, {}, {{10, 64}, {5, 1, 1}}) ==
        "embedding: ids [5, 1, 1], expected [N] or [N, L]");
  CHECK(refusal(ops::kEmbedding, {}, {{10}, {5}}) ==
        "embedding: table [10], expected [entries, C]");
}

TEST_CASE("a tensor is converted and outputs keep their input's type", "[engine]") {
  const auto context = test::cpu_context();
  const std::vector<float> values{1, -2.5f, 1.0f + 0x1p-8f + 0x1p-20f};
  const Tensor x = Tensor::from_host(*context, {3}, std::span<const float>(values));
  const std::vector<Tensor> inputs{x};
  const Tensor half = run_op(*context, ops::kConvert, ConvertAttrs{DType::kBF16}, inputs)[0];
  CHECK(half.dtype() == DType::kBF16);
  CHECK(half.to_host() == std::vector<float>{1, -2.5f, 1.0f + 0x1p-7f});
  const std::vector<Tensor> back{half};
  const Tensor y = run_op(*context, ops::kConvert, ConvertAttrs{DType::kF32}, back)[0];
  CHECK(y.dtype() == DType::kF32);
  CHECK(y.to_host() == half.to_host());
}

TEST_CASE("conv names what does not fit", "[engine]") {
  const ConvAttrs attrs{3, 1, 1};
  const Shape x{2, 8, 8, 4}, w{5, 3, 3, 4}, b{5};
  CHECK(refusal(ops::kConv, attrs, {x, w}) == "conv: got 2 inputs, expected x, w, b[, residual]");
  CHECK(refusal(ops::kConv, attrs, {x, {5, 3, 3, 3}, b}) ==
        "conv: weight [5, 3, 3, 3] for input [2, 8, 8, 4], expected [5, 3, 3, 4]");
  CHECK(refusal(ops::kConv, attrs, {x, {5, 5, 5, 4}, b}) ==
        "conv: weight [5, 5, 5, 4] for input [2, 8, 8, 4], expected [5, 3, 3, 4]");
  CHECK(refusal(ops::kConv, attrs, {x, {5, 4}, b}) ==
        "conv: weight [5, 4] for input [2, 8, 8, 4], expected [5, 3, 3, 4]");
  CHECK(refusal(ops::kConv, attrs, {x, w, {4}}) == "conv: bias [4], expected [5]");
  CHECK(refusal(ops::kConv, attrs, {x, w, {1, 5}}) == "conv: bias [1, 5], expected [5]");
  CHECK(refusal(ops::kConv, attrs, {{2, 8, 4}, w, b}) ==
        "conv: input [2, 8, 4], expected [N, H, W, C]");
  CHECK(refusal(ops::kConv, attrs, {{2, 4}, w, b}) == "conv: input [2, 4], expected [N, H, W, C]");
  CHECK(refusal(ops::kConv, attrs, {Shape(), w, b}) == "conv: input [], expected [N, H, W, C]");
  CHECK_THAT(refusal(ops::kConv, {ConvAttrs{3, 1, 0}}, {{2, 2, 2, 4}, w, b}),
             Catch::Matchers::Contains("leaves no output of a 2x2 input"));
}

TEST_CASE("batch norm keeps its input's shape and requires one value per channel", "[engine]") {
  const Shape x{2, 4, 4, 3}, c{3};
  CHECK(infer(ops::kBatchNorm, BatchNormAttrs{}, {x, c, c, c, c}) == Shapes{x});
  CHECK(infer(ops::kBatchNormTrain, BatchNormAttrs{}, {x, c, c, c, c}) == Shapes{x, c, c});
  for (size_t i = 1; i < 5; ++i) {
    Shapes inputs{x, c, c, c, c};
    inputs[i] = {4};
    const std::string rest =
        ": parameter " + std::to_string(i) + " has shape [4] for input [2, 4, 4, 3], expected [3]";
    CHECK(refusal(ops::kBatchNorm, BatchNormAttrs{}, inputs) == "batch_norm" + rest);
    CHECK(refusal(ops::kBatchNormTrain, BatchNormAttrs{}, inputs) == "batch_norm_train" + rest);
  }
  CHECK(refusal(ops::kBatchNorm, BatchNormAttrs{}, {x, c, c}) ==
        "batch_norm: got 3 inputs, expected 5");
  CHECK(refusal(ops::kBatchNorm, BatchNormAttrs{}, {Shape(), c, c, c, c}) ==
        "batch_norm: input [], expected [N, ..., C]");
}

TEST_CASE("folding batch norm keeps the shapes of weight and bias", "[engine]") {
  const Shape w{5, 3, 3, 4}, c{5};
  CHECK(infer(ops::kFoldBatchNorm, BatchNormAttrs{}, {w, c, c, c, c, c}) == Shapes{w, c});
  CHECK(refusal(ops::kFoldBatchNorm, BatchNormAttrs{}, {w, c, c, c, c}) ==
        "fold_batch_norm: got 5 inputs, expected 6");
  CHECK(refusal(ops::kFoldBatchNorm, BatchNormAttrs{}, {w, c, c, {4}, c, c}) ==
        "fold_batch_norm: parameter 3 has shape [4] for weight [5, 3, 3, 4], expected [5]");
}

TEST_CASE("activations keep their input's shape", "[engine]") {
  CHECK(infer(ops::kActivation, ActivationAttrs{}, {{2, 3, 4, 5}}) == Shapes{{2, 3, 4, 5}});
  CHECK(infer(ops::kActivation, ActivationAttrs{}, {{2, 3}}) == Shapes{{2, 3}});
  CHECK(refusal(ops::kActivation, ActivationAttrs{}, {{2, 3}, {2, 3}}) ==
        "activation: got 2 inputs, expected 1");
}

TEST_CASE("average pooling divides height and width", "[engine]") {
  CHECK(infer(ops::kAvgPool, PoolAttrs{7}, {{2, 7, 14, 5}}) == Shapes{{2, 1, 2, 5}});
  CHECK(refusal(ops::kAvgPool, PoolAttrs{7}, {{2, 7, 8, 5}}) ==
        "avg_pool: input [2, 7, 8, 5], expected [N, H, W, C] with H and W multiples of 7");
  CHECK(refusal(ops::kAvgPool, PoolAttrs{2}, {{2, 5}}) ==
        "avg_pool: input [2, 5], expected [N, H, W, C] with H and W multiples of 2");
  CHECK_THAT(refusal(ops::kAvgPool, PoolAttrs{0}, {{2, 4, 4, 5}}),
             Catch::Matchers::Contains("multiples of 0"));
  CHECK(refusal(ops::kAvgPool, PoolAttrs{2}, {}) == "avg_pool: got 0 inputs, expected 1");
}

TEST_CASE("average pooling over the whole image leaves vectors", "[engine]") {
  CHECK(infer(ops::kAvgPool, PoolAttrs{7, true}, {{2, 7, 7, 5}}) == Shapes{{2, 5}});
  CHECK(infer(ops::kAvgPool, PoolAttrs{7, true}, {{2, 7, 14, 5}}) == Shapes{{2, 5}});
  CHECK(infer(ops::kAvgPool, PoolAttrs{7, true}, {{2, 77, 5}}) == Shapes{{2, 5}});
  CHECK(infer(ops::kAvgPool, PoolAttrs{11}, {{2, 77, 5}}) == Shapes{{2, 7, 5}});
  CHECK(refusal(ops::kAvgPool, PoolAttrs{7, true}, {{2, 5}}) ==
        "avg_pool: input [2, 5], expected [N, H, W, C] or [N, tokens, C]");
}

TEST_CASE("scaling and shifting keeps a shape", "[engine]") {
  CHECK(infer(ops::kAffine, AffineAttrs{2, -1}, {{2, 3, 4, 5}}) == Shapes{{2, 3, 4, 5}});
}

TEST_CASE("a convolution may have other zeros below and to the right", "[engine]") {
  const ConvAttrs attrs{.kernel = 3, .stride = 2, .pad = 0, .end_pad = 1};
  CHECK(infer(ops::kConv, attrs, {{1, 8, 6, 5}, {4, 3, 3, 5}, {4}}) == Shapes{{1, 4, 3, 4}});
  CHECK(infer(ops::kConv, attrs, {{1, 2, 2, 5}, {4, 3, 3, 5}, {4}}) == Shapes{{1, 1, 1, 4}});
}

TEST_CASE("concat adds up channels and takes the largest batch", "[engine]") {
  CHECK(infer(ops::kConcat, {}, {{2, 7, 7, 3}, {2, 7, 7, 4}, {2, 7, 7, 1}}) ==
        Shapes{{2, 7, 7, 8}});
  CHECK(infer(ops::kConcat, {}, {{2, 7, 7, 3}, {6, 7, 7, 4}}) == Shapes{{6, 7, 7, 7}});
  CHECK(infer(ops::kConcat, {}, {{6, 3}, {2, 4}}) == Shapes{{6, 7}});
  CHECK(refusal(ops::kConcat, {}, {}) == "concat: no inputs");
  CHECK(refusal(ops::kConcat, {}, {{2, 7, 7, 3}, {2, 7, 6, 4}}) ==
        "concat: inputs [2, 7, 7, 3] and [2, 7, 6, 4] differ in more than batch and channels");
  CHECK(refusal(ops::kConcat, {}, {{2, 7, 7, 3}, {2, 4}}) ==
        "concat: inputs [2, 7, 7, 3] and [2, 4] differ in more than batch and channels");
  CHECK(refusal(ops::kConcat, {}, {{2, 7, 7, 3}, {5, 7, 7, 4}}) ==
        "concat: batch 2 does not divide batch 5");
  CHECK(refusal(ops::kConcat, {}, {{0, 3}, {2, 3}}) == "concat: batch 0 does not divide batch 2");
  CHECK(refusal(ops::kConcat, {}, {{3}, {2, 3}}) == "concat: input [3], expected [N, ..., C]");
}

TEST_CASE("add and multiply take one vector per image", "[engine]") {
  for (const OpDef* def : {&ops::kAdd, &ops::kMultiply}) {
    const OpDef& op = *def;
    const std::string name = op.name;
    CHECK(infer(op, {}, {{4, 7, 7, 3}, {4, 3}}) == Shapes{{4, 7, 7, 3}});
    CHECK(infer(op, {}, {{2, 7, 7, 3}, {4, 3}}) == Shapes{{4, 7, 7, 3}});
    CHECK(infer(op, {}, {{4, 7, 7, 3}, {1, 3}}) == Shapes{{4, 7, 7, 3}});
    CHECK(infer(op, {}, {{4, 3}, {4, 3}}) == Shapes{{4, 3}});
    CHECK(refusal(op, {}, {{4, 7, 7, 3}, {4, 2}}) ==
          name + ": operand [4, 2] for input [4, 7, 7, 3], expected [N, 3] or [4, 7, 7, 3]");
    CHECK(refusal(op, {}, {{4, 7, 7, 3}, {4, 1, 1, 3}}) ==
          name + ": operand [4, 1, 1, 3] for input [4, 7, 7, 3], expected [N, 3] or [4, 7, 7, 3]");
    CHECK(refusal(op, {}, {{4, 7, 7, 3}, {3, 3}}) == name + ": batch 3 does not divide batch 4");
    CHECK(refusal(op, {}, {{4, 7, 7, 3}, {3}}) == name + ": input [3], expected [N, ..., C]");
    CHECK(refusal(op, {}, {{4, 3}}) == name + ": got 1 inputs, expected 2");
  }
}

TEST_CASE("add and multiply take two of one shape, whose batches may differ", "[engine]") {
  for (const auto& [op, name] :
       {std::pair<const OpDef*, std::string>{&ops::kAdd, "add"}, {&ops::kMultiply, "multiply"}}) {
    CHECK(infer(*op, {}, {{4, 7, 7, 3}, {4, 7, 7, 3}}) == Shapes{{4, 7, 7, 3}});
    CHECK(infer(*op, {}, {{4, 7, 7, 3}, {2, 7, 7, 3}}) == Shapes{{4, 7, 7, 3}});
    CHECK(infer(*op, {}, {{1, 5, 3}, {4, 5, 3}}) == Shapes{{4, 5, 3}});
    CHECK(refusal(*op, {}, {{4, 7, 7, 3}, {4, 7, 6, 3}}) ==
          name + ": operand [4, 7, 6, 3] for input [4, 7, 7, 3], expected [N, 3] or [4, 7, 7, 3]");
    CHECK(refusal(*op, {}, {{4, 7, 7, 3}, {4, 49, 3}}) ==
          name + ": operand [4, 49, 3] for input [4, 7, 7, 3], expected [N, 3] or [4, 7, 7, 3]");
    CHECK(refusal(*op, {}, {{4, 3}, {4, 7, 7, 3}}) ==
          name + ": operand [4, 7, 7, 3] for input [4, 3], expected [N, 3] or [4, 3]");
    CHECK(refusal(*op, {}, {{4, 7, 7, 3}, {3, 7, 7, 3}}) ==
          name + ": batch 3 does not divide batch 4");
  }
}

TEST_CASE("the loss of two tensors of one shape is one number", "[engine]") {
  CHECK(infer(ops::kMseLoss, {}, {{4, 7, 7, 3}, {4, 7, 7, 3}}) == Shapes{{1}});
  CHECK(refusal(ops::kMseLoss, {}, {{4, 7, 7, 3}, {4, 7, 7, 1}}) ==
        "mse_loss: prediction [4, 7, 7, 3], target [4, 7, 7, 1]");
  CHECK(refusal(ops::kMseLoss, {}, {{4, 3}}) == "mse_loss: got 1 inputs, expected 2");
}

TEST_CASE("the cross entropy takes one row of logits and one of probabilities per image",
          "[engine]") {
  const OpDef& op = ops::kSoftmaxCrossEntropy;
  CHECK(infer(op, {}, {{4, 10}, {4, 10}}) == Shapes{{1}});
  CHECK(refusal(op, {}, {{4, 10}, {4, 9}}) ==
        "softmax_cross_entropy: logits [4, 10], target [4, 9]");
  CHECK(refusal(op, {}, {{4, 1, 1, 10}, {4, 10}}) ==
        "softmax_cross_entropy: logits [4, 1, 1, 10], expected [N, K]");
  CHECK(refusal(op, {}, {{4, 0}, {4, 0}}) ==
        "softmax_cross_entropy: logits [4, 0], expected [N, K]");
  CHECK(refusal(op, {}, {{4, 3}}) == "softmax_cross_entropy: got 1 inputs, expected 2");
}

TEST_CASE("a convolution without a bias has no input for one", "[engine]") {
  ConvAttrs attrs{1, 1, 0};
  attrs.reads_bias = false;
  CHECK(infer(ops::kConv, attrs, {{2, 4}, {5, 4}}) == Shapes{{2, 5}});
  CHECK(infer(ops::kConv, attrs, {{2, 3, 3, 4}, {5, 4}, {2, 3, 3, 5}}) == Shapes{{2, 3, 3, 5}});
  attrs.scales = true;
  CHECK(infer(ops::kConv, attrs, {{2, 3, 3, 4}, {5, 4}, {2, 5}}) == Shapes{{2, 3, 3, 5}});
  CHECK(refusal(ops::kConv, attrs, {{2, 4}, {5, 4}}) ==
        "conv: got 2 inputs, expected x, w[, residual], scale");
}

TEST_CASE("a convolution of one pixel takes rows of vectors", "[engine]") {
  const ConvAttrs attrs{1, 1, 0};
  CHECK(infer(ops::kConv, attrs, {{2, 7, 4}, {5, 4}, {5}}) == Shapes{{2, 7, 5}});
  CHECK(refusal(ops::kConv, attrs, {{2, 7, 4}, {5, 3}, {5}}) ==
        "conv: weight [5, 3] for input [2, 7, 4], expected [5, 1, 1, 4]");
}

TEST_CASE("a softmax keeps the shape", "[engine]") {
  CHECK(infer(ops::kSoftmax, {}, {{2, 3, 4}}) == Shapes{{2, 3, 4}});
  CHECK(refusal(ops::kSoftmax, {}, {{4}}) == "softmax: input [4], expected [N, ..., C] with C > 0");
  CHECK(refusal(ops::kSoftmax, {}, {{4, 0}}) ==
        "softmax: input [4, 0], expected [N, ..., C] with C > 0");
  CHECK(refusal(ops::kSoftmax, {}, {{4, 2}, {4, 2}}) == "softmax: got 2 inputs, expected 1");
}

TEST_CASE("a timestep embedding makes a vector of each time", "[engine]") {
  const TimestepAttrs attrs{.channels = 6};
  CHECK(infer(ops::kTimestepEmbedding, attrs, {{3}}) == Shapes{{3, 6}});
  CHECK(infer(ops::kTimestepEmbedding, attrs, {{3, 1}}) == Shapes{{3, 6}});
  CHECK(refusal(ops::kTimestepEmbedding, attrs, {{3, 2}}) ==
        "timestep_embedding: times [3, 2], expected [N] or [N, 1]");
  CHECK(refusal(ops::kTimestepEmbedding, TimestepAttrs{.channels = 3, .shift = 1}, {{3}}) ==
        "timestep_embedding: 3 channels with shift 1, expected at least 2 and half of them beyond "
        "the shift");
  CHECK(refusal(ops::kTimestepEmbedding, attrs, {}) ==
        "timestep_embedding: got 0 inputs, expected 1");
}

TEST_CASE("an upsampling repeats rows and columns of images", "[engine]") {
  CHECK(infer(ops::kUpsample, UpsampleAttrs{}, {{2, 3, 4, 5}}) == Shapes{{2, 6, 8, 5}});
  CHECK(refusal(ops::kUpsample, UpsampleAttrs{}, {{2, 5}}) ==
        "upsample: input [2, 5], expected [N, H, W, C]");
  CHECK(refusal(ops::kUpsample, UpsampleAttrs{.factor = 0}, {{2, 3, 4, 5}}) ==
        "upsample: factor 0, expected at least 1");
  CHECK(refusal(ops::kUpsample, UpsampleAttrs{}, {}) == "upsample: got 0 inputs, expected 1");
}

// Their kernels are compared in more shapes in tests/kernels.
TEST_CASE("operations of one input compute what their references do", "[engine]") {
  const auto context = test::cpu_context();
  test::RandomData random(3);
  const Tensor x = test::normal_tensor(*context, {2, 3, 2, 5}, random);
  const Tensor t = test::tensor_of(*context, {3, 1}, {0, 12.5f, 999});
  const auto run = [&](const OpDef& op, const OpAttrs& attrs, const Tensor& input) {
    return run_op(*context, op, attrs, std::vector<Tensor>{input}).front();
  };
  const auto doubles = [](const Tensor& tensor) { return test::to_double(tensor.to_host()); };
  const auto error = [](const Tensor& actual, const std::vector<double>& expected) {
    REQUIRE(actual.elements() == static_cast<int64_t>(expected.size()));
    return test::nmse(actual.to_host(), expected);
  };
  CHECK(error(run(ops::kSoftmax, {}, x), reference::softmax(5, doubles(x))) < 1e-12);
  CHECK(error(run(ops::kTimestepEmbedding, TimestepAttrs{.channels = 6, .sin_first = true}, t),
              reference::timestep_embedding({6, 10000, 0, true}, doubles(t))) < 1e-12);
  const UpsampleSize size{.n = 2, .h = 3, .w = 2, .ho = 9, .wo = 6, .c = 5};
  CHECK(error(run(ops::kUpsample, UpsampleAttrs{.factor = 3}, x),
              reference::upsample(Interpolation::kNearest, size, doubles(x))) == 0);
  CHECK_THROWS_AS(run(ops::kTimestepEmbedding, TimestepAttrs{.channels = 4},
                      Tensor::zeros(*context, {3}, DType::kI32)),
                  ShapeError);
}

TEST_CASE("every operation has a name of its own", "[engine]") {
  std::vector<std::string> names;
  for (const OpDef* op : {&ops::kConv,
                          &ops::kConvPack,
                          &ops::kBatchNorm,
                          &ops::kBatchNormTrain,
                          &ops::kFoldBatchNorm,
                          &ops::kActivation,
                          &ops::kAffine,
                          &ops::kAvgPool,
                          &ops::kConcat,
                          &ops::kSliceChannels,
                          &ops::kAdd,
                          &ops::kMultiply,
                          &ops::kGroupNorm,
                          &ops::kLayerNorm,
                          &ops::kRmsNorm,
                          &ops::kAttention,
                          &ops::kConvert,
                          &ops::kEmbedding,
                          &ops::kSoftmax,
                          &ops::kTimestepEmbedding,
                          &ops::kUpsample,
                          &ops::kMseLoss,
                          &ops::kLearnedRangeLoss,
                          &ops::kSoftmaxCrossEntropy}) {
    names.push_back(op->name);
  }
  CHECK(names == std::vector<std::string>{"conv",
                                          "conv_pack",
                                          "batch_norm",
                                          "batch_norm_train",
                                          "fold_batch_norm",
                                          "activation",
                                          "affine",
                                          "avg_pool",
                                          "concat",
                                          "slice_channels",
                                          "add",
                                          "multiply",
                                          "group_norm",
                                          "layer_norm",
                                          "rms_norm",
                                          "attention",
                                          "convert",
                                          "embedding",
                                          "softmax",
                                          "timestep_embedding",
                                          "upsample",
                                          "mse_loss",
                                          "learned_range_loss",
                                          "softmax_cross_entropy"});
}

TEST_CASE("an operation run at once allocates what it infers and leaves its inputs alone",
          "[engine]") {
  test::PoisonedContext poisoned;
  Context& context = poisoned.get();
  test::RandomData random(1);
  {
    const std::vector<Tensor> inputs{test::normal_tensor(context, {2, 3, 3, 2}, random),
                                     test::normal_tensor(context, {2, 3, 3, 5}, random)};
    const std::vector<float> before = inputs[0].to_host();
    const std::vector<Tensor> outputs = run_op(context, ops::kConcat, {}, inputs);
    REQUIRE(outputs.size() == 1);
    CHECK(outputs[0].shape() == Shape{2, 3, 3, 7});
    CHECK(test::compare_bits(outputs[0].channels(0, 2), inputs[0]) == "");
    CHECK(test::compare_bits(outputs[0].channels(2, 5), inputs[1]) == "");
    CHECK(inputs[0].to_host() == before);
  }
  CHECK(poisoned.allocator().stats().bytes_in_use == 0);
  CHECK(poisoned.allocator().damaged_blocks() == 0);
}

TEST_CASE("an operand of a smaller batch is read at image index modulo its batch", "[engine]") {
  const auto context = test::cpu_context();
  test::RandomData random(2);
  const Tensor x = test::normal_tensor(*context, {2, 3, 3, 4}, random);
  const Tensor wide = test::normal_tensor(*context, {6, 3, 3, 5}, random);
  const Tensor s = test::normal_tensor(*context, {6, 4}, random);
  const auto run = [&](const OpDef& op, const std::vector<Tensor>& inputs) {
    return run_op(*context, op, {}, inputs).front();
  };
  const Tensor joined = run(ops::kConcat, {x, wide});
  const Tensor sum = run(ops::kAdd, {x, s}), product = run(ops::kMultiply, {x, s});
  for (int64_t n = 0; n < 6; ++n) {
    const Tensor xn = test::images(x, n % 2, 1), sn = test::images(s, n, 1);
    INFO("image " << n);
    CHECK(test::compare_bits(test::images(joined, n, 1),
                             run(ops::kConcat, {xn, test::images(wide, n, 1)})) == "");
    CHECK(test::compare_bits(test::images(sum, n, 1), run(ops::kAdd, {xn, sn})) == "");
    CHECK(test::compare_bits(test::images(product, n, 1), run(ops::kMultiply, {xn, sn})) == "");
  }
  const Tensor residual = test::normal_tensor(*context, {6, 3, 3, 4}, random);
  const Tensor added = run(ops::kAdd, {x, residual}), added_to = run(ops::kAdd, {residual, x});
  CHECK(test::compare_bits(added, added_to) == "");
  CHECK(test::compare_bits(test::images(added, 5, 1),
                           run(ops::kAdd, {test::images(x, 1, 1), test::images(residual, 5, 1)})) ==
        "");
  const Tensor one = test::normal_tensor(*context, {1, 4}, random);
  const Tensor shifted = run(ops::kAdd, {x, one});
  CHECK(test::compare_bits(test::images(shifted, 1, 1),
                           run(ops::kAdd, {test::images(x, 1, 1), one})) == "");
}

}  // namespace
}  // namespace ebb
