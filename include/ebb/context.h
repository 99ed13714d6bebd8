#pragma once

#include <ebb/export.h>

#include <memory>
#include <string>
#include <vector>

namespace ebb::api {

// The number format in which a device computes networks. Sums, weights and losses are f32 always.
// All but kF32 need a GPU.
enum class Precision {
  kF32,
  kTf32,  // tensor cores round what they multiply to 10 bits of mantissa
  kBF16,  // activations of 16 bits
  kF16,   // the same; not for training
};

struct ContextOptions {
  std::string device = "auto";  // "cpu", "cuda", "cuda:N"; "auto": the first GPU, else the CPU
  Precision precision = Precision::kF32;
  int threads = 0;  // of the CPU; 0: all that the process may use
};

// A device with its memory, and how to compute on it. Copies are the same context. Contexts of one
// process know nothing of each other; everything that belongs to one context is used by one thread
// at a time.
class EBB_API Context {
 public:
  std::string device() const;  // "cpu", "cuda:0"

  struct EBB_LOCAL Impl;
  explicit Context(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
  const std::shared_ptr<Impl>& impl() const { return impl_; }

 private:
  std::shared_ptr<Impl> impl_;
};

// UsageError for a bad name or a precision that the device lacks, DeviceError for a device that
// this build or this machine lacks.
EBB_API Context make_context(const ContextOptions& options = {});

// One line for each device that can be named, with the reason where it cannot be used here.
EBB_API std::vector<std::string> list_devices();

}  // namespace ebb::api
