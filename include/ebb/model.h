#pragma once

#include <ebb/context.h>
#include <ebb/export.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace ebb::api {

// A trained network and what it was trained for. Copies share the weights.
class EBB_API Model {
 public:
  // A model file (safetensors), the directory of a training run, or the name of a pretrained model:
  // "mnist-class", "mnist-class-flow", "mnist-time", "mnist-denoiser". Names are looked for in the
  // directories of $EBB_MODELS (separated by ':'), in ./weights/pretrained, and in share/ebb/models
  // of the prefix where the program or libebb is installed.
  // IoError when there is no such model, FormatError when the file is damaged or no model of ebb.
  static Model load(const Context& context, const std::string& name_or_path);

  const std::string& path() const;    // empty for a model that comes from a Trainer
  const std::string& sha256() const;  // of the file, 64 hexadecimal digits; empty as above
  std::string objective() const;      // "ddpm", "flow", "denoise", "pure_noise" or "classify"
  int64_t classes() const;            // that it was trained with; 0: it takes no class
  int width() const;                  // of its images, in pixels
  int height() const;
  int channels() const;
  // The file's metadata, which says how it was made: "ebb.command", "ebb.seed", ...
  const std::map<std::string, std::string>& metadata() const;
  const std::vector<std::string>& warnings() const;  // about weights that are not finite

  struct EBB_LOCAL Impl;
  explicit Model(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  const std::shared_ptr<const Impl>& impl() const { return impl_; }

 private:
  std::shared_ptr<const Impl> impl_;
};

}  // namespace ebb::api
