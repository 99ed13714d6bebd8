#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace ebb {

// Layout of the images of one command on the page.
enum class Show {
  kCells,      // images in rows and columns, with labels around them
  kFlip,       // the same, and a button turns the images over
  kDistance,   // the same, and a slider moves them away from the reader
  kAnimation,  // one image, and on a screen the animation beside it
  kLabeled,    // one image that carries its own labels
  kChart,      // one wide image
  kPrinted,    // no image: the tables of the command's results
  kScene,      // one small color image; smoothed when enlarged
};

enum class Turn { kRotate180, kFlipVertical };  // of Show::kFlip

// Image `image` of a figure, this one or one that is made before.
struct Cell {
  std::string figure = {};  // empty: nothing stands here
  int image = 0;
};

struct CellLayout {
  int columns = 10;
  int wide = 1;  // images side by side in the file of a cell
  std::vector<std::string> column_labels = {}, row_labels = {};  // plain text; may be empty
  std::vector<Cell> cells = {};  // row by row; empty: the figure's own images in their order
};

// One command of ebb and how the page shows the result.
struct Figure {
  std::string id = {};                    // unique on the page; the files are figures/<id>...png
  std::vector<std::string> command = {};  // without "ebb", -o and the flags that every figure gets
  Show show = Show::kCells;
  int images = 1;  // files; more than one are <id>-0.png, <id>-1.png, ...
  CellLayout layout = {};
  std::vector<std::string> labels = {};  // kScene: below it; kFlip: read upright, read turned
  std::string caption = {};              // HTML
  std::string alt = {};                  // plain text
  std::string model = {};                // the model it needs, empty: none
  std::vector<std::string> inputs = {};  // figures that must be made first
  std::string own_image = {};            // a file of the user that is shown instead of a result
  bool needs_classes = false;            // the model must know classes
  bool needs_data = false;               // the files of MNIST must be there
  bool samples = true;                   // takes --seed, --device and the other sampling flags
  bool shows_results = false;            // the page has tables of what the command found
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
  std::string text = {};     // HTML
  std::string diagram = {};  // HTML, in a card of its own
  bool gallery = false;      // figures stand side by side
  std::vector<Figure> figures = {};
  std::vector<FoundImage> found = {};
  std::string note = {};  // HTML, at the end: what is left out and why
};

struct Part {
  std::string title = {};
  std::string text = {};  // HTML
  std::vector<Section> sections = {};
};

// The model of each section of part B: a name for find_model(), or a file. Those that do not ship
// with ebb are named as training_commands() knows them.
struct TrainedModels {
  std::string denoiser = "mnist-denoiser";
  std::string noise = "mnist-noise";  // pure noise as input
  std::string time = "mnist-time";
  std::string time_flow = "mnist-time-flow";
  std::string classes = "mnist-class";
  std::string class_flow = "mnist-class-flow";
  std::string constant_rate = "mnist-class-flow-constant";  // without the schedule of the rate
};

struct ReportSettings {
  std::string directory = {};              // DIR, as it was given
  std::string title = {};                  // empty: the assignment's
  std::string model = "mnist-class";       // of part A
  std::string variant = {};                // of its files
  std::string embeddings = {};             // prompts of a model that reads text
  TrainedModels models = {};               // of part B
  std::string data = {};                   // directory of MNIST; empty: the usual places
  std::vector<std::string> photos = {};    // the user's, instead of ebb's
  std::vector<std::string> drawings = {};  // likewise
  std::string mask = {};                   // likewise
  std::map<std::string, std::vector<std::string>> prompts = {};  // by section, instead of ebb's
  int64_t seed = 180;                                            // of the assignment's notebook
  bool fast = false;                                             // a few steps instead of enough
  std::vector<std::string> run_flags = {};  // what every sampling command gets: --threads 2
};

// The commands that train a model which a section needs.
std::string training_commands(const std::string& model);

// Gives the model of a training, a file or a name, to the section that it is for, by what its
// metadata say: denoiser of noisy or of pure noise, time or class, DDPM or flow, constant rate.
// UsageError for a model that no section is about.
void use_run(const std::string& model, TrainedModels& models);

// Prompts of a section as "anagrams=6/9,2/5:flip"; UsageError for a section that takes none, and
// for prompts that are not written as the section's.
void use_prompts(const std::string& text, ReportSettings& settings);

std::vector<Part> report_plan(const ReportSettings& settings);

}  // namespace ebb
