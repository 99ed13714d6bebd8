#include "apps/cli/input_image.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <optional>
#include <span>

#include "apps/cli/image_bytes.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/stream.h"
#include "base/text.h"
#include "image/convert.h"
#include "image/resize.h"
#include "image/sketch.h"
#include "weights/digest.h"
#include "weights/file_kind.h"
#include "weights/idx.h"
#include "weights/mnist_dataset.h"

namespace ebb {
namespace {

namespace fs = std::filesystem;

constexpr uint8_t kWhite = 255, kBlack = 0;
constexpr double kMiddle = 127.5;

struct StoredImage {
  Image image;
  InputFile file;
};

bool exists(const std::string& path) {
  std::error_code error;
  return fs::exists(path, error);
}

struct IndexedName {
  std::string path;
  std::string index;  // empty: none
};

IndexedName split_index(const std::string& name) {
  const size_t hash = name.rfind('#');
  if (hash == std::string::npos || exists(name)) return {name, ""};
  const std::string index = name.substr(hash + 1);
  const bool digits = !index.empty() && index.find_first_not_of("0123456789") == std::string::npos;
  return digits ? IndexedName{name.substr(0, hash), index} : IndexedName{name, ""};
}

Image pick(const IdxImages& images, const std::string& index, const std::string& where) {
  int64_t i = -1;
  const char* end = index.data() + index.size();
  const auto [rest, error] = std::from_chars(index.data(), end, i);
  EBB_CHECK(error == std::errc() && rest == end && i < images.count, UsageError, where, ": holds ",
            images.count, " images, expected an index of 0..", images.count - 1, ".");
  EBB_CHECK(std::max(images.rows, images.cols) <= int64_t{kMaxImageSide}, FormatError, where,
            ": its images are ", images.cols, " x ", images.rows,
            " pixels, expected sides of at most ", kMaxImageSide, ". Use another file.");
  Image image = make_image(static_cast<int>(images.cols), static_cast<int>(images.rows), 1);
  const auto first = images.pixels.begin() + i * images.rows * images.cols;
  std::copy_n(first, image.pixels.size(), image.pixels.begin());
  return image;
}

// Image `index` of the IDX file at `path`.
StoredImage read_idx_image(const IndexedName& name, const std::string& path,
                           const std::string& where) {
  EBB_CHECK(!name.index.empty(), UsageError, where,
            ": an IDX file holds many images. Choose one, as in ", path_label(name.path + "#0"),
            ".");
  return {pick(read_idx_images(path), name.index, where),
          {name.path, sha256_hex(FileReader(path))}};
}

StoredImage read_stored(const std::string& flag, const std::string& name) {
  const IndexedName parts = split_index(name);
  const std::string path = find_input_file(parts.path);
  const std::string where = cat(flag, " ", path_label(name));
  if (!is_input_stream(path)) {
    const FileKind kind = file_kind(FileReader(path));
    if (kind == FileKind::kIdxImages || kind == FileKind::kGzip) {
      return read_idx_image(parts, path, where);
    }
  }
  const ImageBytes file(path);
  EBB_CHECK(parts.index.empty(), UsageError, where, ": #", terminal_safe(parts.index),
            " picks from an IDX file, but this is ", describe(file.kind()), ". Leave it out.");
  file.check_image(cat(kImageKinds, ", or an IDX file with an index"));
  return {decode_image(file), {parts.path, file.sha256()}};
}

// Mean over the outermost pixels of `channel`.
double border_mean(const Image& image, int channel) {
  double sum = 0;
  int64_t count = 0;
  for (int y = 0; y < image.height; ++y) {
    const bool whole_row = y == 0 || y == image.height - 1;
    const int step = whole_row ? 1 : std::max(1, image.width - 1);
    for (int x = 0; x < image.width; x += step, ++count) {
      sum += image.pixels[(static_cast<size_t>(y) * image.width + x) * image.channels + channel];
    }
  }
  return sum / static_cast<double>(count);
}

// Mean luma of an RGBA image, each pixel counted by its alpha.
double ink_mean(const Image& image) {
  const Image gray = to_gray(image);
  double sum = 0, weight = 0;
  for (size_t i = 0; i < gray.pixels.size(); ++i) {
    const double alpha = image.pixels[4 * i + 3];
    sum += alpha * gray.pixels[i];
    weight += alpha;
  }
  return weight > 0 ? sum / weight : 0;
}

// The level that shows through where the image is transparent.
uint8_t background_for(const Image& image, const ImageFormat& format, Invert option) {
  if (image.channels != 4 || !format.light_on_dark || option == Invert::kYes) return kWhite;
  if (option == Invert::kNo) return kBlack;
  const bool transparent_border = border_mean(image, 3) < kMiddle;
  return transparent_border && ink_mean(image) > kMiddle ? kBlack : kWhite;
}

// The median level of the outermost pixels: a stroke that runs off the paper does not change it.
double border_level(const Image& gray) {
  std::vector<uint8_t> border;
  for (int y = 0; y < gray.height; ++y) {
    const bool whole_row = y == 0 || y == gray.height - 1;
    const int step = whole_row ? 1 : std::max(1, gray.width - 1);
    for (int x = 0; x < gray.width; x += step) {
      border.push_back(gray.pixels[static_cast<size_t>(y) * gray.width + x]);
    }
  }
  const auto middle = border.begin() + static_cast<int64_t>(border.size() / 2);
  std::nth_element(border.begin(), middle, border.end());
  return *middle;
}

// Whether the strokes are darker than their background. `gray` has the model's size, where even a
// thin stroke covers some of the pixels: the paper is the border, and the strokes are whichever of
// the darkest and the lightest pixels stand out more from it.
bool is_dark_on_light(const Image& gray) {
  constexpr size_t kStrokeShare = 50;    // strokes cover at least a fiftieth
  constexpr double kLeastContrast = 12;  // levels; below it is the grain of the paper
  const double paper = border_level(gray);
  if (gray.width < 3 || gray.height < 3) return paper > kMiddle;  // nothing but border
  std::vector<uint8_t> levels = gray.pixels;
  std::sort(levels.begin(), levels.end());
  const size_t count = std::max<size_t>(1, levels.size() / kStrokeShare);
  double darkest = 0, lightest = 0;
  for (size_t i = 0; i < count; ++i) {
    darkest += static_cast<double>(levels[i]) / static_cast<double>(count);
    lightest += static_cast<double>(levels[levels.size() - 1 - i]) / static_cast<double>(count);
  }
  const double dark_strokes = paper - darkest, light_strokes = lightest - paper;
  if (std::max(dark_strokes, light_strokes) < kLeastContrast || dark_strokes == light_strokes) {
    return paper > kMiddle;
  }
  return dark_strokes > light_strokes;
}

// Whether no pixel of an RGB image has a color.
bool is_gray(const Image& image) {
  for (size_t i = 0; i < image.pixels.size(); i += 3) {
    if (image.pixels[i] != image.pixels[i + 1] || image.pixels[i] != image.pixels[i + 2]) {
      return false;
    }
  }
  return true;
}

// Collects InputImage::changes.
class Changes {
 public:
  explicit Changes(const Image& stored) : text_(cat(stored.width, " x ", stored.height)) {}

  void mark(const std::string& fact) { text_ += cat(", ", fact); }
  void add(const std::string& step) {
    if (step.empty()) return;
    steps_ += cat(steps_.empty() ? ": " : ", ", step);
  }
  std::string text() const { return steps_.empty() ? "" : text_ + steps_; }

 private:
  std::string text_, steps_;
};

// "stretched to 28 x 28"; empty when the size is right.
std::string describe_resize(const Image& image, const ImageFormat& format, Fit fit) {
  if (image.width == format.width && image.height == format.height) return "";
  const std::string size = cat(format.width, " x ", format.height);
  if (int64_t{image.width} * format.height == int64_t{image.height} * format.width) {
    return cat("resized to ", size);
  }
  return fit == Fit::kCrop ? cat("cropped to the center and resized to ", size)
                           : cat("stretched to ", size);
}

// The drawing in the image, when it is to be read as one.
std::optional<Sketch> find_sketch(const Image& opaque, const ImageFormat& format,
                                  const InputOptions& options) {
  if (options.sketch == SketchMode::kOff) return std::nullopt;
  if (options.sketch == SketchMode::kAuto) {
    const bool is_larger = opaque.width > format.width && opaque.height > format.height;
    if (!is_larger || !format.light_on_dark || options.invert != Invert::kAuto) return std::nullopt;
  }
  std::optional<Sketch> sketch = Sketch::find(opaque);
  const bool is_right = options.sketch == SketchMode::kOn || (sketch && sketch->is_line_drawing());
  return is_right ? std::move(sketch) : std::nullopt;
}

InputImage from_sketch(const Sketch& sketch, const InputFile& file, const ImageFormat& format,
                       Changes changes) {
  const std::string size = cat(format.width, " x ", format.height);
  changes.mark("dark on light");
  changes.add("paper flattened");
  if (!format.light_on_dark) {
    changes.add(cat("cropped to the ink, ", size));
    const Image drawing = sketch.drawing(format.width, format.height);
    return {.image = to_channels(drawing, format.channels),
            .inverted = false,
            .file = file,
            .changes = changes.text()};
  }
  changes.add(cat("inverted, cropped to the ink, thickened and centered in ", size));
  return {.image = to_channels(sketch.strokes(format.width, format.height), format.channels),
          .inverted = true,
          .file = file,
          .changes = changes.text()};
}

// [from, to) of an axis.
struct Range {
  int from, to;
  bool contains(int i) const { return i >= from && i < to; }
};

Mask named_mask(const std::string& name, int width, int height) {
  Range columns{0, width}, rows{0, height};
  if (name == "left") columns.to = width / 2;
  if (name == "right") columns.from = width - width / 2;
  if (name == "top") rows.to = height / 2;
  if (name == "bottom") rows.from = height - height / 2;
  if (name == "center") {
    columns = {width / 4, width - width / 4};
    rows = {height / 4, height - height / 4};
  }
  Mask mask;
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      mask.inpaint.push_back(columns.contains(x) && rows.contains(y) ? 1.0f : 0.0f);
    }
  }
  return mask;
}

}  // namespace

// A file of the data set may be named without its directory.
std::string find_input_file(const std::string& path) {
  if (is_input_stream(path) || exists(path) || path.find('/') != std::string::npos) return path;
  const std::string in_data = (fs::path(mnist_directory("")) / path).string();
  return exists(in_data) ? in_data : path;
}

ImageFormat image_format(const Network& network) {
  const Shape x = network.sample().shape;  // [H, W, C]
  ImageFormat format{.width = static_cast<int>(x[1]),
                     .height = static_cast<int>(x[0]),
                     .channels = static_cast<int>(x[2]),
                     .range = DataRange::kMinusOneToOne,
                     .light_on_dark = false};
  if (Json::parse(network.config).value("name", "") == "mnist_unet") {
    format.range = DataRange::kZeroToOne;
    format.light_on_dark = true;
  }
  return format;
}

InputImage read_input_image(const std::string& flag, const std::string& name,
                            const ImageFormat& format, const InputOptions& options) {
  StoredImage stored = read_stored(flag, name);
  const bool model_sized =
      stored.image.width == format.width && stored.image.height == format.height;
  Changes changes(stored.image);
  if (!options.early) {
    if (auto raw = undo_upscale(stored.image, format.width, format.height)) {
      stored.image = std::move(*raw);
      changes.add(cat("taken back to ", format.width, " x ", format.height));
    }
  }
  const Image opaque =
      composite(stored.image, background_for(stored.image, format, options.invert));
  if (opaque.channels == 3 && format.channels == 1 && !is_gray(opaque)) changes.add("made gray");
  const std::optional<Sketch> sketch = find_sketch(opaque, format, options);
  EBB_CHECK(sketch || options.sketch != SketchMode::kOn, UsageError, flag, " ", path_label(name),
            ": --sketch on: no strokes darker than the paper around them. Use --sketch off.");
  if (sketch) return from_sketch(*sketch, stored.file, format, changes);
  Image image = to_channels(opaque, format.channels);
  const auto resize = options.fit == Fit::kCrop ? resize_and_crop : resize_bicubic;
  bool inverted = options.invert == Invert::kYes;
  if (options.invert == Invert::kAuto && format.light_on_dark) {
    inverted = is_dark_on_light(to_gray(resize(image, format.width, format.height)));
    if (inverted) changes.mark("dark on light");
  }
  if (inverted) {
    image = invert(image);
    changes.add("inverted");
  }
  changes.add(describe_resize(image, format, options.fit));
  return {.image = resize(image, format.width, format.height),
          .inverted = inverted,
          .file = std::move(stored.file),
          .changes = changes.text(),
          .model_sized = model_sized};
}

bool is_mask_name(const std::string& name) {
  return name == "left" || name == "right" || name == "top" || name == "bottom" || name == "center";
}

Mask read_mask(const std::string& flag, const std::string& name, int width, int height) {
  Mask mask;
  if (is_mask_name(name)) {
    mask = named_mask(name, width, height);
  } else {
    const std::string path = find_input_file(split_index(name).path);
    EBB_CHECK(is_input_stream(path) || exists(path), IoError, flag, " ", path_label(name),
              ": no such file. Name an image, or left, right, top, bottom or center.");
    StoredImage stored = read_stored(flag, name);
    const Image gray = to_gray(composite(stored.image, kBlack));
    const Image scaled = resize_nearest(gray, width, height);
    for (const uint8_t level : scaled.pixels) mask.inpaint.push_back(level >= 128 ? 1.0f : 0.0f);
    mask.file = std::move(stored.file);
  }
  const bool any = std::find(mask.inpaint.begin(), mask.inpaint.end(), 1.0f) != mask.inpaint.end();
  EBB_CHECK(any, UsageError, flag, " ", path_label(name), ": marks no pixel of ", width, " x ",
            height, " for inpainting, expected white ones. Paint the area to inpaint white.");
  return mask;
}

}  // namespace ebb
