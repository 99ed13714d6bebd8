#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "weights/safetensors.h"

namespace ebb::test {

// Double-precision arrays of a golden file (tests/golden/README.md).
class GoldenF64 {
 public:
  explicit GoldenF64(const std::string& name)
      : file_(SafetensorsFile::open("tests/golden/" + name + ".safetensors")) {}

  std::vector<double> operator[](const std::string& name) const {
    const TensorEntry* entry = file_.find(name);
    EBB_CHECK(entry != nullptr && entry->dtype == StDType::kF64, FormatError, file_.label(),
              ": no F64 tensor ", name);
    std::vector<double> values(entry->bytes() / sizeof(double));
    file_.read(*entry, values.data());
    return values;
  }

 private:
  SafetensorsFile file_;
};

}  // namespace ebb::test
