#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ebb {

// Layout of the images of one command on the page.
enum class Show {
  kGrid,      // one image of equal tiles in a row or in rows; labels stand above the columns
  kTiles,     // images side by side, each with its label below
  kFlip,      // tiles that a button turns over
  kDistance,  // tiles that a slider moves away from the reader
  kLabeled,   // one image that carries its own labels
  kChart,     // one wide image
  kPrinted,   // no image: what the command prints
  kScene,     // one small color image; smoothed when enlarged
};

enum class Turn { kRotate180, kFlipVertical };  // of Show::kFlip

// One command of ebb and how the page shows the result.
struct Figure {
  std::string id = {};                    // unique on the page; the files are figures/<id>...png
  std::vector<std::string> command = {};  // without "ebb", -o and the flags that every figure gets
  Show show = Show::kGrid;
  int images = 1;                        // files; more than one are <id>-0.png, <id>-1.png, ...
  std::vector<std::string> labels = {};  // of columns or tiles, plain text
  std::string caption = {};              // HTML
  std::string alt = {};                  // plain text
  std::string model = {};                // the model it needs, empty: none
  std::vector<std::string> inputs = {};  // figures that must be made first
  bool needs_classes = false;            // the model must know classes
  bool needs_data = false;               // the files of MNIST must be there
  bool samples = true;                   // takes --seed, --device and the other sampling flags
  bool shows_output = false;             // the page quotes what the command prints
  Turn turn = Turn::kRotate180;
};

// An image that a training left beside its model.
struct FoundImage {
  std::string file = {};
  std::string command = {};  // that made it
  std::string caption = {};  // HTML
  std::string alt = {};
};

struct Section {
  std::string id = {};      // of the link, for example "forward"
  std::string number = {};  // of the assignment's section, "1.1"; empty where it has none
  std::string title = {};
  std::string text = {};  // HTML
  bool gallery = false;   // figures stand side by side
  std::vector<Figure> figures = {};
  std::vector<FoundImage> found = {};
};

struct Part {
  std::string title = {};
  std::string text = {};  // HTML
  std::vector<Section> sections = {};
};

struct ReportSettings {
  std::string directory = {};               // DIR, as it was given
  std::string model = "mnist-class";        // of part A
  int64_t seed = 180;                       // of the assignment's notebook
  bool fast = false;                        // a few steps instead of enough
  std::vector<std::string> run_flags = {};  // what every sampling command gets, such as --threads 2
};

// The commands that train a pretrained model and put it where --model finds it.
std::string training_commands(const std::string& model);

std::vector<Part> report_plan(const ReportSettings& settings);

}  // namespace ebb
