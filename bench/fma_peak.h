#pragma once

namespace ebb {

// Fused multiply-add rate of this machine with `threads` threads, in GFLOP/s: the register tile of
// the convolution kernels (kernels/conv/cpu/conv_tile-inl.h) on operands in L1. Convolutions are
// measured against this rate, because with AVX-512 a loop on registers alone runs faster than any
// loop that loads. The best of many short runs: on a shared machine most are disturbed. Takes about
// a second.
double loaded_fma_peak(int threads);

}  // namespace ebb
