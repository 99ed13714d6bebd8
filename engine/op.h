#pragma once

#include <span>
#include <string>
#include <variant>
#include <vector>

#include "engine/tensor.h"
#include "kernels/conv/conv.h"
#include "kernels/spatial/upsample.h"

namespace ebb {

struct ConvAttrs {
  int64_t kernel = 3, stride = 1, pad = 1;
  bool transposed = false;
  Activation activation = Activation::kNone;
  bool packed_weight = false;           // input 1 comes from kConvPack and has no shape of its own
  int64_t out_channels = 0;             // used when packed_weight
  DType weight_dtype = DType::kF32;     // as in ConvGeometry
  bool reads_bias = true;               // false: there is no input b
  bool scales = false, shifts = false;  // whether the inputs end with a scale, a shift, [N, O]
  int64_t moment_chunks = 0;            // of the second output; 0: there is none
  int64_t end_pad = -1;                 // zeros below and to the right; -1: as pad
};
struct ConvPackAttrs {
  ConvGeometry geometry;
  DType dtype = DType::kF32;  // of the images
  int64_t bytes = 0;
};
struct BatchNormAttrs {
  float eps = 1e-5f, momentum = 0.1f;
  Activation activation = Activation::kNone;
};
struct ActivationAttrs {
  Activation activation = Activation::kGelu;
};
struct SliceAttrs {
  int64_t first = 0, count = 0;
};
struct PoolAttrs {
  int64_t kernel = 1;  // of images kernel x kernel, of tokens [N, tokens, C] so many of them
  bool flat = false;   // the window is the whole image or all tokens: y is [N, C]
};
struct AffineAttrs {
  float scale = 1, shift = 0;
};
struct GroupNormAttrs {
  int64_t groups = 32;
  float eps = 1e-5f;
  Activation activation = Activation::kNone;
  bool scales = false, shifts = false;  // whether the inputs end with a scale, a shift, [N, C]
};
struct LayerNormAttrs {
  float eps = 1e-5f;
};
struct RmsNormAttrs {
  float eps = 1e-6f;
};
struct AttentionAttrs {
  int64_t heads = 1;
  float scale = 0;     // of the products; 0: 1 / sqrt(numbers per head)
  bool extra = false;  // whether extra_k and extra_v follow v
  bool bias = false;   // whether the inputs end with a bias, one for all images or one each
};
struct TimestepAttrs {  // kernels/embedding/embedding.h
  int64_t channels = 0;
  double max_period = 10000, shift = 0;
  bool sin_first = false;
};
struct UpsampleAttrs {
  int64_t factor = 2;
  Interpolation interpolation = Interpolation::kNearest;
};
struct ConvertAttrs {
  DType dtype = DType::kF32;
};
struct LearnedRangeAttrs {
  float vlb_weight = 1;  // of the variational bound
};
using OpAttrs = std::variant<std::monostate, ConvAttrs, ConvPackAttrs, BatchNormAttrs,
                             ActivationAttrs, PoolAttrs, SliceAttrs, GroupNormAttrs, LayerNormAttrs,
                             RmsNormAttrs, AttentionAttrs, TimestepAttrs, UpsampleAttrs,
                             ConvertAttrs, AffineAttrs, LearnedRangeAttrs>;

struct OpCall {
  const OpAttrs& attrs;
  std::span<const Tensor> inputs;
  std::span<const Tensor> outputs;
  void* workspace;  // workspace_bytes, 64-byte aligned
};

struct Uncopied {
  Uncopied() = default;
  Uncopied(const Uncopied&) = delete;
  Uncopied& operator=(const Uncopied&) = delete;
};

// An operation is its definition: what the engine knows of it. Shapes are NHWC; vectors are [N, C].
//
// Batches may differ: an operand with batch B next to one with batch k*B is read at image index
// modulo B. So the branches of a guided step share what does not depend on the branch.
struct OpDef {
  const char* name;
  // Output shapes; ShapeError says what was expected and found.
  std::vector<Shape> (*infer)(const OpAttrs& attrs, std::span<const Shape> inputs);
  // Scratch for one run with input 0 in this type; null when none is needed.
  int64_t (*workspace_bytes)(const Context& context, const OpAttrs& attrs,
                             std::span<const Shape> inputs, DType dtype);
  void (*run)(Context& context, const OpCall& call);
  // The type of output 0 for that of input 0; null: the same. Further outputs are f32.
  DType (*output_dtype)(const OpAttrs& attrs, DType input) = nullptr;
  bool reads_pitched = false;   // inputs may be channel ranges of a wider tensor
  bool writes_pitched = false;  // so may outputs

  // The operation that takes its place while a network is trained; null: itself.
  const OpDef* in_training = nullptr;
  // The attributes with which, in training, it also gives the moments of output 0 as its second
  // output, where its kernels can; null: it never does.
  OpAttrs (*attrs_with_moments)(const Context& context, const OpAttrs& attrs,
                                std::span<const Tensor> inputs) = nullptr;
  // Whether the moments of input 0, where its producer gave some, follow the other inputs.
  bool takes_moments = false;

  [[no_unique_address]] Uncopied identity = {};  // compared by address
};

// Every operation a network is made of, each in engine/ops/. Gradients are in
// nn/autograd/grad_rules.cc.
namespace ops {
extern const OpDef kConv;            // x, w[, b][, residual][, scale][, shift] -> y[, moments of y]
extern const OpDef kConvPack;        // w -> packed weights, an opaque buffer
extern const OpDef kBatchNorm;       // x, gamma, beta, running_mean, running_var -> y
extern const OpDef kBatchNormTrain;  // same inputs[, moments of x]; updates the running statistics
                                     //   -> y, mean, rstd
extern const OpDef kFoldBatchNorm;   // w, b, gamma, beta, running_mean, running_var -> w', b'
extern const OpDef kActivation;      // x -> y
extern const OpDef kAffine;          // x -> y = scale * x + shift
extern const OpDef kAvgPool;         // x -> y
extern const OpDef kConcat;          // a, b, ... -> y, along channels
extern const OpDef kSliceChannels;   // x -> y, a range of channels
extern const OpDef kAdd;             // x, s -> y; s is a vector per image or as large as x
extern const OpDef kMultiply;        // the same
extern const OpDef kGroupNorm;       // x, weight, bias[, scale][, shift] -> y, mean, rstd
extern const OpDef kLayerNorm;       // x[, weight[, bias]] -> y, mean, rstd
extern const OpDef kRmsNorm;         // x, weight -> y, rstd
extern const OpDef kAttention;       // q, k, v[, extra_k, extra_v][, bias] -> o, lse
extern const OpDef kConvert;         // x -> y, the same numbers in another type
extern const OpDef kEmbedding;       // table, ids -> y, rows of the table
extern const OpDef kSoftmax;         // x -> y, over the last axis
extern const OpDef kTimestepEmbedding;    // t, f32 -> y, f32: sines and cosines
extern const OpDef kUpsample;             // x -> y, enlarged images
extern const OpDef kMseLoss;              // prediction, target -> loss [1]
extern const OpDef kLearnedRangeLoss;     // prediction, noise, images, steps -> loss [1]
extern const OpDef kSoftmaxCrossEntropy;  // logits, target -> loss [1]
}  // namespace ops

// The type of output 0 for that of input 0.
DType first_output_dtype(const OpDef& def, const OpAttrs& attrs, DType input);

// Allocates outputs and workspace and runs one operation now.
std::vector<Tensor> run_op(Context& context, const OpDef& op, const OpAttrs& attrs,
                           std::span<const Tensor> inputs);

// The tensor in another floating-point type; the same tensor where it has that type.
Tensor to_dtype(Context& context, const Tensor& x, DType dtype);

// ShapeError "<op>: got <n> inputs, expected <expected>".
void check_input_count(const char* op, size_t got, size_t expected);
// The batch of an operation whose operands have these batches: the largest, which all must divide.
int64_t common_batch(const char* op, std::span<const Shape> inputs);
// Product of all dimensions but the last.
int64_t row_count(const Shape& shape);
// H * W of an image, 1 of a vector.
int64_t pixel_count(const Shape& shape);

}  // namespace ebb
