#pragma once

#include <hwy/targets.h>

#include <cstdint>
#include <string>
#include <vector>

namespace ebb::test {

// The SIMD levels that the kernels are compiled for and this machine has, best first. The scalar
// fallback is always among them.
inline std::vector<int64_t> simd_levels() {
  std::vector<int64_t> levels;
  for (int64_t level : {HWY_AVX3, HWY_AVX2, HWY_NEON, HWY_SCALAR}) {
    if ((hwy::SupportedTargets() & level) != 0) levels.push_back(level);
  }
  return levels;
}

// Makes every kernel run at one SIMD level for the lifetime of the object:
//   SimdLevel level(GENERATE(from_range(simd_levels())));
class SimdLevel {
 public:
  explicit SimdLevel(int64_t level) : name_(hwy::TargetName(level)), has_fma_(level != HWY_SCALAR) {
    use(level);
  }
  ~SimdLevel() { use(0); }
  SimdLevel(const SimdLevel&) = delete;
  SimdLevel& operator=(const SimdLevel&) = delete;

  const std::string& name() const { return name_; }
  // Whether multiply-add rounds once; the scalar fallback rounds twice.
  bool has_fma() const { return has_fma_; }

 private:
  static void use(int64_t level) {  // 0: what the machine has
    hwy::SetSupportedTargetsForTest(level);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  }

  std::string name_;
  bool has_fma_;
};

}  // namespace ebb::test
