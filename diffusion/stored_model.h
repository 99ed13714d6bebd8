#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ebb {

// A stored model: a model file, a checkpoint of train_mnist, or a state dict with the prefixes that
// PyTorch's wrappers put in front of every name.
struct StoredModel {
  std::map<std::string, std::string> metadata;  // that of a model file (weights/README.md)
  // The parameter that a stored tensor is; nothing for a tensor that the model does without.
  std::function<std::optional<std::string>(std::string_view stored)> parameter;
};

// metadata, tensors: what the file holds. Of a checkpoint the model is what the final model would
// be: the moving average where the run keeps one, else the weights; the optimizer's state is left
// out. "module." (DataParallel, AveragedModel) and "_orig_mod." (torch.compile) are taken off when
// they stand before every name. FormatError, naming `label`, for a checkpoint with a damaged
// config.
StoredModel stored_model(const std::map<std::string, std::string>& metadata,
                         const std::vector<std::string>& tensors, const std::string& label);

}  // namespace ebb
