#include "kernels/cpu/simd_name.h"

#include <hwy/targets.h>

namespace ebb::cpu {

const char* simd_name() {
  const int64_t usable = hwy::SupportedTargets() & HWY_TARGETS;
  return hwy::TargetName(usable & -usable);  // better targets have lower bits
}

}  // namespace ebb::cpu
