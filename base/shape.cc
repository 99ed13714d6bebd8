#include "base/shape.h"

#include <algorithm>
#include <ostream>

#include "base/error.h"

namespace ebb {

Shape::Shape(std::initializer_list<int64_t> dims) {
  for (int64_t dim : dims) push_back(dim);
}

void Shape::push_back(int64_t dim) {
  EBB_CHECK(rank_ < kMaxRank, ShapeError, "shape: more than ", kMaxRank, " dimensions");
  EBB_CHECK(dim >= 0, ShapeError, "shape: dimension ", rank_, " is ", dim, ", expected >= 0");
  dims_[rank_++] = dim;
}

int64_t Shape::elements() const {
  int64_t product = 1;
  for (int64_t dim : *this) {
    EBB_CHECK(!__builtin_mul_overflow(product, dim, &product), ShapeError, "shape ", *this,
              ": more than 2^63 elements");
  }
  return product;
}

bool operator==(const Shape& a, const Shape& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

std::string to_string(const Shape& shape) {
  std::string text = "[";
  for (int i = 0; i < shape.rank(); ++i) text += cat(i == 0 ? "" : ", ", shape[i]);
  return text + "]";
}

std::ostream& operator<<(std::ostream& out, const Shape& shape) { return out << to_string(shape); }

}  // namespace ebb
