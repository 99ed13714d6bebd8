#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace ebb {

// Paths that mean a stream, which is read or written once from front to back, and never replaced
// or kept: "-" (standard input or output), /dev/stdin, /dev/stdout, /dev/stderr, /dev/fd/N (as the
// shell's <(...) and >(...) give it) and /proc/self/fd/N, whatever is behind them; pipes; and for
// output devices such as /dev/null.
bool is_input_stream(const std::string& path);
bool is_output_stream(const std::string& path);
// Whether `path` is the stream that text output goes to.
bool is_standard_output(const std::string& path);

// The bytes of a stream or file. FormatError when there are more than max_bytes; UsageError when
// they would have to be typed.
std::vector<std::byte> read_file_or_stream(const std::string& path, uint64_t max_bytes);

// For a path that is_output_stream(): UsageError for a terminal, which shows no images, IoError
// when the stream is closed. When it is standard output, text that goes to std::cout from now on
// goes to standard error, so that nothing mixes with the bytes.
void check_output_stream(const std::string& path);
void write_output_stream(const std::string& path, std::span<const uint8_t> bytes);

}  // namespace ebb
