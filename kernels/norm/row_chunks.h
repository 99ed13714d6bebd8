#pragma once

#include <cstdint>

namespace ebb {

// Division of the rows of [rows, C] for sums over them (dgamma, dbeta), by the shape alone.
struct RowChunks {
  int64_t rows_of_one, count;

  explicit constexpr RowChunks(int64_t rows)
      : rows_of_one(rows > kMaxChunks * kMinRows ? (rows + kMaxChunks - 1) / kMaxChunks : kMinRows),
        count((rows + rows_of_one - 1) / rows_of_one) {}

  static constexpr int64_t kMinRows = 64, kMaxChunks = 256;
};

}  // namespace ebb
