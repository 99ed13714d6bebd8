#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "apps/emoji/emoji_list.h"

namespace ebb {

// Phrases for what an emoji shows, with their articles, the plainest first: "a rocket", "a rocket
// ship". Where an emoji fits words of the assignment, they are among them.
std::vector<std::string> subject_phrases(const Emoji& emoji);
// Whether the assignment asks for it: such subjects are seen in every style.
bool is_of_assignment(const Emoji& emoji);

// "an oil painting of a rocket", for every phrase, and one with keywords behind it.
std::vector<std::string> captions(const Emoji& emoji, std::string_view style);

// One in twenty pairs of subject and style, by the SHA-256 of their names: kept from training, to
// measure how well styles and subjects are combined.
bool is_held_out(const Emoji& emoji, std::string_view style);

}  // namespace ebb
