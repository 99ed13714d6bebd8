#include <random>

#include "base/error.h"
#include "tests/emulator/conformance.h"
#include "tests/emulator/conformance_memory.h"
#include "tests/emulator/wgmma_operands.h"

namespace ebb {
namespace EBB_GPU_NAMESPACE {
namespace {

using simt::emulator::Format;
using Bytes = std::vector<uint8_t>;

template <class T>
std::vector<T> numbers(size_t count, uint32_t multiplier) {
  std::vector<T> values(count);
  for (size_t i = 0; i < count; ++i)
    values[i] = static_cast<T>(static_cast<uint32_t>(i) * multiplier);
  return values;
}

// Collects cases whose kernel fills one output.
class Cases {
 public:
  explicit Cases(std::vector<ConformanceCase>& all) : all_(all) {}

  void group(const char* name, bool needs_hopper) {
    group_ = name;
    needs_hopper_ = needs_hopper;
  }
  void add(const std::string& name, std::function<Bytes()> run) {
    all_.push_back({group_, name, needs_hopper_, std::move(run)});
  }
  template <class T>
  void add_output(const std::string& name, size_t count, std::function<void(T*)> launch) {
    add(name, [count, launch] {
      const Buffer<T> y(count);
      launch(y.get());
      return y.content();
    });
  }

 private:
  std::vector<ConformanceCase>& all_;
  std::string group_;
  bool needs_hopper_ = false;
};

void add_threads(Cases& cases) {
  cases.group("threads", false);
  cases.add_output<uint32_t>("indices", 12 * 24, [](uint32_t* y) { indices(y, {}); });
  cases.add_output<int32_t>("barrier votes", 96, [](int32_t* y) { barrier_votes(y, {}); });
  for (const int width : {32, 16, 8, 2, 1}) {
    for (const int operand : {0, 1, 3, 5, 16, 31}) {
      cases.add_output<int32_t>(cat("shuffles, operand ", operand, ", width ", width), 256,
                                [operand, width](int32_t* y) { shuffles(operand, width, y, {}); });
    }
  }
  cases.add_output<double>("shuffled doubles", 32, [](double* y) { shuffle_doubles(y, {}); });
  cases.add("votes", [] {
    std::vector<int32_t> values = numbers<int32_t>(32, 5);
    for (int32_t& v : values) v %= 11;
    const Buffer<int32_t> x(values), y(192);
    votes(x.get(), y.get(), {});
    return y.content();
  });
  cases.add("atomics", [] {
    const Buffer<int32_t> y(std::vector<int32_t>{0, 0, 0, 0, 0, -1, 0, 0, 0, 0, 0});
    atomics(y.get(), {});
    return y.content();
  });
  cases.add_output<int32_t>("named barriers", 128, [](int32_t* y) { named_barriers(y, {}); });
  cases.add_output<int32_t>("shared memory", 64, [](int32_t* y) { shared_memory(y, {}); });
  cases.add("sum by the last block", [] {
    const Buffer<int32_t> x(numbers<int32_t>(500, 7)), partials(16), y(2);
    const Buffer<uint32_t> counter(std::vector<uint32_t>{0});
    sum_by_last_block(x.get(), 500, partials.get(), counter.get(), y.get(), {});
    Bytes sum = y.content(), left = counter.content();
    sum.resize(sizeof(int32_t));  // the order of blocks is unspecified
    sum.insert(sum.end(), left.begin(), left.end());
    return sum;
  });
}

void add_copies(Cases& cases) {
  cases.group("copies", false);
  for (const int bytes : {4, 8, 16}) {
    cases.add(cat("cp.async of ", bytes, " bytes"), [bytes] {
      const Buffer<uint32_t> x(numbers<uint32_t>(256, 2654435761u)), y(256);
      copy_async(bytes, x.get(), y.get(), 256, {});
      return y.content();
    });
  }
  for (const bool transposed : {false, true}) {
    cases.add(transposed ? "ldmatrix.trans" : "ldmatrix", [transposed] {
      const Buffer<uint16_t> x(numbers<uint16_t>(256, 251));
      const Buffer<uint32_t> y(128);
      load_matrix(transposed, x.get(), y.get(), {});
      return y.content();
    });
  }
}

template <class T>
std::vector<T> small_integers(size_t count, uint32_t seed, Format format) {
  std::mt19937 generator(seed);
  std::vector<T> values(count);
  for (T& v : values) {
    v = static_cast<T>(encode_integer(static_cast<int>(generator() % 17) - 8, format));
  }
  return values;
}

template <class T>
void add_multiply(Cases& cases, const char* name, Format format, int depth) {
  cases.add(name, [format, depth] {
    const Buffer<T> a(small_integers<T>(16 * static_cast<size_t>(depth), 1, format));
    const Buffer<T> b(small_integers<T>(8 * static_cast<size_t>(depth), 2, format));
    std::vector<float> start(128);
    for (size_t i = 0; i < start.size(); ++i) start[i] = static_cast<float>(i) - 50.0f;
    const Buffer<float> d(start);
    multiply(format, a.get(), b.get(), d.get(), {});
    return d.content();
  });
}

void add_tensor_cores(Cases& cases) {
  cases.group("tensor cores", false);
  add_multiply<uint16_t>(cases, "mma.sync m16n8k16 bf16", Format::kBf16, 16);
  add_multiply<uint16_t>(cases, "mma.sync m16n8k16 f16", Format::kF16, 16);
  add_multiply<uint32_t>(cases, "mma.sync m16n8k8 tf32", Format::kTf32, 8);
  cases.add("ldmatrix into mma.sync", [] {
    const Buffer<uint16_t> a(small_integers<uint16_t>(256, 3, Format::kBf16));
    const Buffer<uint16_t> b(small_integers<uint16_t>(128, 4, Format::kBf16));
    const Buffer<float> d(128);
    multiply_ldmatrix(a.get(), b.get(), d.get(), {});
    return d.content();
  });
  cases.add("cvt.rna.tf32", [] {
    std::vector<float> x = {0.0f,          -0.0f,        1.0f,     1 + 0x1p-11f,
                            -1 - 0x1p-11f, 1 + 0x1p-12f, 0x1p-130f};
    std::mt19937 generator(5);
    while (x.size() < 500) {
      const float v = std::bit_cast<float>(static_cast<uint32_t>(generator()));
      if (v - v == 0) x.push_back(v);  // finite
    }
    const Buffer<float> from(x);
    const Buffer<uint32_t> y(x.size());
    round_tf32(from.get(), y.get(), static_cast<int>(x.size()), {});
    return y.content();
  });
}

void add_tiles(Cases& cases) {
  for (const auto& [c0, c1] : {std::pair{0, 0}, {8, 3}, {-8, -2}, {40, 15}, {104, 100}}) {
    cases.add(cat("2-D tile at ", c0, ", ", c1, ", swizzled"), [c0 = c0, c1 = c1] {
      const Buffer<uint16_t> x(numbers<uint16_t>(20 * 72, 1)), y(1024);
      const auto map = simt::tensor_map_2d(x.get(), simt::MapElement::kBf16, 70, 20, 72, 64, 16);
      tma_tile_2d(map, c0, c1, y.get(), 1024, {});
      return y.content();
    });
  }
  for (const uint32_t step : {1u, 2u}) {
    cases.add(cat("4-D tile, every pixel of ", step), [step] {
      const Buffer<uint16_t> x(numbers<uint16_t>(3 * 4 * 5 * 16, 1)), y(192);
      const auto map = plain_map(
          x.get(), {4, 2, {16, 5, 4, 3}, {32, 160, 640}, {8, 3, 4, 2}, {1, step, step, 1}});
      tma_tile_4d(map, 8, -1, -1, 1, y.get(), 192, {});
      return y.content();
    });
  }
}

// The taps of a 3x3 convolution with pad 1 on {C, W, H, N} = {64, 5, 4, 3}.
void add_im2col(Cases& cases) {
  for (const int stride : {1, 2}) {
    for (const int first : {0, 3, 11}) {
      cases.add(cat("im2col, stride ", stride, ", from pixel ", first), [stride, first] {
        const Buffer<uint16_t> x(numbers<uint16_t>(3 * 4 * 5 * 64, 1)), y(9 * 1024);
        const auto map = simt::tensor_map_im2col(x.get(), simt::MapElement::kF16,
                                                 {.c = 64,
                                                  .w = 5,
                                                  .h = 4,
                                                  .n = 3,
                                                  .pitch = 64,
                                                  .lower_w = -1,
                                                  .lower_h = -1,
                                                  .upper_w = -1,
                                                  .upper_h = -1,
                                                  .step_w = stride,
                                                  .step_h = stride,
                                                  .channels = 64,
                                                  .pixels = 16});
        const int ho = 3 / stride + 1, wo = 4 / stride + 1;
        const int w = first % wo * stride - 1, h = first / wo % ho * stride - 1;
        for (int tap = 0; tap < 9; ++tap) {
          tma_im2col(map, 0, w, h, first / (wo * ho), static_cast<uint16_t>(tap % 3),
                     static_cast<uint16_t>(tap / 3), y.get() + tap * 1024, 1024, {});
        }
        return y.content();
      });
    }
  }
}

void add_hopper(Cases& cases) {
  cases.group("tma", true);
  add_tiles(cases);
  add_im2col(cases);
  cases.add("ring of mbarriers", [] {
    constexpr int kRows = 10;
    const Buffer<int32_t> x(numbers<int32_t>(kRows * 64, 3)), y(64);
    const auto map = plain_map(x.get(), {2, 4, {64, kRows}, {256}, {64, 1}, {1, 1}});
    tma_ring(map, kRows, y.get(), {});
    return y.content();
  });
  cases.group("wgmma", true);
  const auto add_product = [&](const char* type, Format format, int n, bool mn_major) {
    cases.add(cat("m64n", n, " ", type, mn_major ? ", MN-major" : ", K-major"), [format, n,
                                                                                 mn_major] {
      const WgmmaOperands operands = wgmma_operands(format, n, mn_major);
      const Buffer<uint32_t> image(operands.words);
      const Buffer<float> d(64 * static_cast<size_t>(n));
      wgmma_product(operands.c, image.get(), static_cast<int>(operands.words.size()), d.get(), {});
      return d.content();
    });
  };
  for (const int n : {64, 96, 128, 192, 256}) {
    add_product("bf16", Format::kBf16, n, false);
    add_product("f16", Format::kF16, n, false);
    add_product("tf32", Format::kTf32, n, false);
    if (n == 96) continue;  // blocks of 64 columns
    add_product("bf16", Format::kBf16, n, true);
    add_product("f16", Format::kF16, n, true);
  }
}

std::vector<ConformanceCase> all_cases() {
  std::vector<ConformanceCase> all;
  Cases cases(all);
  add_threads(cases);
  add_copies(cases);
  add_tensor_cores(cases);
  add_hopper(cases);
  return all;
}

}  // namespace
}  // namespace EBB_GPU_NAMESPACE

#if defined(__CUDACC__)
std::vector<ConformanceCase> cuda_conformance_cases() { return cuda::all_cases(); }
#else
std::vector<ConformanceCase> emu_conformance_cases() { return emu::all_cases(); }
#endif

}  // namespace ebb
