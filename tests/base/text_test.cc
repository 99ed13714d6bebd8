#include "base/text.h"

#include <iomanip>

#include "testing/catch.h"

namespace ebb {
namespace {

TEST_CASE("control characters, bidirectional overrides and invalid UTF-8 come out escaped") {
  CHECK(terminal_safe("a\tb\nc\rd") == "a\\tb\\nc\\rd");
  CHECK(terminal_safe("\x1b[31m") == "\\x1b[31m");
  CHECK(terminal_safe(std::string_view("a\0b", 3)) == "a\\x00b");
  CHECK(terminal_safe("C:\\x") == "C:\\\\x");
  CHECK(terminal_safe("\x7f\u0085\u202e\u2066\ufeff") ==
        "\\u{7f}\\u{85}\\u{202e}\\u{2066}\\u{feff}");
  CHECK(terminal_safe("\xff\xc0\x80\xed\xa0\x80") == "\\xff\\xc0\\x80\\xed\\xa0\\x80");
}

TEST_CASE("a message is made safe as a whole, once") {
  CHECK(safe_message("a\\nb \x1b[2J\n\u202e caf\u00e9 \xff") ==
        "a\\nb \\x1b[2J\\n\\u{202e} caf\u00e9 \\xff");
  CHECK(safe_message(std::string(5000, 'x')) == std::string(5000, 'x'));
}

TEST_CASE("other text stays as it is") {
  CHECK(terminal_safe("caf\u00e9 \u65e5\u672c \U0001f600 \"q\"") ==
        "caf\u00e9 \u65e5\u672c \U0001f600 \"q\"");
}

TEST_CASE("long text is cut at the given number of characters") {
  CHECK(terminal_safe(std::string(200, 'x')) == std::string(200, 'x'));
  CHECK(terminal_safe(std::string(1'000'000, 'x')) == std::string(200, 'x') + "...");
  CHECK(terminal_safe("\u00e9\u00e9\u00e9", 2) == "\u00e9\u00e9...");
  CHECK(terminal_safe("ab\n\n", 4) == "ab\\n...");
  CHECK(path_label(std::string(4000, 'd')) == std::string(4000, 'd'));
}

TEST_CASE("quoted is ours, not std::quoted, for every kind of string") {
  std::string text = "a\tb";
  const std::string constant = text;
  CHECK(quoted(text) == "\"a\\tb\"");
  CHECK(quoted(constant) == "\"a\\tb\"");
  CHECK(quoted("a\tb") == "\"a\\tb\"");
}

TEST_CASE("bytes are printed exactly and, when large, readably") {
  CHECK(format_bytes(1) == "1 byte");
  CHECK(format_bytes(3152) == "3152 bytes");
  CHECK(format_bytes(432'331'981) == "432331981 bytes (412.3 MiB)");
  CHECK(format_bytes(uint64_t{30} << 30) == "32212254720 bytes (30.0 GiB)");
  CHECK(format_bytes(UINT64_MAX) == "18446744073709551615 bytes (16.0 EiB)");
}

}  // namespace
}  // namespace ebb
