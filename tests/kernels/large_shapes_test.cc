// The CUDA kernels where offsets, grids and sums do not fit 32 bits, on the emulator: in memory
// that takes addresses alone, with all blocks where pixels are few and far apart, with the blocks
// at the corners of the grid where they are many, and only recorded where no block could be run.
#include <cstring>
#include <functional>
#include <memory>
#include <vector>

#include "base/error.h"
#include "kernels/conv/cuda/conv_pass.h"
#include "testing/catch.h"
#include "tests/kernels/conv/conv_cuda_case.h"

// Arguments of which only some are there.
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

namespace ebb {
namespace {

using test::EmulatorOptions;

// Emulated memory of zeros.
class Sparse {
 public:
  explicit Sparse(int64_t bytes) : data_(simt::emulator::allocate_sparse(bytes, "sparse")) {
    REQUIRE(data_ != nullptr);
  }
  ~Sparse() { simt::emulator::release(data_); }
  Sparse(const Sparse&) = delete;
  Sparse& operator=(const Sparse&) = delete;

  void* get() const { return data_; }
  float* f32() const { return static_cast<float*>(data_); }
  char* bytes() const { return static_cast<char*>(data_); }

 private:
  void* data_;
};

constexpr int64_t kGiB = int64_t{1} << 30;

// Elements from pixel to pixel: 32 pixels lie 2^31 elements apart.
constexpr int64_t kFar = int64_t{1} << 26;

void scatter(const std::vector<float>& dense, int64_t row, DType dtype, const Sparse& to) {
  const Bytes bytes = store(dense, dtype);
  const int64_t row_bytes = row * size_of(dtype), pitch = kFar * size_of(dtype);
  for (int64_t i = 0; i < static_cast<int64_t>(bytes.size()) / row_bytes; ++i) {
    std::memcpy(to.bytes() + i * pitch, bytes.data() + i * row_bytes,
                static_cast<size_t>(row_bytes));
  }
}

std::vector<float> gather(const Sparse& from, int64_t rows, int64_t row, DType dtype) {
  const int64_t row_bytes = row * size_of(dtype), pitch = kFar * size_of(dtype);
  Bytes bytes(static_cast<size_t>(rows * row_bytes));
  for (int64_t i = 0; i < rows; ++i) {
    std::memcpy(bytes.data() + i * row_bytes, from.bytes() + i * pitch,
                static_cast<size_t>(row_bytes));
  }
  return restore(bytes, dtype);
}

// A case whose pixels lie kFar apart; weights as the dense case has them.
struct FarCase {
  const ConvCudaCase& dense;
  ConvGeometry g;
  DType dtype;
  KernelStream stream;
  const Sparse &x, &y;

  int64_t in_pixels() const { return g.n * g.h * g.w; }
  int64_t out_pixels() const { return g.n * g.ho * g.wo; }

  std::vector<float> forward() const {
    scatter(dense.data.x, g.c, dtype, x);
    const auto packed = pack(ConvPass::kForward);
    const test::DeviceArray<float> bias(dense.data.bias, "bias");
    emu_kernels().conv_forward.fn({.geometry = g,
                                   .dtype = dtype,
                                   .x = x.get(),
                                   .packed = packed->get(),
                                   .bias = bias.get(),
                                   .y = y.get()},
                                  stream);
    return gather(y, out_pixels(), g.o, dtype);
  }
  std::vector<float> backward_input() const {
    scatter(dense.data.dy, g.o, dtype, y);
    const auto packed = pack(ConvPass::kBackwardInput);
    emu_kernels().conv_backward_input.fn(
        {.geometry = g, .dtype = dtype, .dy = y.get(), .packed = packed->get(), .dx = x.get()},
        stream);
    return gather(x, in_pixels(), g.c, dtype);
  }
  ConvCase::WeightGradient backward_weight() const {
    scatter(dense.data.x, g.c, dtype, x);
    scatter(dense.data.dy, g.o, dtype, y);
    test::DeviceArray<float> dw(dense.data.w.size(), "dw"), db(static_cast<size_t>(g.o), "db");
    const Sparse scratch(emu_kernels().conv_workspace_bytes.fn(g, ConvPass::kBackwardWeight, dtype,
                                                               stream.conv_math, 1));
    emu_kernels().conv_backward_weight.fn({.geometry = g,
                                           .dtype = dtype,
                                           .x = x.get(),
                                           .dy = y.get(),
                                           .dw = dw.get(),
                                           .db = db.get(),
                                           .workspace = scratch.get()},
                                          stream);
    return {dw.values(), db.values()};
  }

 private:
  std::unique_ptr<test::DeviceArray<uint8_t>> pack(ConvPass pass) const {
    const test::DeviceArray<float> w(dense.data.w, "w");
    const auto bytes = emu_kernels().conv_packed_bytes.fn(g, pass, dtype, stream.conv_math);
    auto packed =
        std::make_unique<test::DeviceArray<uint8_t>>(static_cast<size_t>(bytes), "packed");
    emu_kernels().conv_pack.fn(
        {.geometry = g, .pass = pass, .dtype = dtype, .w = w.get(), .packed = packed->get()},
        stream);
    return packed;
  }
};

struct Kernels {
  DType dtype;
  ConvMath math;
};
constexpr Kernels kKernels[] = {{DType::kF32, {}},
                                {DType::kF32, {.tf32 = true}},
                                {DType::kBF16, {}},
                                {DType::kBF16, {.wgmma = true}},
                                {DType::kF32, {.naive = true}}};

TEST_CASE("CUDA convolutions have the same bits where pixels lie 2^32 elements apart") {
  const Sparse x(20 * kGiB), y(20 * kGiB);
  for (const ConvGeometry& g : {conv_geometry(2, 6, 6, 32, 40, 3, 3, 1, 1, false),
                                conv_geometry(2, 6, 6, 3, 5, 3, 3, 1, 1, false),
                                conv_geometry(2, 3, 3, 32, 32, 4, 4, 2, 1, true)}) {
    for (const Kernels& kernels : kKernels) {
      INFO(to_string(kernels.dtype)
           << " " << g.c << " to " << g.o << ", tf32 " << kernels.math.tf32 << ", wgmma "
           << kernels.math.wgmma << ", naive " << kernels.math.naive);
      const EmulatorOptions options({.check = false});
      const KernelStream stream{.conv_math = kernels.math};
      const ConvCudaCase dense(g, kernels.dtype, stream);
      ConvGeometry far = g;
      far.x_pitch = far.y_pitch = kFar;
      const FarCase apart{dense, far, kernels.dtype, stream, x, y};
      CHECK(test::compare_bits(apart.forward(), dense.forward({.activation = Activation::kNone})) ==
            "");
      CHECK(test::compare_bits(apart.backward_input(), dense.backward_input()) == "");
      const auto actual = apart.backward_weight(), expected = dense.backward_weight();
      CHECK(test::compare_bits(actual.dw, expected.dw) == "");
      CHECK(test::compare_bits(actual.db, expected.db) == "");
    }
  }
}

// The emulator sees an overflow only where its value is used; here it is looked at.
TEST_CASE("rows beyond the last of a CUDA convolution have pixel 0 instead of one beyond 32 bits") {
  const TapList list =
      tap_list(conv_geometry(2, 256, 256, 192, 192, 3, 3, 1, 1, false), ConvPass::kForward);
  const emu::Phase32 phase = emu::phase_of(list, 0);
  const auto pixel = [&](int row) { return emu::input_point(list.in, phase, row).pixel(256); };
  CHECK(pixel(0) == -257);  // tap (0, 0) reads above and left of it
  CHECK(pixel(phase.rows() - 1) == phase.rows() - 1 - 257);
  CHECK(pixel(phase.rows()) == 0);
  CHECK(pixel(phase.rows() + 127) == 0);
}

TEST_CASE("the CUDA bias gradient adds more rows than 65535 blocks sum") {
  const ConvGeometry g = conv_geometry(1, 4100, 4200, 1, 1, 1, 1, 1, 0, false);
  const int64_t rows = g.n * g.ho * g.wo;
  REQUIRE(rows / 256 > 65535);
  const EmulatorOptions options({.corners = true});
  const Sparse x(rows * 4), dy(rows * 4), dw(64), db(64);
  const Sparse scratch(
      emu_kernels().conv_workspace_bytes.fn(g, ConvPass::kBackwardWeight, DType::kF32, {}, 1));
  dy.f32()[0] = 1;  // in the first and in the last block, which are run
  dy.f32()[rows - 1] = 2;
  emu_kernels().conv_backward_weight.fn({.geometry = g,
                                         .dtype = DType::kF32,
                                         .x = x.get(),
                                         .dy = dy.get(),
                                         .dw = dw.f32(),
                                         .db = db.f32(),
                                         .workspace = scratch.get()},
                                        {});
  CHECK(*db.f32() == 3);
}

// Records what work() launches, which fails where a GPU could not be given the grid.
void record(const std::function<void()>& work) {
  std::vector<std::function<void()>> steps;
  simt::emulator::record_launches(&steps);
  try {
    work();
  } catch (...) {
    simt::emulator::record_launches(nullptr);
    throw;
  }
  simt::emulator::record_launches(nullptr);
  CHECK_FALSE(steps.empty());
}

void record_conv(const ConvGeometry& g, const Kernels& kernels, void* p) {
  const KernelTable& table = emu_kernels();
  const KernelStream stream{.conv_math = kernels.math};
  float* f = static_cast<float*>(p);
  record([&] {
    table.conv_forward.fn({.geometry = g, .dtype = kernels.dtype, .x = p, .packed = p, .y = p},
                          stream);
    table.conv_backward_input.fn(
        {.geometry = g, .dtype = kernels.dtype, .dy = p, .packed = p, .dx = p}, stream);
    table.conv_backward_weight.fn(
        {.geometry = g, .dtype = kernels.dtype, .x = p, .dy = p, .dw = f, .db = f, .workspace = p},
        stream);
  });
}

// DeepFloyd IF's second stage with two images, and what is barely counted.
TEST_CASE("grids of CUDA convolutions fit at every size that is accepted") {
  const Sparse memory(4096);
  constexpr int64_t kMaxPoints = (int64_t{1} << 30) - 1;
  for (const Kernels& kernels : kKernels) {
    for (const ConvGeometry& g : {conv_geometry(2, 256, 256, 192, 192, 3, 3, 1, 1, false),
                                  conv_geometry(2, 256, 256, 192, 384, 3, 3, 2, 1, false),
                                  conv_geometry(2, 128, 128, 768, 384, 3, 3, 1, 1, false),
                                  conv_geometry(2, 32, 32, 768, 768, 4, 4, 2, 1, true),
                                  conv_geometry(kMaxPoints, 1, 1, 64, 64, 1, 1, 1, 0, false),
                                  conv_geometry(8, 1, 1, 64, 65535 * 32, 1, 1, 1, 0, false),
                                  conv_geometry(8, 1, 1, 65535 * 32, 64, 1, 1, 1, 0, false),
                                  conv_geometry(1, 510, 510, 8, 8, 2, 2, 255, 0, false)}) {
      INFO(g.n << " x " << g.h << " x " << g.w << ", " << g.c << " to " << g.o);
      CHECK_NOTHROW(record_conv(g, kernels, memory.get()));
    }
    for (const ConvGeometry& g : {conv_geometry(kMaxPoints + 1, 1, 1, 64, 64, 1, 1, 1, 0, false),
                                  conv_geometry(8, 1, 1, 64, 65535 * 32 + 1, 1, 1, 1, 0, false),
                                  conv_geometry(1, 512, 512, 8, 8, 2, 2, 256, 0, false),
                                  conv_geometry(1, 40000, 40000, 8, 8, 3, 3, 1, 40000, false)}) {
      CHECK_THROWS_AS(record_conv(g, kernels, memory.get()), ShapeError);
    }
  }
}

TEST_CASE("grids of the other CUDA kernels fit where images and rows are many") {
  const Sparse memory(4096);
  void* p = memory.get();
  float* f = memory.f32();
  const KernelTable& table = emu_kernels();
  constexpr int64_t kMany = int64_t{1} << 33, kImages = 70000;
  record([&] {
    table.activation_forward.fn({Activation::kGelu, DType::kBF16, kMany, p, p}, {});
    table.broadcast_forward.fn(
        {BroadcastOp::kAdd, kImages, 4096, 64, kImages, kImages, DType::kF32, p, p, p}, {});
    table.broadcast_backward.fn(
        {BroadcastOp::kMultiply, kImages, 4096, 64, DType::kF32, p, p, p, p, p}, {});
    table.batch_norm_infer.fn({.rows = kMany, .c = 64, .dtype = DType::kF32}, {});
    table.batch_norm_train.fn({.rows = kMany, .c = 64, .dtype = DType::kF32, .workspace = p}, {});
    for (const GroupNormSize& size :
         {GroupNormSize{kImages, 4096, 64, 32}, GroupNormSize{2, 65536, 640, 32},
          GroupNormSize{1, 64, 65535 * 64, 64}, GroupNormSize{1, 64, 65536 * 64, 64}}) {
      table.group_norm_forward.fn({.size = size, .dtype = DType::kF32, .workspace = p}, {});
    }
    for (const DType dtype : {DType::kF32, DType::kBF16}) {
      table.attention_forward.fn({.size = {65535, 1, 64, kImages, 64, 0, 64, 64, 64, 64},
                                  .dtype = dtype,
                                  .q = p,
                                  .k = p,
                                  .v = p,
                                  .o = p},
                                 {});
    }
    table.group_norm_backward.fn(
        {.size = {kImages, 4096, 64, 32}, .dtype = DType::kF32, .workspace = p}, {});
    table.layer_norm_forward.fn({.rows = kMany, .c = 64, .dtype = DType::kF32}, {});
    table.layer_norm_backward.fn(
        {.rows = kMany, .c = 64, .dtype = DType::kF32, .dgamma = f, .workspace = p}, {});
    table.rms_norm_forward.fn({.rows = kMany, .c = 64, .dtype = DType::kF32}, {});
    table.softmax_forward.fn({kMany, 64, DType::kF32, p, p}, {});
    table.embedding.fn({.count = kMany, .entries = 8, .c = 64, .dtype = DType::kF32}, {});
    table.embedding_backward.fn({.count = 8, .entries = kImages, .c = 64, .dtype = DType::kF32},
                                {});
    table.timestep_embedding.fn({.n = kImages, .c = 64}, {});
    table.linear_combination.fn({.n = kImages, .elements = 4096, .per_image = true, .terms = 2},
                                {});
    table.random_normal.fn({.n = kImages, .elements = 4096, .y = f}, {});
    table.avg_pool_forward.fn({kImages, 256, 256, 64, 2, 2, DType::kF32, p, p}, {});
    table.upsample_forward.fn(
        {Interpolation::kNearest, {kImages, 128, 128, 256, 256, 64}, DType::kF32, p, p}, {});
    table.copy_rows.fn({kMany, kMany, 64, 64, 64, DType::kF32, p, p}, {});
  });
  CHECK_THROWS_AS(
      table.avg_pool_forward.fn({1, 40000, 40000, 1, 40000, 40000, DType::kF32, p, p}, {}),
      ShapeError);
}

// Zeros in, and no number to compare: bounds, alignment and 32-bit sums are what is checked.
TEST_CASE("CUDA kernels stay in bounds where tensors have more than 2^31 elements") {
  const EmulatorOptions options({.corners = true});
  const KernelTable& table = emu_kernels();
  constexpr int64_t kC = 1 << 16, kRows = (1 << 15) + 3, kCount = kRows * kC;
  const Sparse x(kCount * 4), y(kCount * 4), v(32 * kC), workspace(kGiB);
  void *px = x.get(), *py = y.get(), *pv = v.get();
  float* f = v.f32();
  CHECK_NOTHROW(table.activation_forward.fn({Activation::kGelu, DType::kF32, kCount, px, py}, {}));
  CHECK_NOTHROW(table.convert.fn({kCount, DType::kF32, DType::kBF16, px, py}, {}));
  CHECK_NOTHROW(table.broadcast_forward.fn(
      {BroadcastOp::kMultiply, 1, kRows, kC, 1, 1, DType::kF32, px, pv, py}, {}));
  CHECK_NOTHROW(table.broadcast_backward.fn(
      {BroadcastOp::kMultiply, 1, kRows, kC, DType::kF32, px, pv, py, nullptr, f + kC}, {}));
  CHECK_NOTHROW(table.copy_rows.fn({kRows, kRows, kC, kC, kC, DType::kF32, px, py}, {}));
  CHECK_NOTHROW(table.softmax_forward.fn({kRows, kC, DType::kF32, px, py}, {}));
  CHECK_NOTHROW(table.layer_norm_forward.fn(
      {.rows = kRows, .c = kC, .dtype = DType::kF32, .eps = 1, .x = px, .y = py}, {}));
  CHECK_NOTHROW(table.batch_norm_train.fn({.rows = kRows,
                                           .c = kC,
                                           .dtype = DType::kF32,
                                           .activation = Activation::kNone,
                                           .eps = 1,
                                           .momentum = 0.1f,
                                           .x = px,
                                           .gamma = f,
                                           .beta = f + kC,
                                           .running_mean = f + 2 * kC,
                                           .running_var = f + 3 * kC,
                                           .y = py,
                                           .mean = f + 4 * kC,
                                           .rstd = f + 5 * kC,
                                           .workspace = workspace.get()},
                                          {}));
  CHECK_NOTHROW(table.group_norm_forward.fn({.size = {kRows, 1, kC, 32},
                                             .dtype = DType::kF32,
                                             .eps = 1,
                                             .x = px,
                                             .gamma = f,
                                             .beta = f + kC,
                                             .y = py},
                                            {}));
  CHECK_NOTHROW(table.group_norm_forward.fn({.size = {1, kRows, kC, 32},
                                             .dtype = DType::kF32,
                                             .eps = 1,
                                             .x = px,
                                             .gamma = f,
                                             .beta = f + kC,
                                             .y = py,
                                             .workspace = workspace.get()},
                                            {}));
  // Rows of 2^16 elements: the last query and the last key lie 2^31 elements away.
  CHECK_NOTHROW(table.attention_forward.fn({.size = {1, 1, 64, kRows, kRows - 1, 1, kC, kC, kC, kC},
                                            .dtype = DType::kBF16,
                                            .scale = 1,
                                            .q = px,
                                            .k = px,
                                            .v = px,
                                            .extra_k = px,
                                            .extra_v = px,
                                            .o = py},
                                           {}));
  constexpr int64_t kSide = 4096, kChannels = 128;
  CHECK_NOTHROW(
      table.avg_pool_forward.fn({1, kSide, kSide, kChannels, 2, 2, DType::kF32, px, py}, {}));
  CHECK_NOTHROW(table.upsample_forward.fn({Interpolation::kBilinear,
                                           {1, kSide / 2, kSide / 2, kSide, kSide, kChannels},
                                           DType::kF32,
                                           px,
                                           py},
                                          {}));
}

}  // namespace
}  // namespace ebb
