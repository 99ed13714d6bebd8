#include "apps/cli/output_pattern.h"

#include <string_view>

#include "base/error.h"
#include "base/text.h"

namespace ebb {
namespace {

constexpr const char* kAdvice = " Use a name like out_%03d.png; %% writes a percent sign.";

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Length of the number "%d" or "%0Nd" that `text` starts with, 0 when it starts with neither.
size_t number_length(std::string_view text) {
  if (text.starts_with("%d")) return 2;
  const bool padded =
      text.size() >= 4 && text[1] == '0' && is_digit(text[2]) && text[2] != '0' && text[3] == 'd';
  return padded ? 4 : 0;
}

}  // namespace

OutputPattern::OutputPattern(const std::string& text, int64_t images) : images_(images) {
  const std::string flag = cat("-o ", path_label(text));
  EBB_CHECK(!text.empty(), UsageError, flag, ": the output has no name.", kAdvice);
  for (size_t i = 0; i < text.size();) {
    const std::string_view rest = std::string_view(text).substr(i);
    if (rest.starts_with("%%") || rest[0] != '%') {
      (numbered_ ? after_ : before_) += rest[0];
      i += rest[0] == '%' ? 2 : 1;
      continue;
    }
    const size_t length = number_length(rest);
    EBB_CHECK(length > 0, UsageError, flag, ": ", quoted(rest.substr(0, 4)), " at character ", i,
              " is not %d or %0Nd with N from 1 to 9.", kAdvice);
    EBB_CHECK(!numbered_, UsageError, flag, ": more than one number in the name.", kAdvice);
    numbered_ = true;
    digits_ = length == 4 ? rest[2] - '0' : 1;
    i += length;
  }
  EBB_CHECK(numbered_ || images <= 1, UsageError, flag, ": ", images,
            " images would go to one file.", kAdvice);
}

std::string OutputPattern::path(int64_t index) const {
  if (!numbered_) return before_;
  std::string number = std::to_string(index);
  const size_t width = static_cast<size_t>(digits_);
  if (number.size() < width) number.insert(0, width - number.size(), '0');
  return before_ + number + after_;
}

void OutputPattern::check(Overwrite overwrite) const {
  for (int64_t i = 0; i < images_; ++i) check_output_file(path(i), overwrite);
}

}  // namespace ebb
