#pragma once

#include <limits>
#include <string>

namespace ebb {

// Facts about a GPU from the CUDA runtime (cuda_facts.cc; in builds without CUDA no_cuda.cc).
struct CudaFacts {
  std::string name;
  int capability = 0;  // 90 is 9.0
  int multiprocessors = 0;
  double clock_mhz = 0, l2_mb = 0;
  std::string driver, runtime;  // CUDA versions

  // GFLOP/s at that clock, from multiply-adds per multiprocessor and clock: CUDA C++ Programming
  // Guide, "Throughput of Native Arithmetic Instructions", and the architectures' white papers for
  // dense tensor-core products with f32 sums, which GeForce cards run at half rate. NaN where not
  // listed.
  double f32_gflops() const { return rate(capability == 80 ? 64 : capability >= 86 ? 128 : 0); }
  double tf32_gflops() const { return rate(half_per_clock() / 2); }
  double half_gflops() const { return rate(half_per_clock()); }

 private:
  int half_per_clock() const {
    const int professional_or_geforce = name.find("GeForce") == std::string::npos ? 512 : 256;
    switch (capability) {
      case 80:
        return 1024;
      case 90:
        return 2048;
      case 86:
      case 89:
      case 120:
        return professional_or_geforce;
      case 100:
      case 103:
        return 4096;
      default:
        return 0;
    }
  }
  double rate(int multiply_adds) const {
    return multiply_adds > 0 ? 2e-3 * multiply_adds * multiprocessors * clock_mhz
                             : std::numeric_limits<double>::quiet_NaN();
  }
};

CudaFacts cuda_facts(int device);

// Makes a GPU the current one of this thread: the vendor's libraries work there.
void select_gpu(int device);

}  // namespace ebb
