#include <filesystem>

#include "testing/catch.h"
#include "testing/temp_dir.h"
#include "tests/fuzz/targets.h"

namespace ebb::test {
namespace {

using Target = void (*)(std::span<const uint8_t>);

int replay(const std::string& corpus, Target target) {
  int inputs = 0;
  for (const auto& entry : std::filesystem::directory_iterator("tests/fuzz/corpus/" + corpus)) {
    INFO(entry.path().string());
    const std::string bytes = get_file(entry.path().string());
    CHECK_NOTHROW(target({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}));
    ++inputs;
  }
  return inputs;
}

TEST_CASE("the fuzzing corpus of safetensors files breaks no promise") {
  CHECK(replay("safetensors", fuzz_safetensors) >= 30);
}

TEST_CASE("the fuzzing corpus of files of torch.save() breaks no promise") {
  CHECK(replay("torch", fuzz_torch) >= 10);
  CHECK(replay("pickle", fuzz_pickle) >= 10);
}

TEST_CASE("the fuzzing corpus of indices breaks no promise") {
  CHECK(replay("shard_index", fuzz_shard_index) >= 8);
}

TEST_CASE("the fuzzing corpus of IDX files breaks no promise") {
  CHECK(replay("idx", fuzz_idx) >= 10);
}

}  // namespace
}  // namespace ebb::test
