#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

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

// Streams its arguments into one string.
template <typename... Parts>
std::string cat(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

}  // namespace ebb

// Always on. EBB_CHECK(n > 0, UsageError, "--steps ", n, ": must be 1..1000").
#define EBB_CHECK(condition, ErrorType, ...)                    \
  do {                                                          \
    if (!(condition)) throw ErrorType(::ebb::cat(__VA_ARGS__)); \
  } while (false)
