#pragma once

namespace ebb {

// The values that stand for black and white: 0 or -1 is black, 1 is white.
enum class DataRange { kZeroToOne, kMinusOneToOne };

}  // namespace ebb
