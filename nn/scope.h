#pragma once

#include <string>
#include <utility>

namespace ebb {

// The dotted name of a module or parameter, as in a PyTorch state dict: Scope("down1") / "bn".
class Scope {
 public:
  Scope() = default;
  explicit Scope(std::string path) : path_(std::move(path)) {}

  Scope operator/(const std::string& name) const {
    return Scope(path_.empty() ? name : path_ + "." + name);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace ebb
