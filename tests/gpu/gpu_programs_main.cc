// All programs of a GPU machine in one file: called as bench_train, through a link or as its first
// argument, it is bench_train.

#include <algorithm>
#include <array>
#include <filesystem>
#include <iostream>

int bench_kernels_main(int argc, char** argv);
int bench_train_main(int argc, char** argv);
int bench_unet_main(int argc, char** argv);
int gpu_parity_main(int argc, char** argv);
int simt_conformance_main(int argc, char** argv);
int train_mnist_main(int argc, char** argv);

namespace {

struct Program {
  const char* name;
  int (*run)(int argc, char** argv);
};

constexpr std::array<Program, 6> kPrograms = {{{"bench_kernels", bench_kernels_main},
                                               {"bench_train", bench_train_main},
                                               {"bench_unet", bench_unet_main},
                                               {"gpu_parity", gpu_parity_main},
                                               {"simt_conformance", simt_conformance_main},
                                               {"train_mnist", train_mnist_main}}};

const Program* find(const char* path) {
  const auto called = std::filesystem::path(path).filename();
  const auto* const found = std::find_if(kPrograms.begin(), kPrograms.end(),
                                         [&](const Program& p) { return called == p.name; });
  return found == kPrograms.end() ? nullptr : found;
}

}  // namespace

int main(int argc, char** argv) {
  if (const Program* program = argc > 0 ? find(argv[0]) : nullptr) return program->run(argc, argv);
  if (const Program* program = argc > 1 ? find(argv[1]) : nullptr) {
    return program->run(argc - 1, argv + 1);
  }
  std::cerr << "usage: gpu_programs PROGRAM FLAG...   where PROGRAM is one of";
  for (const Program& program : kPrograms) std::cerr << ' ' << program.name;
  std::cerr << "\n";
  return 2;
}
