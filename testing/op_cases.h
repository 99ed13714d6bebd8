#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "kernels/attention/attention.h"
#include "kernels/conv/conv.h"
#include "kernels/norm/group_norm.h"
#include "kernels/spatial/upsample.h"

// One table of the shapes that the kernel tests and bench_kernels run. What a row costs at least is
// in testing/op_roofline.h.
namespace ebb {

// kEdge    at the edges of tiles and small enough for a loop in double precision: tests
// kUnet    the class UNet with D = 64, batches of 128
// kPublic  sizes of published networks: DeepFloyd IF (C, G, A), its text encoder (M), the MNIST
//          UNet with D = 128 (T, B)
enum class CaseSet { kEdge, kUnet, kPublic };

struct ConvShape {
  const char* name;
  int64_t n, h, w, c, o, kh, kw, stride, pad;
  bool transposed = false;
  int64_t x_gap = 0, y_gap = 0;  // elements between pixels beyond c and o
  int64_t end_pad = -1;          // below and to the right; -1: as pad

  ConvGeometry geometry() const {
    ConvGeometry g = conv_geometry(n, h, w, c, o, kh, kw, stride, pad, transposed, end_pad);
    g.x_pitch += x_gap;
    g.y_pitch += y_gap;
    return g;
  }
};

// Ragged against every tile: channels around 1, 8, 16, 64; images smaller than a strip; strides
// that leave rows unread; phases without taps.
inline constexpr ConvShape kEdgeConvs[] = {
    {"first layer", 2, 28, 28, 1, 64, 3, 3, 1, 1},
    {"last layer", 2, 28, 28, 64, 1, 3, 3, 1, 1},
    {"two outputs, pitched", 3, 7, 9, 32, 2, 3, 3, 1, 1, false, 5, 3},
    {"one output, strided", 2, 7, 5, 16, 1, 3, 3, 2, 1},
    {"one output, transposed", 2, 5, 3, 16, 1, 4, 4, 2, 1, true},
    {"one output, narrow input", 2, 5, 3, 7, 1, 3, 3, 1, 1},
    {"one to one", 3, 5, 3, 1, 1, 3, 3, 1, 1},
    {"5 to 6", 1, 5, 3, 5, 6, 3, 3, 1, 1},
    {"7 to 17, pitched", 3, 7, 7, 7, 17, 3, 3, 1, 1, false, 2, 7},
    {"13 to 10, wide image", 2, 28, 5, 13, 10, 3, 3, 1, 1},
    {"3 to 24, one pixel", 2, 1, 1, 3, 24, 3, 3, 1, 1},
    {"64 to 64", 5, 14, 14, 64, 64, 3, 3, 1, 1},
    {"64 to 80, pitched", 9, 7, 7, 64, 80, 3, 3, 1, 1, false, 64, 16},
    {"48 to 32, odd sides", 3, 9, 13, 48, 32, 3, 3, 1, 1, false, 16, 0},
    {"16 to 96, no pad", 2, 8, 7, 16, 96, 3, 3, 1, 0},
    {"32 to 16, pad 2", 2, 5, 8, 32, 16, 3, 3, 1, 2},
    {"40 to 104, odd sides", 3, 9, 13, 40, 104, 3, 3, 1, 1},
    {"16 to 48, many pixels", 2, 25, 26, 16, 48, 3, 3, 1, 1, false, 0, 5},
    {"224 to 240", 2, 5, 7, 224, 240, 3, 3, 1, 1},
    {"strided", 2, 14, 14, 32, 64, 3, 3, 2, 1},
    {"strided, odd sides", 3, 7, 5, 10, 13, 3, 3, 2, 1, false, 1, 0},
    {"strided, one pad below", 2, 8, 6, 32, 64, 3, 3, 2, 0, false, 0, 0, 1},
    {"strided, one pad below, ragged", 3, 6, 10, 7, 13, 3, 3, 2, 0, false, 0, 3, 1},
    {"strided, one pad below, 2x2", 2, 2, 2, 16, 48, 3, 3, 2, 0, false, 0, 0, 1},
    {"rows never read", 2, 8, 9, 6, 5, 3, 3, 4, 0},
    {"1x1", 2, 7, 7, 10, 6, 1, 1, 1, 0},
    {"1x1 strided", 2, 7, 6, 10, 33, 1, 1, 2, 0},
    {"linear", 130, 1, 1, 24, 128, 1, 1, 1, 0},
    {"linear of one feature", 37, 1, 1, 1, 64, 1, 1, 1, 0},
    {"linear of 13 features, pitched", 5, 1, 1, 13, 3, 1, 1, 1, 0, false, 4, 2},
    {"transposed 4x4 s2", 3, 7, 7, 12, 10, 4, 4, 2, 1, true},
    {"transposed 4x4 s2, wide, pitched", 2, 7, 5, 64, 72, 4, 4, 2, 1, true, 3, 56},
    {"transposed 4x4 s2, 32 to 48, pitched", 3, 8, 11, 32, 48, 4, 4, 2, 1, true, 5, 16},
    {"transposed 4x4 s2, no pad", 2, 9, 8, 16, 32, 4, 4, 2, 0, true},
    {"4x4 s2, odd sides, pitched", 3, 17, 23, 32, 16, 4, 4, 2, 1, false, 16, 3},
    {"4x4 s2, pad 2", 2, 16, 12, 16, 16, 4, 4, 2, 2},
    {"transposed 7x7 s7", 9, 1, 1, 20, 18, 7, 7, 7, 0, true},
    {"transposed 3x3 s1", 2, 6, 5, 9, 6, 3, 3, 1, 1, true},
    {"transposed 3x3 s1, wide", 2, 8, 7, 64, 48, 3, 3, 1, 1, true},
    {"transposed 2x2 s3 with gaps", 2, 4, 3, 5, 6, 2, 2, 3, 0, true},
    {"transposed 2x5 s3", 2, 4, 3, 5, 16, 2, 5, 3, 1, true},
    {"2x5 s3 with pad 3", 2, 9, 8, 5, 7, 2, 5, 3, 3},
    {"5x5", 2, 9, 6, 17, 18, 5, 5, 1, 2},
    {"7x7 with pad 3", 2, 5, 8, 3, 5, 7, 7, 1, 3},
};

// Kernels of more than a megabyte, which CPUs transform in use: several blocks of tiles, ragged in
// tiles, input and output channels; tiles of 2x2 and 4x4.
inline constexpr ConvShape kLargeKernelConvs[] = {
    {"272 to 112", 7, 9, 9, 272, 112, 3, 3, 1, 1, false, 3, 5},
    {"112 to 272, 4x4 tiles", 2, 13, 14, 112, 272, 3, 3, 1, 1},
};

inline constexpr ConvShape kUnetConvs[] = {
    {"28x28 64>64", 128, 28, 28, 64, 64, 3, 3, 1, 1},
    {"14x14 128>128", 128, 14, 14, 128, 128, 3, 3, 1, 1},
    {"7x7 128>128", 128, 7, 7, 128, 128, 3, 3, 1, 1},
    {"28x28 128>64", 128, 28, 28, 128, 64, 3, 3, 1, 1},
    {"stride 2, 28x28 64>64", 128, 28, 28, 64, 64, 3, 3, 2, 1},
    {"transposed 4x4 s2, 14x14 128>64", 128, 14, 14, 128, 64, 4, 4, 2, 1, true},
    {"transposed 4x4 s2, 7x7 256>64", 128, 7, 7, 256, 64, 4, 4, 2, 1, true},
    {"first, 28x28 1>64", 128, 28, 28, 1, 64, 3, 3, 1, 1},
    {"last, 28x28 64>1", 128, 28, 28, 64, 1, 3, 3, 1, 1},
};

inline constexpr ConvShape kPublicConvs[] = {
    {"P-C1 N2 64x64 192>192", 2, 64, 64, 192, 192, 3, 3, 1, 1},
    {"P-C2 N2 32x32 384>384", 2, 32, 32, 384, 384, 3, 3, 1, 1},
    {"P-C3 N2 16x16 576>576", 2, 16, 16, 576, 576, 3, 3, 1, 1},
    {"P-C4 N2 8x8 768>768", 2, 8, 8, 768, 768, 3, 3, 1, 1},
    {"P-C5 N2 64x64 704>704", 2, 64, 64, 704, 704, 3, 3, 1, 1},
    {"P-C6 N2 32x32 1408>1408", 2, 32, 32, 1408, 1408, 3, 3, 1, 1},
    {"P-C7 N2 16x16 2112>2112", 2, 16, 16, 2112, 2112, 3, 3, 1, 1},
    {"P-C8 N2 8x8 2816>2816", 2, 8, 8, 2816, 2816, 3, 3, 1, 1},
    {"P-C9 N2 64x64 1408>704", 2, 64, 64, 1408, 704, 3, 3, 1, 1},
    {"P-C10 N2 8x8 5632>2816", 2, 8, 8, 5632, 2816, 3, 3, 1, 1},
    {"P-C11 N2 64x64 3>704", 2, 64, 64, 3, 704, 3, 3, 1, 1},
    {"P-C12 N2 64x64 704>6", 2, 64, 64, 704, 6, 3, 3, 1, 1},
    {"P-C13 N2 64x64 1408>1408", 2, 64, 64, 1408, 1408, 3, 3, 1, 1},
    {"P-T1 N256 28x28 128>128", 256, 28, 28, 128, 128, 3, 3, 1, 1},
    {"P-T2 N256 28x28 256>128", 256, 28, 28, 256, 128, 3, 3, 1, 1},
    {"P-T3 stride 2 N256 28x28 128>128", 256, 28, 28, 128, 128, 3, 3, 2, 1},
    {"P-T4 N256 7x7 256>256", 256, 7, 7, 256, 256, 3, 3, 1, 1},
    {"P-T5 N256 28x28 64>64", 256, 28, 28, 64, 64, 3, 3, 1, 1},
    {"P-T6 N256 28x28 1>128", 256, 28, 28, 1, 128, 3, 3, 1, 1},
    {"P-T7 transposed 4x4 s2 N256 14x14 256>128", 256, 14, 14, 256, 128, 4, 4, 2, 1, true},
    {"P-T8 transposed 7x7 s7 N256 1x1 256>256", 256, 1, 1, 256, 256, 7, 7, 7, 0, true},
    {"IF N2 32x32 1x1 384>384", 2, 32, 32, 384, 384, 1, 1, 1, 0},
    {"IF N2 64x64 1x1 384>192", 2, 64, 64, 384, 192, 1, 1, 1, 0},
    {"P-M1 GEMM 2048x4224x1408", 2048, 1, 1, 1408, 4224, 1, 1, 1, 0},
    {"P-M2 GEMM 512x2112x2112", 512, 1, 1, 2112, 2112, 1, 1, 1, 0},
    {"P-M3 GEMM 154x10240x4096", 154, 1, 1, 4096, 10240, 1, 1, 1, 0},
    {"P-M4 GEMM 77x4096x10240", 77, 1, 1, 10240, 4096, 1, 1, 1, 0},
};

struct GroupNormCase {
  CaseSet set;
  const char* name;
  GroupNormSize size;
};
// Edges: odd groups, one group, one channel per group, one pixel (LayerNorm), more elements than
// threads; with more blocks than one per group, groups that begin in the middle of a pack or a
// tile, groups of several tiles, chunks of several pieces and one that ends early. Public: P-G
// of DeepFloyd IF-I-XL and IF-I-M.
inline constexpr GroupNormCase kGroupNormCases[] = {
    {CaseSet::kEdge, "4 groups of 2", {2, 9, 8, 4}},
    {CaseSet::kEdge, "one number", {1, 1, 1, 1}},
    {CaseSet::kEdge, "layer norm of 130", {3, 1, 130, 1}},
    {CaseSet::kEdge, "layer norm of 35, 150 rows", {150, 1, 35, 1}},
    {CaseSet::kEdge, "groups of one channel", {2, 49, 6, 6}},
    {CaseSet::kEdge, "one group of 784x13", {1, 784, 13, 1}},
    {CaseSet::kEdge, "2 groups of 22", {2, 25, 44, 2}},
    {CaseSet::kEdge, "4 groups of 100x6", {2, 100, 24, 4}},
    {CaseSet::kEdge, "3 groups of 64x24", {2, 64, 72, 3}},
    {CaseSet::kEdge, "one group of 130x264", {1, 130, 264, 1}},
    {CaseSet::kEdge, "2 groups of 8200x4", {1, 8200, 8, 2}},
    {CaseSet::kEdge, "32 groups of 3, 300 pixels", {2, 300, 96, 32}},
    {CaseSet::kPublic, "P-G1 N2 64x64 C704", {2, 4096, 704, 32}},
    {CaseSet::kPublic, "P-G2 N2 64x64 C1408", {2, 4096, 1408, 32}},
    {CaseSet::kPublic, "P-G3 N2 16x16 C4224", {2, 256, 4224, 32}},
    {CaseSet::kPublic, "P-G4 N2 8x8 C5632", {2, 64, 5632, 32}},
    {CaseSet::kPublic, "P-G5 N2 64x64 C192", {2, 4096, 192, 32}},
    {CaseSet::kPublic, "ddpm-cifar10-32 N16 32x32 C128", {16, 1024, 128, 32}},
    {CaseSet::kPublic, "ddpm-256 N1 256x256 C128", {1, 65536, 128, 32}},
    {CaseSet::kPublic, "IF-I-M N2 32x32 C384", {2, 1024, 384, 32}},
    {CaseSet::kPublic, "IF-I-M N2 16x16 C1344", {2, 256, 1344, 32}},
    {CaseSet::kPublic, "IF-I-L N2 64x64 C320", {2, 4096, 320, 32}},
    {CaseSet::kPublic, "IF-II-M N2 256x256 C96", {2, 65536, 96, 32}},
    {CaseSet::kPublic, "IF-II-L N2 256x256 C320", {2, 65536, 320, 32}},
    {CaseSet::kPublic, "IF-II-L N2 128x128 C320", {2, 16384, 320, 32}},
    {CaseSet::kPublic, "IF-II-L N2 32x32 C1280", {2, 1024, 1280, 32}},
};

struct BatchNormCase {
  CaseSet set;
  const char* name;
  int64_t rows, c;
};
// Edges: chunks of 128 rows and tiles of channels that end in the middle; more chunks than one.
inline constexpr BatchNormCase kBatchNormCases[] = {
    {CaseSet::kEdge, "2 rows of 1", 2, 1},
    {CaseSet::kEdge, "17 rows of 3", 17, 3},
    {CaseSet::kEdge, "127 rows of 7", 127, 7},
    {CaseSet::kEdge, "128 rows of 10", 128, 10},
    {CaseSet::kEdge, "129 rows of 13", 129, 13},
    {CaseSet::kEdge, "131 rows of 64", 131, 64},
    {CaseSet::kEdge, "257 rows of 33", 257, 33},
    {CaseSet::kEdge, "9 rows of 130", 9, 130},
    {CaseSet::kEdge, "1009 rows of 5", 1009, 5},
    {CaseSet::kEdge, "32897 rows of 1", 32768 + 129, 1},
    {CaseSet::kUnet, "28x28 64", 128 * 784, 64},
    {CaseSet::kUnet, "14x14 64", 128 * 196, 64},
    {CaseSet::kUnet, "7x7 128", 128 * 49, 128},
    {CaseSet::kPublic, "P-B1 N256 28x28 C128", 256 * 784, 128},
    {CaseSet::kPublic, "P-B2 N256 14x14 C128", 256 * 196, 128},
    {CaseSet::kPublic, "P-B3 N256 7x7 C256", 256 * 49, 256},
};

struct LayerNormCase {
  CaseSet set;
  const char* name;
  int64_t rows, c;
};
// Edges: rows around a warp and a block, chunks of 64 rows that end in the middle, more chunks of
// rows than one, more rows than 256 chunks of 64. Public: the transformers of Stable Diffusion 1.5
// at 64x64 and 16x16, DiT-XL/2 at 256x256.
inline constexpr LayerNormCase kLayerNormCases[] = {
    {CaseSet::kEdge, "1 row of 1", 1, 1},
    {CaseSet::kEdge, "3 rows of 7", 3, 7},
    {CaseSet::kEdge, "5 rows of 32", 5, 32},
    {CaseSet::kEdge, "2 rows of 257", 2, 257},
    {CaseSet::kEdge, "3 rows of 1000", 3, 1000},
    {CaseSet::kEdge, "197 rows of 33", 197, 33},
    {CaseSet::kEdge, "17000 rows of 3", 17000, 3},
    {CaseSet::kPublic, "N2 64x64 C320", 2 * 4096, 320},
    {CaseSet::kPublic, "N2 16x16 C1280", 2 * 256, 1280},
    {CaseSet::kPublic, "N8 16x16 C1152", 8 * 256, 1152},
};

struct AttentionCase {
  CaseSet set;
  const char* name;
  int64_t b, heads, d, queries, keys, extra;

  constexpr AttentionSize size() const {
    const int64_t pitch = heads * d;
    return {b, heads, d, queries, keys, extra, pitch, pitch, pitch, pitch};
  }
};
// Edges: head widths 8 to 512 and odd ones, tiles that end in the middle, text keys first, one key,
// more tiles of keys than a pipeline has stages. Public: P-A1 to P-A3 of
// DeepFloyd IF-I-XL, P-A4 of IF-I-M.
inline constexpr AttentionCase kAttentionCases[] = {
    {CaseSet::kEdge, "d8, 5 on 7", 2, 2, 8, 5, 7, 0},
    {CaseSet::kEdge, "d16, 16 on 32", 1, 3, 16, 16, 32, 0},
    {CaseSet::kEdge, "d32, 17 on 7 + 33", 1, 1, 32, 17, 33, 7},
    {CaseSet::kEdge, "d64, 19 on 5 + 40", 1, 2, 64, 19, 40, 5},
    {CaseSet::kEdge, "d128, 9 on 3 + 30", 1, 1, 128, 9, 30, 3},
    {CaseSet::kEdge, "d200, 17 on 4 + 33", 1, 2, 200, 17, 33, 4},
    {CaseSet::kEdge, "d512, 3 on 34", 1, 1, 512, 3, 34, 0},
    {CaseSet::kEdge, "d13, 1 on 1", 2, 1, 13, 1, 1, 0},
    {CaseSet::kEdge, "d40, 3 on text alone", 1, 1, 40, 3, 0, 65},
    {CaseSet::kEdge, "d64, 65 on 77 + 130", 1, 2, 64, 65, 130, 77},
    {CaseSet::kEdge, "d80, 16 on 64 + 64", 1, 1, 80, 16, 64, 64},
    {CaseSet::kEdge, "d96, 9 on 3 + 62", 2, 1, 96, 9, 62, 3},
    {CaseSet::kEdge, "d160, 70 on 129", 1, 1, 160, 70, 129, 0},
    {CaseSet::kEdge, "d256, 65 on 97", 1, 1, 256, 65, 97, 0},
    {CaseSet::kEdge, "d24, 50 on 9 + 261", 1, 1, 24, 50, 261, 9},
    {CaseSet::kPublic, "P-A1 B2 h22 1024 on 1101 d64", 2, 22, 64, 1024, 1024, 77},
    {CaseSet::kPublic, "P-A2 B2 h33 256 on 333 d64", 2, 33, 64, 256, 256, 77},
    {CaseSet::kPublic, "P-A3 B2 h44 64 on 141 d64", 2, 44, 64, 64, 64, 77},
    {CaseSet::kPublic, "P-A4 B2 h6 1024 on 1101 d64", 2, 6, 64, 1024, 1024, 77},
    {CaseSet::kPublic, "ddpm-cifar10-32 B16 h1 256 on 256 d256", 16, 1, 256, 256, 256, 0},
    {CaseSet::kPublic, "IF-I-M B2 h9 256 on 333 d64", 2, 9, 64, 256, 256, 77},
    {CaseSet::kPublic, "IF-I-M B2 h12 64 on 141 d64", 2, 12, 64, 64, 64, 77},
    {CaseSet::kPublic, "IF-II-L B2 h20 256 on 333 d64", 2, 20, 64, 256, 256, 77},
    {CaseSet::kPublic, "IF-II-L B2 h15 1024 on 1101 d64", 2, 15, 64, 1024, 1024, 77},
};

struct UpsampleCase {
  CaseSet set;
  const char* name;
  Interpolation interpolation;
  UpsampleSize size;
};
// The tests run the edges with both interpolations.
inline constexpr UpsampleCase kUpsampleCases[] = {
    {CaseSet::kEdge, "1x1 to 2x2", Interpolation::kNearest, {1, 1, 1, 2, 2, 1}},
    {CaseSet::kEdge, "3x5 to 6x10", Interpolation::kNearest, {2, 3, 5, 6, 10, 4}},
    {CaseSet::kEdge, "4x4 to 16x16", Interpolation::kBilinear, {1, 4, 4, 16, 16, 3}},
    {CaseSet::kEdge, "5x3 to 7x8", Interpolation::kBilinear, {1, 5, 3, 7, 8, 8}},
    {CaseSet::kEdge, "6x6 to 4x3", Interpolation::kBilinear, {1, 6, 6, 4, 3, 2}},
    {CaseSet::kPublic,
     "nearest N2 32x32 C1408",
     Interpolation::kNearest,
     {2, 32, 32, 64, 64, 1408}},
    {CaseSet::kPublic,
     "bilinear N2 64x64 to 256x256",
     Interpolation::kBilinear,
     {2, 64, 64, 256, 256, 3}},
};

// Ops that read and write each number about once.
enum class StreamOp {
  kGelu,      // y = gelu(x)
  kAdd,       // y = x + vector per image of `rows_per_image` rows
  kResidual,  // y = x + s
  kCopyRows,  // into the first half of rows twice as wide: concatenation
  kAvgPool7,  // 7x7 images
  kSoftmax,   // over c
  kRmsNorm,   // over c
  kMseLoss,
  kAdam,
  kRandomNormal,      // rows images of c
  kConvert,           // from f32
  kEmbeddingGradient  // of a table of kEmbeddingEntries rows
};
inline constexpr int64_t kEmbeddingEntries = 1000;
struct StreamCase {
  CaseSet set;
  const char* name;
  StreamOp op;
  int64_t rows, c;
};
inline constexpr StreamCase kStreamCases[] = {
    {CaseSet::kEdge, "gelu of 1037", StreamOp::kGelu, 17, 61},
    {CaseSet::kEdge, "softmax of 13", StreamOp::kSoftmax, 37, 13},
    {CaseSet::kEdge, "residual of 2073", StreamOp::kResidual, 3, 691},
    {CaseSet::kUnet, "concatenation 28x28 64+64", StreamOp::kCopyRows, 128 * 784, 64},
    {CaseSet::kUnet, "average pool 7x7 128", StreamOp::kAvgPool7, 128 * 49, 128},
    {CaseSet::kUnet, "gelu 128x128", StreamOp::kGelu, 128, 128},
    {CaseSet::kUnet, "time embedding added, 7x7 128", StreamOp::kAdd, 128 * 49, 128},
    {CaseSet::kUnet, "mean squared error 28x28", StreamOp::kMseLoss, 128, 784},
    {CaseSet::kUnet, "noise 28x28", StreamOp::kRandomNormal, 128, 784},
    {CaseSet::kUnet, "batch of 28x28 to the training type", StreamOp::kConvert, 128, 784},
    {CaseSet::kUnet, "class embedding gradient 128", StreamOp::kEmbeddingGradient, 128, 128},
    {CaseSet::kUnet, "Adam 2.0 M", StreamOp::kAdam, 1, 2'019'201},
    {CaseSet::kPublic, "Adam 7.9 M", StreamOp::kAdam, 1, 7'891'073},
    {CaseSet::kPublic, "gelu N2 64x64 C704", StreamOp::kGelu, 2 * 4096, 704},
    {CaseSet::kPublic, "residual N2 64x64 C704", StreamOp::kResidual, 2, 4096 * 704},
    {CaseSet::kPublic, "softmax 45056x1101", StreamOp::kSoftmax, 2 * 22 * 1024, 1101},
    {CaseSet::kPublic, "RMSNorm 154x4096", StreamOp::kRmsNorm, 154, 4096},
    {CaseSet::kPublic, "concatenation N2 64x64 704+704", StreamOp::kCopyRows, 2 * 4096, 704},
};

// A row of any kind.
struct OpCase {
  CaseSet set;
  std::string op;  // "conv", "group norm", ...
  const char* name;
  std::variant<ConvShape, GroupNormCase, BatchNormCase, LayerNormCase, AttentionCase, UpsampleCase,
               StreamCase>
      shape;
};

inline std::vector<OpCase> op_cases() {
  std::vector<OpCase> all;
  const auto add_convs = [&](CaseSet set, const auto& shapes) {
    for (const ConvShape& shape : shapes) all.push_back({set, "conv", shape.name, shape});
  };
  const auto add = [&](const char* op, const auto& cases) {
    for (const auto& c : cases) all.push_back({c.set, op, c.name, c});
  };
  add_convs(CaseSet::kUnet, kUnetConvs);
  add_convs(CaseSet::kPublic, kPublicConvs);
  add("batch norm + gelu", kBatchNormCases);
  add("group norm + silu", kGroupNormCases);
  add("layer norm", kLayerNormCases);
  add("attention", kAttentionCases);
  add("upsample", kUpsampleCases);
  add("stream", kStreamCases);
  add_convs(CaseSet::kEdge, kEdgeConvs);
  return all;
}

// The rows of one set of a family, to loop over in a test.
template <typename Case, size_t kCount>
std::vector<Case> cases_of(CaseSet set, const Case (&cases)[kCount]) {
  std::vector<Case> chosen;
  for (const Case& c : cases) {
    if (c.set == set) chosen.push_back(c);
  }
  return chosen;
}

}  // namespace ebb
