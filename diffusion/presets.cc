#include "diffusion/presets.h"

#include <array>
#include <utility>

namespace ebb {
namespace {

constexpr std::array<int64_t, 27> kFast27 = {999, 800, 799, 600, 599, 500, 400, 399, 377,
                                             355, 333, 311, 288, 266, 244, 222, 200, 199,
                                             177, 155, 133, 111, 88,  66,  44,  22,  0};
constexpr std::array<int64_t, 27> kSmart27 = {999, 976, 952, 928, 905, 882, 858, 857, 810,
                                              762, 715, 714, 572, 429, 428, 286, 285, 238,
                                              190, 143, 142, 118, 95,  71,  47,  24,  0};
constexpr std::array<int64_t, 50> kSmart50 = {
    999, 988, 977, 966, 955, 944, 933, 922, 911, 900, 899, 879, 859, 840, 820, 800, 799,
    766, 733, 700, 699, 650, 600, 599, 500, 499, 400, 399, 350, 300, 299, 266, 233, 200,
    199, 179, 159, 140, 120, 100, 99,  88,  77,  66,  55,  44,  33,  22,  11,  0};
constexpr std::array<int64_t, 27> kSuper27 = {999, 991, 982, 974, 966, 958, 950, 941, 933,
                                              925, 916, 908, 900, 899, 874, 850, 825, 800,
                                              799, 700, 600, 500, 400, 300, 200, 100, 0};
constexpr std::array<int64_t, 40> kSuper40 = {999, 992, 985, 978, 971, 964, 957, 949, 942, 935,
                                              928, 921, 914, 907, 900, 899, 879, 859, 840, 820,
                                              800, 799, 766, 733, 700, 699, 650, 600, 599, 500,
                                              499, 400, 399, 300, 299, 200, 199, 100, 99,  0};

struct List {
  const char* name;
  std::span<const int64_t> timesteps;
};
constexpr std::array<List, 5> kLists = {{{"fast27", kFast27},
                                         {"smart27", kSmart27},
                                         {"smart50", kSmart50},
                                         {"super27", kSuper27},
                                         {"super40", kSuper40}}};

}  // namespace

std::vector<std::string> preset_names() {
  std::vector<std::string> names = {kCoursePreset, kPipelinePreset};
  for (const List& list : kLists) names.emplace_back(list.name);
  return names;
}

std::span<const int64_t> preset_timesteps(const std::string& name) {
  for (const List& list : kLists) {
    if (name == list.name) return list.timesteps;
  }
  return {};
}

}  // namespace ebb
