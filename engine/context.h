#pragma once

#include <memory>
#include <string>

#include "base/device.h"
#include "base/error.h"
#include "base/kernel_stream.h"
#include "base/precision.h"
#include "engine/allocator.h"
#include "engine/profile.h"
#include "engine/stream.h"

namespace ebb {

// kernels/kernel_table.h, which every file that launches includes.
struct KernelTable;
template <typename Fn>
struct KernelEntry;

// A device with its stream, memory and kernels. Passed explicitly; there is no global context.
// Created by make_context() (engine/backend.h). Not thread-safe: one thread per context.
class Context {
 public:
  Context(Device device, std::shared_ptr<Stream> stream, std::shared_ptr<Allocator> allocator,
          const KernelTable& kernels, Precision precision = Precision::kF32,
          const ConvMath& conv_math = {}, const DeviceProperties& properties = {})
      : device_(device),
        stream_(std::move(stream)),
        allocator_(std::move(allocator)),
        kernels_(kernels),
        precision_(precision),
        conv_math_(conv_math),
        properties_(properties) {}
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  Device device() const { return device_; }
  // Precision of networks; single operations follow the types of their tensors.
  Precision precision() const { return precision_; }
  // The convolution kernels that may run, passed to every kernel and to queries about convolutions.
  const ConvMath& conv_math() const { return conv_math_; }
  const DeviceProperties& properties() const { return properties_; }
  const KernelTable& kernels() const { return kernels_; }
  KernelStream kernel_stream() const {
    KernelStream stream = stream_->handle();
    stream.conv_math = conv_math_;
    stream.device = properties_;
    return stream;
  }
  const std::shared_ptr<Stream>& stream() const { return stream_; }
  const std::shared_ptr<Allocator>& allocator() const { return allocator_; }

  // The entry of the backend's table; DeviceError when the backend does not have it.
  template <typename Fn>
  Fn* kernel(KernelEntry<Fn> KernelTable::*entry) const {
    const KernelEntry<Fn>& found = kernels_.*entry;
    if (found.fn == nullptr) reject_missing(found.name);
    return found.fn;
  }

  // Every kernel starts here: looked up, run, timed under the current layer when profiling.
  // label: the name in the profile where it is not the kernel's.
  template <typename Args>
  void launch(KernelEntry<void(const Args&, KernelStream)> KernelTable::*entry, const Args& args,
              const char* label = nullptr) {
    auto* function = kernel(entry);
    if (profiler_ == nullptr) {
      function(args, kernel_stream());
      return;
    }
    const double seconds = stream_->time_seconds([&] { function(args, kernel_stream()); });
    const char* const name = label != nullptr ? label : (kernels_.*entry).name;
    profiler_->record(name, layer_ == nullptr ? std::string("-") : *layer_, seconds);
  }

  // The same device with a memory pool of its own (Allocator::pool), for captured graphs.
  std::unique_ptr<Context> with_pool() const {
    return std::make_unique<Context>(device_, stream_, allocator_->pool(), kernels_, precision_,
                                     conv_math_, properties_);
  }

  void enable_profiler() { profiler_ = std::make_unique<Profiler>(); }
  const Profiler* profiler() const { return profiler_.get(); }

 private:
  friend class LayerScope;

  [[noreturn]] void reject_missing(const char* kernel_name) const;

  Device device_;
  std::shared_ptr<Stream> stream_;
  std::shared_ptr<Allocator> allocator_;
  const KernelTable& kernels_;
  Precision precision_;
  ConvMath conv_math_;
  DeviceProperties properties_;
  std::unique_ptr<Profiler> profiler_;
  const std::string* layer_ = nullptr;
};

// Names the layer that launches in this scope belong to. The string outlives the scope.
class LayerScope {
 public:
  LayerScope(Context& context, const std::string& layer)
      : context_(context), previous_(context.layer_) {
    context.layer_ = &layer;
  }
  ~LayerScope() { context_.layer_ = previous_; }
  LayerScope(const LayerScope&) = delete;
  LayerScope& operator=(const LayerScope&) = delete;

 private:
  Context& context_;
  const std::string* previous_;
};

}  // namespace ebb
