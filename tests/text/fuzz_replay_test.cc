#include <filesystem>

#include "testing/catch.h"
#include "testing/temp_dir.h"
#include "tests/fuzz/targets.h"

namespace ebb::test {
namespace {

TEST_CASE("the fuzzing corpus of SentencePiece models breaks no promise") {
  int inputs = 0;
  for (const auto& entry : std::filesystem::directory_iterator("tests/fuzz/corpus/sentencepiece")) {
    INFO(entry.path().string());
    const std::string bytes = get_file(entry.path().string());
    CHECK_NOTHROW(
        fuzz_sentencepiece({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}));
    ++inputs;
  }
  CHECK(inputs >= 10);
}

}  // namespace
}  // namespace ebb::test
