#include "base/precision.h"

#include "base/error.h"
#include "base/text.h"

namespace ebb {

const char* to_string(Precision precision) {
  switch (precision) {
    case Precision::kF32:
      return "f32";
    case Precision::kTf32:
      return "tf32";
    case Precision::kBF16:
      return "bf16";
    case Precision::kF16:
      return "f16";
  }
  return "unknown";
}

Precision parse_precision(const std::string& text) {
  for (const Precision precision :
       {Precision::kF32, Precision::kTf32, Precision::kBF16, Precision::kF16}) {
    if (text == to_string(precision)) return precision;
  }
  throw UsageError(
      cat("--precision ", terminal_safe(text), ": unknown precision. Use f32, tf32, bf16 or f16"));
}

DType activation_dtype(Precision precision) {
  switch (precision) {
    case Precision::kF32:
    case Precision::kTf32:
      return DType::kF32;
    case Precision::kBF16:
      return DType::kBF16;
    case Precision::kF16:
      return DType::kF16;
  }
  return DType::kF32;
}

}  // namespace ebb
