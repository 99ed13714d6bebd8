#include "weights/mnist_dataset.h"

#include <cstdlib>
#include <filesystem>

#include "base/error.h"
#include "weights/idx.h"

namespace ebb {
namespace {

namespace fs = std::filesystem;

std::string find_file(const std::string& directory, const std::string& name) {
  for (const std::string& candidate : {name + ".gz", name}) {
    const fs::path path = fs::path(directory) / candidate;
    std::error_code error;
    if (fs::exists(path, error)) return path.string();
  }
  throw IoError(cat("--data ", directory, ": found neither ", name, ".gz nor ", name,
                    ". Run scripts/get_mnist ", directory,
                    " or point --data (or EBB_DATA) at the four MNIST files"));
}

}  // namespace

std::string mnist_directory(const std::string& flag) {
  if (!flag.empty()) return flag;
  const char* environment = std::getenv("EBB_DATA");
  return environment != nullptr && *environment != '\0' ? environment : "data/mnist";
}

MnistDataset load_mnist(const std::string& data, MnistSplit split) {
  const std::string directory = mnist_directory(data);
  const std::string prefix = split == MnistSplit::kTrain ? "train" : "t10k";
  const std::string images_path = find_file(directory, prefix + "-images-idx3-ubyte");
  const std::string labels_path = find_file(directory, prefix + "-labels-idx1-ubyte");
  IdxImages images = read_idx_images(images_path);
  IdxLabels labels = read_idx_labels(labels_path);
  check_idx_pair(images_path, images, labels_path, labels);
  return {.count = images.count,
          .images = std::move(images.pixels),
          .labels = std::move(labels.values),
          .fingerprint = images.sha256 + "+" + labels.sha256};
}

}  // namespace ebb
