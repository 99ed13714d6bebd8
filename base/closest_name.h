#pragma once

#include <string>
#include <vector>

namespace ebb {

// The one of `names` that `text` means, which may be written in another case, with or without '-',
// '_' and blanks, and with 'p' for '+': "rotate180" for "rotate_180", "DPMPP" for "dpm++". Null
// when there is none.
const std::string* same_name(const std::string& text, const std::vector<std::string>& names);

// The one of `names` that was probably meant by `text`, which is none of them: at most two letters
// inserted, left out, replaced or exchanged with their neighbor (one in three letters or fewer),
// else the shortest that begins like it. Empty when there is none.
std::string closest_name(const std::string& text, const std::vector<std::string>& names);

// The same as the end of a message, " Did you mean sample?", or nothing.
std::string did_you_mean(const std::string& text, const std::vector<std::string>& names);

// The `count` of `texts` that are nearest to a text of several words: those that share the most
// words with it, of these the ones with the fewest edits. Empty texts never are.
std::vector<std::string> nearest_texts(const std::string& text,
                                       const std::vector<std::string>& texts, size_t count);

}  // namespace ebb
