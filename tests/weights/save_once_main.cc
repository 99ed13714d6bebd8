// save_once PATH BYTE: saves a safetensors file of 100,000 bytes with that value. For the test that
// makes system calls fail.

#include <csignal>
#include <cstdlib>
#include <iostream>

#include "base/error.h"
#include "weights/safetensors.h"

int main(int argc, char** argv) {
  std::signal(SIGXFSZ, SIG_IGN);
  if (argc != 3) return static_cast<int>(ebb::ExitCode::kUsage);
  const std::vector<uint8_t> values(100'000, static_cast<uint8_t>(std::atoi(argv[2])));
  try {
    ebb::save_safetensors(argv[1], {{"t", ebb::StDType::kU8, {values.size()}, values.data()}}, {});
  } catch (const ebb::Error& error) {
    std::cerr << "error: " << error.what() << '\n';
    return static_cast<int>(error.code());
  }
  return 0;
}
