#include "apps/cli/build_id.h"
#include "apps/cli/cli.h"
#include "base/text.h"
#include "kernels/cpu/simd_name.h"

namespace ebb {
namespace {

// Highway calls AVX-512 AVX3.
std::string processor() {
  const std::string name = cpu::simd_name();
  return name.starts_with("AVX3") ? "AVX2 AVX-512" : name;
}

}  // namespace

const char* program_version() { return EBB_VERSION; }

std::string version_text(const std::string& program) {
  const std::string commit = build_commit(), date = build_date();
  return cat(program, " ", program_version(), "\nbuild ", commit.empty() ? "of no commit" : commit,
             date.empty() ? "" : ", ", date, ", ", EBB_BUILT_BY, "\ncpu ", processor(), "; cuda ",
             EBB_BUILT_WITH_CUDA, "; ", EBB_BUILT_WITH);
}

}  // namespace ebb
