#include <algorithm>
#include <array>
#include <filesystem>

#include "weights/file_kind.h"
#include "weights/open_weights_file.h"
#include "weights/safetensors_source.h"
#include "weights/sharded_source.h"
#include "weights/torch_source.h"
#include "weights/weight_files.h"
#include "weights/weight_source.h"

namespace ebb {

bool is_torch_file(const std::string& path) {
  const FileKind kind = file_kind(FileReader(path));
  if (kind == FileKind::kZip || kind == FileKind::kPickle) return true;
  constexpr std::array<std::string_view, 4> kEndings = {".pt", ".pth", ".bin", ".ckpt"};
  return kind != FileKind::kSafetensors &&
         std::any_of(kEndings.begin(), kEndings.end(),
                     [&](std::string_view ending) { return path.ends_with(ending); });
}

bool is_shard_index(const std::string& path) {
  const std::string name = std::filesystem::path(path).filename().string();
  return name.ends_with(".json") && name.find(".index.") != std::string::npos;
}

std::unique_ptr<WeightSource> open_weights_file(const std::string& path, const LoadLimits& limits) {
  if (is_torch_file(path)) return std::make_unique<TorchSource>(FileReader(path), limits);
  return std::make_unique<SafetensorsSource>(SafetensorsFile::open(path, limits));
}

std::unique_ptr<WeightSource> open_weights(const std::string& path, const LoadLimits& limits) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    return open_weights(find_weight_files(path).path, limits);
  }
  if (is_shard_index(path)) return std::make_unique<ShardedSource>(FileReader(path), limits);
  return open_weights_file(path, limits);
}

}  // namespace ebb
