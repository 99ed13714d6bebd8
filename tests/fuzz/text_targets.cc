#include <algorithm>
#include <stdexcept>
#include <string>

#include "base/error.h"
#include "tests/fuzz/targets.h"
#include "text/tokenizer.h"

namespace ebb::test {
namespace {

void expect(bool promise, const char* text) {
  if (!promise) throw std::logic_error(text);
}

}  // namespace

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
    const std::string message = error.what();
    expect(std::none_of(message.begin(), message.end(), [](unsigned char c) { return c < ' '; }),
           "a message holds control characters");
    expect(message.starts_with("fuzz: ") && message.size() < 2000, "an odd message");
  }
}

}  // namespace ebb::test
