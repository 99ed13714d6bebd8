#include <cstring>

#include "emulator/checker.h"
#include "emulator/engine.h"
#include "emulator/mbarrier.h"
#include "emulator/memory.h"
#include "kernels/simt/matrix_descriptor.h"

// Bulk tensor copies from global to shared memory (PTX ISA, "Tensor Tile Mode" and "Im2col mode").
namespace ebb::simt::engine {
namespace {

using emulator::TensorMap;

// Writes one element at position `element` of the packed, perhaps swizzled, box.
void put(const BulkCopy& copy, size_t element, const int64_t* at) {
  const TensorMap& map = copy.map;
  const size_t size = static_cast<size_t>(map.element_bytes);
  size_t offset = element * size;
  if (map.swizzle_128) offset = swizzle_128(static_cast<uint32_t>(offset));
  char* to = static_cast<char*>(copy.dst) + offset;
  const char* from = static_cast<const char*>(map.base) + static_cast<size_t>(at[0]) * size;
  for (int i = 0; i < map.rank; ++i) {
    if (at[i] < 0 || at[i] >= static_cast<int64_t>(map.sizes[i])) {
      std::memset(to, 0, size);
      return;
    }
    if (i > 0) from += at[i] * static_cast<int64_t>(map.strides[i - 1]);
  }
  check_access(from, size, Access::kRead, nullptr);
  std::memcpy(to, from, size);
}

void run_tiled(const BulkCopy& copy) {
  const TensorMap& map = copy.map;
  size_t count = 1;
  for (int i = 0; i < map.rank; ++i) count *= map.box[i];
  for (size_t element = 0; element < count; ++element) {
    int64_t at[5];
    size_t rest = element;
    for (int i = 0; i < map.rank; ++i) {
      at[i] = copy.at[i] + static_cast<int64_t>(rest % map.box[i] * map.element_strides[i]);
      rest /= map.box[i];
    }
    put(copy, element, at);
  }
}

// Pixels run through the bounding box from its lower to its upper corner, row by row and then image
// by image, beginning at the coordinates given; the offset then shifts each of them.
void run_im2col(const BulkCopy& copy) {
  const TensorMap& map = copy.map;
  const int64_t first_w = map.lower[0],
                last_w = static_cast<int64_t>(map.sizes[1]) - 1 + map.upper[0];
  const int64_t first_h = map.lower[1],
                last_h = static_cast<int64_t>(map.sizes[2]) - 1 + map.upper[1];
  int64_t w = copy.at[1], h = copy.at[2], n = copy.at[3];
  for (uint32_t pixel = 0; pixel < map.pixels; ++pixel) {
    for (uint32_t c = 0; c < map.channels; ++c) {
      const int64_t at[] = {copy.at[0] + c, w + copy.offset[0], h + copy.offset[1], n};
      put(copy, size_t{pixel} * map.channels + c, at);
    }
    w += map.element_strides[1];
    if (w <= last_w) continue;
    w = first_w;
    h += map.element_strides[2];
    if (h <= last_h) continue;
    h = first_h;
    ++n;
  }
}

}  // namespace

void run_copy(const BulkCopy& copy) {
  if (copy.map.im2col) {
    run_im2col(copy);
  } else {
    run_tiled(copy);
  }
}

}  // namespace ebb::simt::engine

namespace ebb::simt::emulator {

// CUDA driver API, cuTensorMapEncodeTiled and cuTensorMapEncodeIm2col.
void check_map(const TensorMap& map) {
  const auto require = [](bool condition, const char* what) {
    EBB_CHECK(condition, DeviceError, "tensor map: ", what, ". Correct the map");
  };
  require(reinterpret_cast<uintptr_t>(map.base) % 16 == 0, "the base is not 16-byte aligned");
  for (int i = 0; i < map.rank; ++i) {
    require(map.sizes[i] >= 1 && map.sizes[i] <= uint64_t{1} << 32, "a size is not 1..2^32");
    require(map.element_strides[i] >= 1 && map.element_strides[i] <= 8, "a step is not 1..8");
    require(map.im2col || (map.box[i] >= 1 && map.box[i] <= 256), "a box side is not 1..256");
  }
  for (int i = 0; i + 1 < map.rank; ++i) {
    require(map.strides[i] % 16 == 0 && map.strides[i] < uint64_t{1} << 40,
            "a stride is no multiple of 16 bytes below 2^40");
  }
  const uint32_t inner = map.im2col ? map.channels : map.box[0];
  require(!map.swizzle_128 || inner * static_cast<uint32_t>(map.element_bytes) <= 128,
          "a swizzled row is longer than 128 bytes");
  if (!map.im2col) return;
  require(map.rank == 4, "im2col knows images alone");
  require(map.channels >= 1 && map.channels <= 256, "channels per pixel are not 1..256");
  require(map.pixels >= 1 && map.pixels <= 1024, "pixels per copy are not 1..1024");
  for (int i = 0; i < 2; ++i) {
    require(
        map.lower[i] >= -128 && map.lower[i] <= 127 && map.upper[i] >= -128 && map.upper[i] <= 127,
        "a corner is not -128..127");
  }
}

void tma_load(void* dst, const TensorMap* map, uint64_t* barrier, int rank, const int32_t* at,
              const uint16_t* offset, Site site) {
  using engine::to_string;
  engine::engine().self().site = site;
  if (map->rank != rank || map->im2col != (offset != nullptr)) {
    engine::fail("TMA at ", to_string(site), ": a ", rank, "-D ",
                 offset != nullptr ? "im2col" : "tile", " load of a map of rank ", map->rank,
                 map->im2col ? ", im2col" : ", tile");
  }
  // The hardware stops with an illegal instruction.
  if (at[0] * map->element_bytes % 16 != 0) {
    engine::fail("TMA at ", to_string(site), ": a copy from column ", at[0],
                 ", which is no multiple of 16 bytes");
  }
  engine::BulkCopy copy{dst, *map, {}, {}, 0};
  copy.bytes = static_cast<size_t>(map->element_bytes);
  for (int i = 0; i < rank; ++i) {
    copy.at[i] = at[i];
    if (!map->im2col) copy.bytes *= map->box[i];
  }
  if (map->im2col) {
    copy.bytes *= size_t{map->channels} * map->pixels;
    copy.offset[0] = offset[0];
    copy.offset[1] = offset[1];
  }
  engine::require_shared(dst, copy.bytes, map->swizzle_128 ? 1024 : 128, "TMA destination");
  engine::require_unread_by_wgmma(dst, copy.bytes, "TMA");
  engine::check_access(dst, copy.bytes, engine::Access::kWrite, nullptr);
  engine::check_in_flight(dst, copy.bytes, true);
  std::memset(dst, 0xff, copy.bytes);
  engine::mbarrier_add_copy(barrier, copy);
}

}  // namespace ebb::simt::emulator
