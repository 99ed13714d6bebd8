#include <string>

#include "engine/op.h"
#include "testing/catch.h"
#include "testing/contexts.h"
#include "testing/errors.h"
#include "testing/tensors.h"

// Normalization, attention and the hybrid loss as operations; the others are in ops_test.cc.
namespace ebb {
namespace {

std::vector<Shape> infer(const OpDef& op, const OpAttrs& attrs, std::vector<Shape> inputs) {
  return op.infer(attrs, inputs);
}

std::string refusal(const OpDef& op, const OpAttrs& attrs, std::vector<Shape> inputs) {
  return test::message_of<ShapeError>([&] { infer(op, attrs, inputs); });
}

using Shapes = std::vector<Shape>;

TEST_CASE("group norm requires groups that divide the channels and vectors per channel",
          "[engine]") {
  const Shape x{2, 4, 5, 6}, c{6};
  GroupNormAttrs attrs{.groups = 3};
  CHECK(infer(ops::kGroupNorm, attrs, {x, c, c}) == Shapes{x, {2, 3}, {2, 3}});
  CHECK(infer(ops::kGroupNorm, attrs, {{2, 6}, c, c}) == Shapes{{2, 6}, {2, 3}, {2, 3}});
  CHECK(refusal(ops::kGroupNorm, attrs, {x, c}) ==
        "group_norm: got 2 inputs, expected x, weight, bias");
  CHECK(refusal(ops::kGroupNorm, attrs, {{2, 4, 5, 8}, {8}, {8}}) ==
        "group_norm: input [2, 4, 5, 8], expected [N, ..., C] with C a multiple of 3 groups");
  CHECK(refusal(ops::kGroupNorm, attrs, {{6}, c, c}) ==
        "group_norm: input [6], expected [N, ..., C] with C a multiple of 3 groups");
  CHECK_THAT(refusal(ops::kGroupNorm, GroupNormAttrs{.groups = 0}, {x, c, c}),
             Catch::Matchers::Contains("multiple of 0 groups"));
  CHECK(refusal(ops::kGroupNorm, attrs, {x, {5}, c}) ==
        "group_norm: weight [5] for input [2, 4, 5, 6], expected [6]");
  CHECK(refusal(ops::kGroupNorm, attrs, {x, c, {1, 6}}) ==
        "group_norm: bias [1, 6] for input [2, 4, 5, 6], expected [6]");
  attrs.shifts = true;
  CHECK(infer(ops::kGroupNorm, attrs, {x, c, c, {2, 6}}).at(0) == x);
  CHECK(refusal(ops::kGroupNorm, attrs, {x, c, c}) ==
        "group_norm: got 3 inputs, expected x, weight, bias, shift");
  CHECK(refusal(ops::kGroupNorm, attrs, {x, c, c, {2, 5}}) ==
        "group_norm: shift [2, 5] for input [2, 4, 5, 6], expected [N, 6]");
  attrs.scales = true;
  CHECK(infer(ops::kGroupNorm, attrs, {x, c, c, {2, 6}, {4, 6}}) ==
        Shapes{{4, 4, 5, 6}, {4, 3}, {4, 3}});
  CHECK(refusal(ops::kGroupNorm, attrs, {x, c, c, x, {2, 6}}) ==
        "group_norm: scale [2, 4, 5, 6] for input [2, 4, 5, 6], expected [N, 6]");
  CHECK(refusal(ops::kGroupNorm, attrs, {x, c, c, {3, 6}, {2, 6}}) ==
        "group_norm: batch 2 does not divide batch 3");
}

TEST_CASE("layer norm and rms norm take rows of any rank", "[engine]") {
  const Shape x{2, 5, 6}, c{6};
  for (const Shapes& inputs : {Shapes{x}, Shapes{x, c}, Shapes{x, c, c}}) {
    CHECK(infer(ops::kLayerNorm, LayerNormAttrs{}, inputs) == Shapes{x, {10}, {10}});
  }
  CHECK(refusal(ops::kLayerNorm, LayerNormAttrs{}, {x, c, c, c}) ==
        "layer_norm: got 4 inputs, expected x[, weight[, bias]]");
  CHECK(refusal(ops::kLayerNorm, LayerNormAttrs{}, {c, c}) ==
        "layer_norm: input [6], expected [N, ..., C]");
  CHECK(refusal(ops::kLayerNorm, LayerNormAttrs{}, {x, {5}}) ==
        "layer_norm: weight [5] for input [2, 5, 6], expected [6]");
  CHECK(refusal(ops::kLayerNorm, LayerNormAttrs{}, {x, c, {5}}) ==
        "layer_norm: bias [5] for input [2, 5, 6], expected [6]");
  CHECK(infer(ops::kRmsNorm, RmsNormAttrs{}, {x, c}) == Shapes{x, {10}});
  CHECK(refusal(ops::kRmsNorm, RmsNormAttrs{}, {x}) == "rms_norm: got 1 inputs, expected 2");
  CHECK(refusal(ops::kRmsNorm, RmsNormAttrs{}, {c, c}) ==
        "rms_norm: input [6], expected [N, ..., C]");
  CHECK(refusal(ops::kRmsNorm, RmsNormAttrs{}, {x, {5}}) ==
        "rms_norm: weight [5] for input [2, 5, 6], expected [6]");
}

TEST_CASE("attention gives a token for every query, from keys of the same width", "[engine]") {
  AttentionAttrs attrs{.heads = 2};
  const Shape q{2, 4, 4, 6}, k{2, 5, 6};
  CHECK(infer(ops::kAttention, attrs, {q, q, q}) == Shapes{q, {2, 2, 16}});
  CHECK(infer(ops::kAttention, attrs, {q, k, k}) == Shapes{q, {2, 2, 16}});
  CHECK(infer(ops::kAttention, attrs, {k, {6, 7, 6}, {6, 7, 6}}).at(0) == Shape{6, 5, 6});
  CHECK(refusal(ops::kAttention, attrs, {q, k}) == "attention: got 2 inputs, expected q, k, v");
  CHECK(refusal(ops::kAttention, attrs, {{2, 6}, k, k}) ==
        "attention: q [2, 6], expected [N, tokens, C]");
  CHECK(refusal(ops::kAttention, AttentionAttrs{.heads = 4}, {q, k, k}) ==
        "attention: q [2, 4, 4, 6], expected a multiple of 4 heads, of at most 512 numbers each");
  CHECK_THAT(refusal(ops::kAttention, attrs, {{2, 5, 1026}, {2, 5, 1026}, {2, 5, 1026}}),
             Catch::Matchers::Contains("at most 512"));
  CHECK(refusal(ops::kAttention, attrs, {q, {2, 5, 8}, k}) ==
        "attention: k [2, 5, 8], expected [N, tokens, 6]");
  CHECK(refusal(ops::kAttention, attrs, {q, k, {2, 4, 6}}) ==
        "attention: v [2, 4, 6], expected [2, 5, 6] as k");
  CHECK(refusal(ops::kAttention, attrs, {q, {3, 5, 6}, {3, 5, 6}}) ==
        "attention: batch 2 does not divide batch 3");
  attrs.bias = true;
  CHECK(infer(ops::kAttention, attrs, {q, k, k, {2, 16, 5}}).at(0) == q);
  CHECK(refusal(ops::kAttention, attrs, {q, k, k, {2, 5, 16}}) ==
        "attention: bias [2, 5, 16], expected [2, 16, 5]");
  CHECK(infer(ops::kAttention, attrs, {q, k, k, {6, 2, 16, 5}}).at(0) == Shape{6, 4, 4, 6});
  CHECK(refusal(ops::kAttention, attrs, {q, k, k, {2, 2, 5, 16}}) ==
        "attention: bias [2, 2, 5, 16], expected [2, 16, 5]");
  CHECK(refusal(ops::kAttention, attrs, {q, k, k, {3, 2, 16, 5}}) ==
        "attention: batch 2 does not divide batch 3");
  attrs.extra = true;
  CHECK(infer(ops::kAttention, attrs, {q, k, k, {2, 3, 6}, {2, 3, 6}, {2, 16, 8}}).at(0) == q);
  CHECK(refusal(ops::kAttention, attrs, {q, k, k, {2, 3, 6}}) ==
        "attention: got 4 inputs, expected q, k, v, extra_k, extra_v, bias");
  CHECK(refusal(ops::kAttention, attrs, {q, k, k, {2, 3, 5}, {2, 3, 6}, {2, 16, 8}}) ==
        "attention: extra_k [2, 3, 5], expected [N, tokens, 6]");
  CHECK(refusal(ops::kAttention, attrs, {q, k, k, {2, 3, 6}, {2, 4, 6}, {2, 16, 8}}) ==
        "attention: extra_v [2, 4, 6], expected [2, 3, 6] as extra_k");
}

TEST_CASE("normalization and attention of smaller batches repeat them", "[engine]") {
  const auto context = test::cpu_context();
  test::RandomData random(3);
  const auto normal = [&](const Shape& shape) {
    return test::normal_tensor(*context, shape, random);
  };
  const auto run = [&](const OpDef& op, const OpAttrs& attrs, const std::vector<Tensor>& inputs) {
    return run_op(*context, op, attrs, inputs);
  };
  const auto image = [](const Tensor& t, int64_t n) {
    return test::images(t, n % t.shape()[0], 1);
  };
  const GroupNormAttrs norm{.groups = 2, .scales = true, .shifts = true};
  const Tensor x = normal({4, 3, 2, 6}), weight = normal({6}), bias = normal({6});
  const Tensor scale = normal({2, 6}), shift = normal({12, 6});
  const std::vector<Tensor> normed = run(ops::kGroupNorm, norm, {x, weight, bias, scale, shift});
  const AttentionAttrs attrs{.heads = 2, .extra = true, .bias = true};
  const Tensor q = normal({2, 5, 6}), k = normal({4, 3, 6}), v = normal({4, 3, 6});
  const Tensor extra_k = normal({1, 2, 6}), extra_v = normal({1, 2, 6}), mask = normal({2, 5, 5});
  const std::vector<Tensor> attended =
      run(ops::kAttention, attrs, {q, k, v, extra_k, extra_v, mask});
  for (int64_t n = 0; n < 12; ++n) {
    INFO("image " << n);
    const std::vector<Tensor> one =
        run(ops::kGroupNorm, norm, {image(x, n), weight, bias, image(scale, n), image(shift, n)});
    for (size_t i = 0; i < one.size(); ++i) {
      CHECK(test::compare_bits(image(normed[i], n), one[i]) == "");
    }
    if (n >= 4) continue;
    const std::vector<Tensor> tokens = run(
        ops::kAttention, attrs, {image(q, n), image(k, n), image(v, n), extra_k, extra_v, mask});
    for (size_t i = 0; i < tokens.size(); ++i) {
      CHECK(test::compare_bits(image(attended[i], n), tokens[i]) == "");
    }
  }
}

TEST_CASE("the hybrid loss requires twice the channels and a step an image", "[engine]") {
  const LearnedRangeAttrs range;
  const Shape image{2, 4, 4, 3}, steps{2, 4};
  CHECK(infer(ops::kLearnedRangeLoss, range, {{2, 4, 4, 6}, image, image, steps}) == Shapes{{1}});
  CHECK(refusal(ops::kLearnedRangeLoss, range, {image, image, image, steps}) ==
        "learned_range_loss: prediction [2, 4, 4, 3], noise [2, 4, 4, 3], images [2, 4, 4, 3]");
  CHECK(refusal(ops::kLearnedRangeLoss, range, {{2, 4, 4, 6}, image, image, {2, 3}}) ==
        "learned_range_loss: steps [2, 3] for 2 images");
  CHECK(refusal(ops::kLearnedRangeLoss, range, {{2, 4, 4, 6}, image, image}) ==
        "learned_range_loss: got 3 inputs, expected 4");
}

TEST_CASE("attention adds to each image its own bias", "[engine]") {
  const auto context = test::cpu_context();
  test::RandomData random(4);
  const int64_t biases = GENERATE(1, 2, 4);
  const AttentionAttrs attrs{.heads = 2, .bias = true};
  const Tensor q = test::normal_tensor(*context, {4, 5, 6}, random);
  const Tensor k = test::normal_tensor(*context, {2, 3, 6}, random);
  const Tensor bias = test::normal_tensor(*context, {biases, 2, 5, 3}, random);
  const std::vector<Tensor> all =
      run_op(*context, ops::kAttention, attrs, std::vector<Tensor>{q, k, k, bias});
  for (int64_t n = 0; n < 4; ++n) {
    INFO("image " << n << " of 4, " << biases << " biases");
    const Tensor keys = test::images(k, n % 2, 1);
    const Tensor own = test::images(bias, n % biases, 1).reshape({2, 5, 3});
    const std::vector<Tensor> one =
        run_op(*context, ops::kAttention, attrs,
               std::vector<Tensor>{test::images(q, n, 1), keys, keys, own});
    for (size_t i = 0; i < one.size(); ++i) {
      CHECK(test::compare_bits(test::images(all[i], n, 1), one[i]) == "");
    }
  }
}

}  // namespace
}  // namespace ebb
