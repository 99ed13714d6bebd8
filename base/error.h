#pragma once

#include <concepts>
#include <stdexcept>
#include <string>
#include <string_view>

namespace ebb {

// Process exit codes, the same for every program.
enum class ExitCode : int {
  kOk = 0,
  kInternal = 1,     // a bug in ebb; ask the user to report it
  kUsage = 2,        // wrong flag, value or combination
  kFormat = 3,       // a file is damaged or not suitable
  kIo = 4,           // cannot read or write (disk, permission)
  kDevice = 5,       // GPU or memory unavailable
  kDiverged = 6,     // training stopped by the NaN guard
  kInterrupt = 130,  // SIGINT after a clean save
  kTerminate = 143,  // SIGTERM after a clean save
};

// Every message reads "<file or flag>: <what was found and expected>. <what to do>".
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message, ExitCode code = ExitCode::kInternal)
      : std::runtime_error(message), code_(code) {}
  ExitCode code() const { return code_; }

 private:
  ExitCode code_;
};

// Operands whose shapes or dtypes do not fit an operation.
class ShapeError : public Error {
 public:
  explicit ShapeError(const std::string& message) : Error(message) {}
};

class UsageError : public Error {
 public:
  explicit UsageError(const std::string& message) : Error(message, ExitCode::kUsage) {}
};

class FormatError : public Error {
 public:
  explicit FormatError(const std::string& message) : Error(message, ExitCode::kFormat) {}
};

class IoError : public Error {
 public:
  explicit IoError(const std::string& message) : Error(message, ExitCode::kIo) {}
};

class DeviceError : public Error {
 public:
  explicit DeviceError(const std::string& message) : Error(message, ExitCode::kDevice) {}
};

class DivergedError : public Error {
 public:
  explicit DivergedError(const std::string& message) : Error(message, ExitCode::kDiverged) {}
};

// Appends a value to a message as std::ostream writes it: numbers of type double with six
// significant digits. Without streams, because messages are everywhere and each stream costs time
// to compile.
void append_to(std::string& message, std::string_view text);
void append_to(std::string& message, const char* text);
void append_to(std::string& message, char character);
void append_to(std::string& message, signed char character);
void append_to(std::string& message, unsigned char character);
void append_to(std::string& message, int number);
void append_to(std::string& message, unsigned number);
void append_to(std::string& message, long number);
void append_to(std::string& message, unsigned long number);
void append_to(std::string& message, long long number);
void append_to(std::string& message, unsigned long long number);
void append_to(std::string& message, double number);

// A type of ours, e.g. Shape.
template <typename T>
requires requires(const T& value) {
  { to_string(value) } -> std::convertible_to<std::string_view>;
}
void append_to(std::string& message, const T& value) {
  append_to(message, std::string_view(to_string(value)));
}

// Its arguments as one string.
template <typename... Parts>
std::string cat(const Parts&... parts) {
  std::string message;
  (append_to(message, parts), ...);
  return message;
}

}  // namespace ebb

// Always on. EBB_CHECK(n > 0, UsageError, "--steps ", n, ": must be 1..1000").
#define EBB_CHECK(condition, ErrorType, ...)                    \
  do {                                                          \
    if (!(condition)) throw ErrorType(::ebb::cat(__VA_ARGS__)); \
  } while (false)
