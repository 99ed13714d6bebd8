#include "apps/train_text_to_image/captioned_images.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>

#include "apps/cli/image_bytes.h"
#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "image/convert.h"
#include "image/resize.h"
#include "weights/digest.h"

namespace ebb {
namespace {

constexpr const char* kIndexName = "captions.jsonl";

// Colors weighted by alpha are resized and divided by it again, so that hidden colors do not show.
Image resize_with_alpha(const Image& image, int side) {
  Image colors = make_image(image.width, image.height, 3);
  Image alpha = make_image(image.width, image.height, 1);
  for (size_t p = 0; p < alpha.pixels.size(); ++p) {
    const uint8_t* pixel = image.pixels.data() + 4 * p;
    alpha.pixels[p] = pixel[3];
    for (size_t c = 0; c < 3; ++c) {
      colors.pixels[3 * p + c] = static_cast<uint8_t>((pixel[c] * pixel[3] + 127) / 255);
    }
  }
  colors = resize_and_crop(colors, side, side);
  alpha = resize_and_crop(alpha, side, side);
  Image result = make_image(side, side, 4);
  for (size_t p = 0; p < alpha.pixels.size(); ++p) {
    const int a = alpha.pixels[p];
    for (size_t c = 0; c < 3 && a > 0; ++c) {
      const int color = (colors.pixels[3 * p + c] * 255 + a / 2) / a;
      result.pixels[4 * p + c] = static_cast<uint8_t>(std::min(color, 255));
    }
    result.pixels[4 * p + 3] = static_cast<uint8_t>(a);
  }
  return result;
}

Image fitted(const Image& image, int side) {
  const bool fits = image.width == side && image.height == side;
  if (image.channels == 4) return fits ? image : resize_with_alpha(image, side);
  const Image color = to_channels(image, 3);
  return fits ? color : resize_and_crop(color, side, side);
}

struct IndexLine {
  std::string file;
  std::vector<std::string> captions;
};

IndexLine parse_line(const std::string& text, const std::string& where) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  IndexLine line;
  try {
    line.file = json.at("file").get<std::string>();
    for (const Json& caption : json.at("captions")) {
      line.captions.push_back(caption.get<std::string>());
    }
  } catch (const Json::exception&) {
    throw FormatError(cat(where, ": expected {\"file\": \"a.png\", \"captions\": [\"a cat\"]}"));
  }
  const auto is_empty = [](const std::string& caption) { return caption.empty(); };
  EBB_CHECK(!line.captions.empty(), FormatError, where, ": has no captions, expected at least one");
  EBB_CHECK(std::none_of(line.captions.begin(), line.captions.end(), is_empty), FormatError, where,
            ": has an empty caption, which stands for none. Leave it out");
  const std::filesystem::path path(line.file);
  EBB_CHECK(path.is_relative() && std::find(path.begin(), path.end(), "..") == path.end(),
            FormatError, where, ": file ", quoted(line.file), " is no path within the directory");
  return line;
}

class Loader {
 public:
  Loader(const std::string& directory, int side) : directory_(directory), side_(side) {
    number_of("");
  }

  void add(const IndexLine& line) {
    const std::string path = (std::filesystem::path(directory_) / line.file).string();
    const ImageBytes bytes(path);
    bytes.check_image(kImageKinds);
    data_.images.push_back(fitted(decode_image(bytes), side_));
    hash_.update(data_.images.back().pixels.data(), data_.images.back().pixels.size());
    data_.captions.emplace_back();
    for (const std::string& caption : line.captions) {
      hash_.update(caption.c_str(), caption.size() + 1);
      data_.captions.back().push_back(number_of(caption));
    }
  }

  CaptionedImages finish() {
    data_.fingerprint = hash_.finish();
    return std::move(data_);
  }

 private:
  int32_t number_of(const std::string& text) {
    const auto [at, is_new] = numbers_.try_emplace(text, static_cast<int32_t>(data_.texts.size()));
    if (is_new) data_.texts.push_back(text);
    return at->second;
  }

  std::string directory_;
  int side_;
  CaptionedImages data_;
  std::map<std::string, int32_t> numbers_;
  Sha256 hash_;
};

}  // namespace

CaptionedImages load_captioned_images(const std::string& directory, int side) {
  const std::string path = (std::filesystem::path(directory) / kIndexName).string();
  std::ifstream file(path);
  EBB_CHECK(file.good(), IoError, "--data ", path_label(directory), ": holds no ", kIndexName,
            ", which has a line {\"file\": \"a.png\", \"captions\": [\"a cat\"]} for each image");
  Loader loader(directory, side);
  std::string text;
  for (int64_t number = 1; std::getline(file, text); ++number) {
    if (text.find_first_not_of(" \t\r") == std::string::npos) continue;
    loader.add(parse_line(text, cat(path_label(path), " line ", number)));
  }
  CaptionedImages data = loader.finish();
  EBB_CHECK(data.count() > 0, FormatError, path_label(path), ": names no images");
  return data;
}

}  // namespace ebb
