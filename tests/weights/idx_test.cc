#include "weights/idx.h"

#include <zlib.h>

#include <optional>

#include "testing/catch.h"
#include "testing/errors.h"
#include "testing/temp_dir.h"
#include "weights/digest.h"

namespace ebb {
namespace {

using Catch::Matchers::Contains;
using test::message_of;
using test::put_file;
using test::TempDir;

std::string words(std::initializer_list<uint32_t> values) {
  std::string bytes;
  for (const uint32_t value : values) {
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift);
  }
  return bytes;
}

std::string ramp(size_t count) {
  std::string bytes(count, '\0');
  for (size_t i = 0; i < count; ++i) bytes[i] = static_cast<char>(i * 7);
  return bytes;
}

std::string images_file(uint32_t count) {
  return words({0x803, count, 28, 28}) + ramp(size_t{count} * 784);
}

std::string labels_file(const std::string& values) {
  return words({0x801, static_cast<uint32_t>(values.size())}) + values;
}

// One gzip member.
std::string gzip(const std::string& raw) {
  z_stream stream{};
  REQUIRE(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string packed(deflateBound(&stream, raw.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(raw.data()));
  stream.avail_in = static_cast<uInt>(raw.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

class Images {
 public:
  IdxImages read(const std::string& bytes,
                 const std::optional<ImageSize>& size = ImageSize{}) const {
    put_file(dir_ / "images", bytes);
    return read_idx_images(dir_ / "images", size);
  }
  std::string refusal(const std::string& bytes) const {
    return message_of<FormatError>([&] { read(bytes); });
  }

 private:
  TempDir dir_;
};

std::string label_refusal(const std::string& bytes) {
  const TempDir dir;
  put_file(dir / "labels", bytes);
  return message_of<FormatError>([&] { read_idx_labels(dir / "labels", 10); });
}

TEST_CASE("images are read, raw and gzipped, with the same fingerprint") {
  const Images files;
  const std::string raw = images_file(4);
  const std::string two_members = gzip(raw.substr(0, 100)) + gzip("") + gzip(raw.substr(100));
  for (const std::string& bytes : {raw, gzip(raw), two_members}) {
    const IdxImages images = files.read(bytes);
    CHECK(images.count == 4);
    CHECK(images.rows == 28);
    CHECK(images.cols == 28);
    CHECK(std::string(images.pixels.begin(), images.pixels.end()) == raw.substr(16));
    CHECK(images.sha256 == sha256_hex(raw.data(), raw.size()));
  }
}

TEST_CASE("labels are read, raw and gzipped") {
  const TempDir dir;
  const std::string raw = labels_file(std::string("\0\1\2\x09", 4));
  for (const std::string& bytes : {raw, gzip(raw)}) {
    put_file(dir / "labels", bytes);
    const IdxLabels labels = read_idx_labels(dir / "labels");
    CHECK(labels.values == std::vector<uint8_t>{0, 1, 2, 9});
    CHECK(labels.sha256 == sha256_hex(raw.data(), raw.size()));
  }
}

TEST_CASE("another image size is read on request") {
  const Images files;
  const std::string small = words({0x803, 2, 3, 5}) + ramp(30);
  CHECK(files.read(small, ImageSize{3, 5}).pixels.size() == 30);
  CHECK(files.read(small, std::nullopt).rows == 3);
  CHECK_THAT(files.refusal(small), Contains("2 images of 3 x 5 pixels, expected 28 x 28"));
}

TEST_CASE("a wrong magic number is named") {
  const Images files;
  CHECK_THAT(files.refusal(words({0x12345678, 1, 28, 28})),
             Contains("magic number is 0x12345678, expected 0x00000803 of IDX images"));
  CHECK_THAT(files.refusal(labels_file("\1")), Contains("0x00000801 (an IDX label file)"));
  CHECK_THAT(label_refusal(images_file(1)), Contains("0x00000803 (an IDX image file)"));
  CHECK_THAT(files.refusal(gzip("<html></html>")), Contains("magic number is 0x3c68746d"));
}

TEST_CASE("headers that are cut, empty or absurd are refused") {
  const Images files;
  CHECK_THAT(files.refusal(""), Contains("this is an empty file"));
  CHECK_THAT(files.refusal(images_file(1).substr(0, 10)), Contains("header ends after 10 bytes"));
  CHECK_THAT(files.refusal(gzip(images_file(1).substr(0, 15))), Contains("ends after 15 bytes"));
  CHECK_THAT(label_refusal(words({0x801}) + "ab"), Contains("header ends after 6 bytes"));
  CHECK_THAT(files.refusal(words({0x803, 0, 28, 28})), Contains("says 0 images of 28 x 28"));
  CHECK_THAT(files.refusal(words({0x803, 1, 0, 28})), Contains("1 images of 0 x 28"));
  CHECK_THAT(label_refusal(words({0x801, 0})), Contains("says 0 labels"));
  CHECK_THAT(files.refusal(words({0x803, 0xffffffff, 28, 28})), Contains("allowed are 2147483648"));
  const uint32_t huge = 0xffffffff;
  CHECK_THAT(message_of<FormatError>([&] {
               files.read(words({0x803, huge, huge, huge}), std::nullopt);
             }),
             Contains("more than 2^64 bytes"));
}

TEST_CASE("the file must be exactly as long as its header says") {
  const Images files;
  const std::string raw = images_file(4);
  CHECK_THAT(files.refusal(raw.substr(0, 3151)),
             Contains("holds 3151 bytes, its header asks for 3152"));
  CHECK_THAT(files.refusal(raw + "x"), Contains("holds 3153 bytes, its header asks for 3152"));
  CHECK_THAT(files.refusal(gzip(raw.substr(0, 3151))), Contains("holds 3151 bytes uncompressed"));
  CHECK_THAT(files.refusal(gzip(raw + "x")), Contains("holds more than 3152 bytes uncompressed"));
  CHECK_THAT(files.refusal(gzip(raw) + gzip("x")), Contains("holds more than 3152 bytes"));
  CHECK_THAT(label_refusal(labels_file("\1\2") + "\3"), Contains("holds 11 bytes"));
}

TEST_CASE("gzip data that is cut anywhere is refused") {
  const Images files;
  const std::string packed = gzip(images_file(1));
  for (size_t length = 2; length < packed.size(); ++length) {
    CHECK_THAT(files.refusal(packed.substr(0, length)), Contains("gzip data is damaged (it ends"));
  }
}

TEST_CASE("a flipped bit in gzip data is found or changes nothing") {
  const Images files;
  const std::string raw = images_file(1);
  const std::string packed = gzip(raw);
  size_t found = 0;
  for (size_t bit = 16; bit < packed.size() * 8; ++bit) {
    std::string bad = packed;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << bit % 8));
    std::string pixels = "refused";
    const std::string message = message_of<FormatError>([&] {
      const IdxImages images = files.read(bad);
      pixels.assign(images.pixels.begin(), images.pixels.end());
    });
    found += pixels == "refused";
    CHECK((pixels == "refused" || pixels == raw.substr(16)));
  }
  // The rest: name, time and system in gzip's header, and the last bits before the checksum.
  CHECK(packed.size() * 8 - 16 - found < 80);
}

TEST_CASE("zeros between and behind gzip members are filling, anything else is not") {
  const Images files;
  const std::string raw = images_file(1);
  const std::string packed = gzip(raw), half = gzip(raw.substr(0, 300)),
                    rest = gzip(raw.substr(300));
  for (const size_t zeros : {1, 8, 512, 200'000}) {
    const std::string filling(zeros, '\0');
    CHECK(files.read(packed + filling).count == 1);
    CHECK(files.read(half + filling + rest).count == 1);
  }
  CHECK_THAT(files.refusal(packed + "trailing"), Contains("gzip data is damaged"));
  CHECK_THAT(files.refusal(packed + std::string(8, '\0') + "x"), Contains("gzip data is damaged"));
}

TEST_CASE("a file that was compressed twice, or by another program, is called that") {
  const Images files;
  CHECK_THAT(files.refusal(gzip(gzip(images_file(1)))),
             Contains("(a gzip file)") && Contains("compressed twice: unpack it once"));
  CHECK_THAT(files.refusal("BZh91AY&SY"),
             Contains("(a bzip2 file)") && Contains("Unpack it first"));
  CHECK_THAT(files.refusal("\xfd"
                           "7zXZ"),
             Contains("(an xz file)"));
  CHECK_THAT(files.refusal("\x28\xb5\x2f\xfd...."), Contains("(a Zstandard file)"));
}

TEST_CASE("data that inflates to more than the header says is not inflated") {
  const Images files;
  const std::string bomb = gzip(images_file(10) + std::string(size_t{64} << 20, '\0'));
  CHECK_THAT(files.refusal(bomb), Contains("holds more than 7856 bytes uncompressed"));
}

TEST_CASE("a header that promises more than gzip can pack is refused at once") {
  const Images files;
  CHECK_THAT(files.refusal(gzip(words({0x803, 2'000'000, 28, 28}) + std::string(784, '\0'))),
             Contains("1568000000 bytes (1.5 GiB) of data, which gzip cannot pack into"));
}

TEST_CASE("labels above 9 are refused with their place") {
  CHECK_THAT(label_refusal(labels_file(std::string("\0\1\x0a\3", 4))),
             Contains("label 2 is 10, expected 0 to 9") && Contains("--classes"));
}

TEST_CASE("images and labels must be as many") {
  IdxImages images;
  images.count = 4;
  IdxLabels labels;
  labels.values = {1, 2, 3, 4, 5};
  const std::string message =
      message_of<FormatError>([&] { check_idx_pair("a", images, "b", labels); });
  CHECK_THAT(message, Contains("a: holds 4 images, but b holds 5 labels"));
  labels.values.pop_back();
  CHECK_NOTHROW(check_idx_pair("a", images, "b", labels));
}

TEST_CASE("web pages and other kinds are recognized") {
  const Images files;
  CHECK_THAT(files.refusal("<!DOCTYPE HTML PUBLIC><html>403"), Contains("this is an HTML"));
  CHECK_THAT(files.refusal("PK\x03\x04"), Contains("this is a ZIP archive"));
}

}  // namespace
}  // namespace ebb
