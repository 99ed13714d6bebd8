#pragma once

#include <ebb/export.h>

#include <stdexcept>
#include <string>

namespace ebb {

// Every error of ebb is thrown as one of these. std::bad_alloc passes through: host memory.

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
class EBB_API Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message, ExitCode code = ExitCode::kInternal)
      : std::runtime_error(message), code_(code) {}
  ExitCode code() const { return code_; }

 private:
  ExitCode code_;
};

// Operands whose shapes or dtypes do not fit an operation.
class EBB_API ShapeError : public Error {
 public:
  explicit ShapeError(const std::string& message) : Error(message) {}
};

class EBB_API UsageError : public Error {
 public:
  explicit UsageError(const std::string& message) : Error(message, ExitCode::kUsage) {}
};

class EBB_API FormatError : public Error {
 public:
  explicit FormatError(const std::string& message) : Error(message, ExitCode::kFormat) {}
};

class EBB_API IoError : public Error {
 public:
  explicit IoError(const std::string& message) : Error(message, ExitCode::kIo) {}
};

class EBB_API DeviceError : public Error {
 public:
  explicit DeviceError(const std::string& message) : Error(message, ExitCode::kDevice) {}
};

class EBB_API DivergedError : public Error {
 public:
  explicit DivergedError(const std::string& message) : Error(message, ExitCode::kDiverged) {}
};

}  // namespace ebb
