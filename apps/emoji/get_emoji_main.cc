#include <algorithm>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include "apps/cli/cli.h"
#include "apps/cli/progress.h"
#include "apps/emoji/emoji_captions.h"
#include "apps/emoji/emoji_font.h"
#include "apps/emoji/emoji_list.h"
#include "apps/emoji/emoji_styles.h"
#include "base/atomic_file.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "image/png.h"
#include "weights/digest.h"

namespace ebb {
namespace {

namespace fs = std::filesystem;

// Raised when a style or a caption changes: images of another version are not gone on with.
constexpr int kVersion = 1;

struct Flags {
  std::string output;
  std::string font = "/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf";
  std::string list = "/usr/share/unicode/emoji/emoji-test.txt";
  std::string annotations = "/usr/share/unicode/cldr/common";
  std::vector<std::string> only;
  int64_t side = 64;
  ProgressFlag progress;
};

std::vector<Emoji> choose(const Flags& flags) {
  std::vector<Emoji> all =
      read_emoji_list(flags.list, {flags.annotations + "/annotations/en.xml",
                                   flags.annotations + "/annotationsDerived/en.xml"});
  if (flags.only.empty()) return all;
  std::vector<Emoji> chosen;
  for (const std::string& code : flags.only) {
    const auto found = std::find_if(all.begin(), all.end(),
                                    [&](const Emoji& emoji) { return emoji.code() == code; });
    EBB_CHECK(found != all.end(), UsageError, "--only ", terminal_safe(code), ": no emoji of ",
              path_label(flags.list), ". Write its characters as in 1f680.");
    chosen.push_back(*found);
  }
  return chosen;
}

// Everything that decides the bytes, kept beside the images.
std::string source_text(const Flags& flags) {
  Json source;
  source["version"] = kVersion;
  source["side"] = flags.side;
  source["font_sha256"] = sha256_hex(FileReader(flags.font));
  source["list_sha256"] = sha256_hex(FileReader(flags.list));
  return source.dump() + "\n";
}

void open_directory(const Flags& flags) {
  const fs::path output(flags.output);
  std::error_code error;
  fs::create_directories(output / "images", error);
  EBB_CHECK(!error, IoError, path_label(flags.output), ": cannot be created: ", error.message(),
            ". Choose another directory.");
  const std::string file = (output / "source.json").string(), text = source_text(flags);
  if (!fs::exists(file)) return write_file(file, text);
  constexpr uint64_t kMaxBytes = 1 << 16;
  const std::vector<std::byte> old = read_file(file, kMaxBytes);
  EBB_CHECK(std::string_view(reinterpret_cast<const char*>(old.data()), old.size()) == text,
            FormatError, path_label(file),
            ": the images there are of another font, size or version. Choose another directory.");
}

std::string image_name(const Emoji& emoji, std::string_view style) {
  std::string name = cat("images/", emoji.code(), ".", style, ".png");
  std::replace(name.begin(), name.end(), ' ', '-');
  return name;
}

Json index_line(const Emoji& emoji, std::string_view style) {
  Json line;
  line["file"] = image_name(emoji, style);
  line["captions"] = captions(emoji, style);
  line["subject"] = emoji.name;
  line["style"] = style;
  line["code"] = emoji.code();
  line["keywords"] = emoji.keywords;
  return line;
}

uint64_t variant_of(const Emoji& emoji) {
  uint64_t variant = 0;
  for (const char32_t c : emoji.sequence) variant = variant * 31 + c;
  return variant;
}

struct Index {
  std::string seen, held_out;
  int64_t subjects = 0, images = 0, held = 0;
};

void draw(const Flags& flags, const EmojiFont& font, const Emoji& emoji, Index& index) {
  const std::optional<Image> bitmap = font.draw(emoji.sequence);
  if (!bitmap) return;
  ++index.subjects;
  for (const std::string_view style : kEmojiStyles) {
    const std::string path = (fs::path(flags.output) / image_name(emoji, style)).string();
    if (!fs::exists(path)) {
      const Image image =
          draw_in_style(*bitmap, style, static_cast<int>(flags.side), variant_of(emoji));
      write_png(path, image, {}, Overwrite::kReplace);
    }
    const bool held = is_held_out(emoji, style);
    (held ? index.held_out : index.seen) += index_line(emoji, style).dump() + "\n";
    ++(held ? index.held : index.images);
  }
}

void run(const Flags& flags) {
  const std::vector<Emoji> emoji = choose(flags);
  const EmojiFont font(flags.font);
  open_directory(flags);
  Progress progress(flags.progress.mode());
  progress.begin(static_cast<int64_t>(emoji.size()), {.name = "subject"});
  Index index;
  for (size_t i = 0; i < emoji.size(); ++i) {
    draw(flags, font, emoji[i], index);
    progress.update(static_cast<int64_t>(i) + 1);
  }
  progress.finish();
  // Last: where they are, the images are.
  write_file((fs::path(flags.output) / "held_out.jsonl").string(), index.held_out);
  write_file((fs::path(flags.output) / "captions.jsonl").string(), index.seen);
  std::cout << path_label(flags.output) << ": " << index.subjects << " subjects, " << index.images
            << " images to train on, " << index.held << " held out\n";
}

}  // namespace
}  // namespace ebb

int main(int argc, char** argv) {
  ebb::Program program(
      "Renders the emoji of a color font in five styles, with captions: a data set for "
      "text-to-image models.",
      "get_emoji");
  ebb::add_version_flag(program);
  ebb::Flags flags;
  program.add_option("output", flags.output, "Directory of the data set; goes on where one stopped")
      .required();
  program.add_option("--font", flags.font, "Font of color bitmaps").show_default();
  program.add_option("--list", flags.list, "emoji-test.txt of Unicode").show_default();
  program.add_option("--cldr", flags.annotations, "Directory common of Unicode's CLDR")
      .show_default();
  program.add_option("--only", flags.only, "Emoji to render, by their characters: 1f680 (all)");
  ebb::add_integer(program, "--side", flags.side, 16, 512, "Pixels a side (64)");
  ebb::add_progress_flag(program, flags.progress);
  program.callback([&] { ebb::run(flags); });
  return ebb::run_program(program, std::vector<std::string>(argv, argv + argc));
}
