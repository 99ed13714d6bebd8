#include <string_view>

#include "base/error.h"
#include "tests/fuzz/promises.h"
#include "tests/fuzz/targets.h"
#include "text/tokenizer.h"

namespace ebb::test {

void fuzz_sentencepiece(std::span<const uint8_t> bytes) {
  const std::string_view model(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  try {
    const Tokenizer tokenizer(parse_sentencepiece_model(model, "fuzz"), "fuzz");
    // The model's own bytes are as odd a text as any.
    for (const std::string_view text :
         {std::string_view(" a photo\xcc\x81 of \xff"), model.substr(0, 300)}) {
      for (const int32_t id : tokenizer.encode(text)) {
        expect(id >= 0 && id < tokenizer.size(), "an id of no piece");
      }
    }
  } catch (const FormatError& error) {
    check_message(error.what(), "fuzz: ", 2000);
  }
}

}  // namespace ebb::test
