#include <filesystem>

#include "testing/catch.h"
#include "testing/temp_dir.h"
#include "tests/fuzz/targets.h"

namespace ebb::test {
namespace {

using Target = void (*)(std::span<const uint8_t>);

TEST_CASE("the fuzzing corpora of images break no promise") {
  const std::pair<const char*, Target> corpora[] = {
      {"png", fuzz_png}, {"jpeg", fuzz_jpeg}, {"webp", fuzz_webp}, {"gif", fuzz_gif},
      {"bmp", fuzz_bmp}, {"pnm", fuzz_pnm},   {"tga", fuzz_tga}};
  for (const auto& [name, target] : corpora) {
    int inputs = 0;
    for (const auto& entry :
         std::filesystem::directory_iterator(std::string("tests/fuzz/corpus/") + name)) {
      INFO(entry.path().string());
      const std::string bytes = get_file(entry.path().string());
      CHECK_NOTHROW(target({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}));
      ++inputs;
    }
    INFO(name);
    CHECK(inputs >= 3);
  }
}

}  // namespace
}  // namespace ebb::test
