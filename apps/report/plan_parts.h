#pragma once

#include <string>
#include <vector>

#include "apps/report/plan.h"

namespace ebb {

// The parts of the page, and the sections that come from files of their own.
Part images_part(const ReportSettings& settings);        // what the others start from
Part applications_part(const ReportSettings& settings);  // part A of the assignment
Part training_part(const ReportSettings& settings);      // part B

// The whole page for a pretrained model in diffusers' form, which says what it leaves out.
bool is_pretrained(const ReportSettings& settings);
std::vector<Part> pretrained_parts(const ReportSettings& settings);

std::vector<Section> denoising_sections(const ReportSettings& settings);  // 1.1 to 1.6
std::vector<Section> editing_sections(const ReportSettings& settings);    // 1.7
std::vector<Section> combining_sections(const ReportSettings& settings);  // 1.8, 1.9 and beyond
std::vector<Section> one_step_training_sections(const ReportSettings& settings);    // part B, 1
std::vector<Section> generative_training_sections(const ReportSettings& settings);  // part B, 2
std::vector<Section> sampler_sections(const ReportSettings& settings);

// The text of commands.
using Words = std::vector<std::string>;
Words operator+(Words left, const Words& right);

// The start of a command: an image that an earlier command wrote, or one of the user.
struct StartImage {
  std::string id;     // of the figure
  std::string path;   // for -i
  std::string title;  // "The bell tower"
};
StartImage made_image(const ReportSettings& settings, const std::string& id,
                      const std::string& title);
std::vector<Figure> photo_figures(const ReportSettings& settings);
std::vector<StartImage> photos_of(const ReportSettings& settings);
std::vector<StartImage> drawings_of(const ReportSettings& settings);
StartImage mask_of(const ReportSettings& settings);

// The number of steps (0: the model's own), which --fast makes small.
int figure_steps(const ReportSettings& settings, int steps);
Words with_steps(Words command, const ReportSettings& settings, int steps);
// Steps of 300: a third of the time, no difference the eye would see.
inline constexpr int kFigureSteps = 100;

Words digit_names();  // "0" to "9"
// Own images of a figure, as many as `images`, below the digits that they show in turn.
CellLayout digit_rows();

// The traces that the training of a model left: its loss curve, and images of it after some epochs.
// `wanted`: epochs that the assignment shows; those without an image are named in the section's
// note.
Figure loss_curve(const std::string& model);
void add_epochs(const std::string& model, const std::vector<size_t>& wanted, Section& section);

}  // namespace ebb
