#include "apps/ebb/stored_samples.h"

#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <optional>

#include "apps/cli/provenance.h"
#include "base/error.h"
#include "base/output_file.h"
#include "base/text.h"
#include "image/image.h"
#include "image/png.h"
#include "weights/npz.h"
#include "weights/safetensors.h"

namespace ebb {
namespace {

namespace fs = std::filesystem;

constexpr const char* kImages = "images";
constexpr const char* kLabels = "labels";
constexpr const char* kImageArray = "arr_0";
constexpr const char* kLabelArray = "arr_1";
constexpr const char* kMadeKey = "ebb.samples";

bool is_npz_name(const std::string& path) { return fs::path(path).extension() == ".npz"; }

bool is_there(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0;
}

std::vector<std::byte> read_entry(const SafetensorsFile& file, const TensorEntry& entry) {
  std::vector<std::byte> bytes(entry.bytes());
  file.file().read_at(file.data_start() + entry.begin, bytes.data(), bytes.size());
  return bytes;
}

// Sizes from a shape [N, H, W, C]; FormatError for another one.
StoredSamples with_shape(const std::string& label, const std::vector<uint64_t>& shape) {
  EBB_CHECK(shape.size() == 4 && shape[0] > 0 && (shape[3] == 1 || shape[3] == 3), FormatError,
            label, ": images of ", shape.size(),
            " dimensions or other channels, expected [N, height, width, 1 or 3]. Write it with "
            "ebb sample.");
  return {.images = static_cast<int64_t>(shape[0]),
          .height = static_cast<int64_t>(shape[1]),
          .width = static_cast<int64_t>(shape[2]),
          .channels = static_cast<int64_t>(shape[3]),
          .pixels = {},
          .labels = {}};
}

void set_content(StoredSamples& samples, const std::string& label,
                 const std::vector<std::byte>& pixels, const std::vector<std::byte>* labels) {
  samples.pixels.resize(pixels.size());
  std::memcpy(samples.pixels.data(), pixels.data(), pixels.size());
  if (labels == nullptr) return;
  const auto count = static_cast<size_t>(samples.images);
  EBB_CHECK(labels->size() == count * sizeof(int64_t), FormatError, label, ": ", labels->size(),
            " bytes of classes, expected one of 8 bytes for each of ", count,
            " images. Write it with ebb sample.");
  samples.labels.resize(count);
  std::memcpy(samples.labels.data(), labels->data(), labels->size());
}

StoredSamples read_npz(const std::string& path) {
  const NpzFile file(path);
  const NpyArray* images = file.find(kImageArray);
  EBB_CHECK(images != nullptr && images->descr == "|u1", FormatError, file.label(),
            ": has no array ", kImageArray, " of type uint8. Write it with ebb sample.");
  StoredSamples samples = with_shape(file.label(), images->shape);
  const NpyArray* labels = file.find(kLabelArray);
  EBB_CHECK(labels == nullptr || labels->descr == "<i8", FormatError, file.label(), ": ",
            kLabelArray, " is of type ", terminal_safe(labels->descr), ", expected int64.");
  std::vector<std::byte> classes;
  if (labels != nullptr) classes = file.read(*labels);
  set_content(samples, file.label(), file.read(*images), labels == nullptr ? nullptr : &classes);
  return samples;
}

StoredSamples read_tensors(const SafetensorsFile& file) {
  const TensorEntry* images = file.find(kImages);
  EBB_CHECK(images != nullptr && images->dtype == StDType::kU8, FormatError, file.label(),
            ": has no tensor ", kImages, " of type U8. Write it with ebb sample.");
  StoredSamples samples = with_shape(file.label(), images->shape);
  const TensorEntry* labels = file.find(kLabels);
  EBB_CHECK(labels == nullptr || labels->dtype == StDType::kI64, FormatError, file.label(), ": ",
            kLabels, " is of type ", to_string(labels->dtype), ", expected I64.");
  std::vector<std::byte> classes;
  if (labels != nullptr) classes = read_entry(file, *labels);
  set_content(samples, file.label(), read_entry(file, *images),
              labels == nullptr ? nullptr : &classes);
  return samples;
}

std::vector<TensorToSave> tensors_of(const StoredSamples& samples) {
  std::vector<TensorToSave> tensors;
  const auto size = [](int64_t value) { return static_cast<uint64_t>(value); };
  tensors.push_back(
      {kImages,
       StDType::kU8,
       {size(samples.images), size(samples.height), size(samples.width), size(samples.channels)},
       samples.pixels.data()});
  if (!samples.labels.empty()) {
    tensors.push_back({kLabels, StDType::kI64, {size(samples.images)}, samples.labels.data()});
  }
  return tensors;
}

StoredSamples load_block(const BlockFile& block) {
  const SafetensorsFile file = SafetensorsFile::open(block.path);
  file.verify_digest();
  StoredSamples samples = read_tensors(file);
  EBB_CHECK(samples.images == block.images, FormatError, file.label(), ": holds ", samples.images,
            " images, expected ", block.images, ". Remove it and run again with --missing.");
  return samples;
}

// Three equal channels for gray images.
std::vector<uint8_t> in_color(const StoredSamples& samples) {
  std::vector<uint8_t> pixels(3 * samples.pixels.size());
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = samples.pixels[i / 3];
  return pixels;
}

void join_npz(const std::string& path, std::span<const BlockFile> blocks, bool gray,
              const std::string& made, Overwrite overwrite) {
  const StoredSamples first = load_block(blocks.front());
  const bool colors = first.channels == 1 && !gray;
  uint64_t images = 0;
  for (const BlockFile& block : blocks) images += static_cast<uint64_t>(block.images);
  const auto stream_pixels = [&](const NpyToSave::Sink& sink) {
    for (const BlockFile& block : blocks) {
      StoredSamples samples = load_block(block);
      if (colors) samples.pixels = in_color(samples);
      sink(std::as_bytes(std::span(samples.pixels)));
    }
  };
  const auto stream_labels = [&](const NpyToSave::Sink& sink) {
    for (const BlockFile& block : blocks) {
      const StoredSamples samples = load_block(block);
      sink(std::as_bytes(std::span(samples.labels)));
    }
  };
  std::vector<NpyToSave> arrays;
  arrays.push_back(
      {{kImageArray,
        "|u1",
        {images, static_cast<uint64_t>(first.height), static_cast<uint64_t>(first.width),
         colors ? 3u : static_cast<uint64_t>(first.channels)}},
       stream_pixels});
  if (!first.labels.empty()) arrays.push_back({{kLabelArray, "<i8", {images}}, stream_labels});
  save_npz(path, arrays, made, overwrite);
}

void join_tensors(const std::string& path, std::span<const BlockFile> blocks,
                  const std::string& made, Overwrite overwrite) {
  StoredSamples all;
  for (const BlockFile& block : blocks) {
    const StoredSamples samples = load_block(block);
    if (all.images == 0) {
      all = samples;
      continue;
    }
    all.pixels.insert(all.pixels.end(), samples.pixels.begin(), samples.pixels.end());
    all.labels.insert(all.labels.end(), samples.labels.begin(), samples.labels.end());
    all.images += samples.images;
  }
  check_output_file(path, overwrite);
  std::map<std::string, std::string> metadata;
  if (!made.empty()) metadata[kMadeKey] = made;
  save_safetensors(path, tensors_of(all), metadata);
}

// Files that `ebb sample -o out/%06d.png` wrote, in the order of their names: nothing else is in
// the directory.
std::vector<std::string> image_files(const std::string& directory) {
  std::vector<std::string> files;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    if (entry.path().extension() != ".png") return {};
    files.push_back(entry.path().string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

// "class 3" -> 3.
std::optional<int64_t> class_of(const std::string& prompt) {
  constexpr std::string_view kClass = "class ";
  if (!prompt.starts_with(kClass)) return std::nullopt;
  int64_t label = -1;
  const char* end = prompt.data() + prompt.size();
  const auto [rest, code] = std::from_chars(prompt.data() + kClass.size(), end, label);
  if (code != std::errc() || rest != end) return std::nullopt;
  return label;
}

// One of them as the model made it.
void append_image(StoredSamples& samples, const std::string& path) {
  const std::string label = path_label(path);
  const auto made = parse_provenance(read_png_text(path), label);
  Image image = read_png(path);
  if (made && made->scale > 1) {
    const auto smaller = undo_upscale(image, made->width, made->height);
    EBB_CHECK(smaller.has_value(), FormatError, label, ": is not the image of ", made->width, " x ",
              made->height, " pixels that its text says. Write it with ebb sample.");
    image = *smaller;
  }
  if (samples.images == 0) {
    samples.height = image.height;
    samples.width = image.width;
    samples.channels = image.channels;
  }
  EBB_CHECK(image.height == samples.height && image.width == samples.width &&
                image.channels == samples.channels && image.channels <= 3,
            FormatError, label, ": has another size or other channels than the images before it. ",
            "Write all with one command.");
  samples.pixels.insert(samples.pixels.end(), image.pixels.begin(), image.pixels.end());
  const auto drawn = made ? class_of(made->prompt) : std::nullopt;
  if (drawn && samples.labels.size() == static_cast<size_t>(samples.images)) {
    samples.labels.push_back(*drawn);
  }
  ++samples.images;
}

StoredSamples read_directory(const std::string& path) {
  StoredSamples samples;
  for (const std::string& file : image_files(path)) append_image(samples, file);
  if (samples.labels.size() != static_cast<size_t>(samples.images)) samples.labels.clear();
  return samples;
}

}  // namespace

bool is_samples_name(const std::string& path) {
  return is_npz_name(path) || fs::path(path).extension() == ".safetensors";
}

bool holds_samples(const std::string& path) {
  if (!is_there(path)) return false;
  if (fs::is_directory(path)) return !image_files(path).empty();
  if (is_npz_name(path)) return true;
  if (!is_samples_name(path)) return false;
  try {
    const SafetensorsFile file = SafetensorsFile::open(path);
    const TensorEntry* images = file.find(kImages);
    return images != nullptr && images->dtype == StDType::kU8;
  } catch (const Error&) {
    return false;  // what reads it as a model says what is wrong
  }
}

StoredSamples read_samples(const std::string& path) {
  if (fs::is_directory(path)) return read_directory(path);
  if (is_npz_name(path)) return read_npz(path);
  const SafetensorsFile file = SafetensorsFile::open(path);
  file.verify_digest();
  return read_tensors(file);
}

void save_block(const std::string& path, const StoredSamples& block, const std::string& made) {
  save_safetensors(path, tensors_of(block), {{kMadeKey, made}});
}

std::string samples_made(const std::string& path) {
  if (!is_there(path)) return "";
  if (is_npz_name(path)) return NpzFile(path).comment();
  const SafetensorsFile file = SafetensorsFile::open(path);
  const auto found = file.metadata().find(kMadeKey);
  return found == file.metadata().end() ? "" : found->second;
}

void join_blocks(const std::string& path, std::span<const BlockFile> blocks, bool gray,
                 const std::string& made, Overwrite overwrite) {
  is_npz_name(path) ? join_npz(path, blocks, gray, made, overwrite)
                    : join_tensors(path, blocks, made, overwrite);
}

}  // namespace ebb
