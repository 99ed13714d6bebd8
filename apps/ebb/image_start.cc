#include "apps/ebb/image_start.h"

#include "base/text.h"
#include "nn/param_collector.h"

namespace ebb {

ImageFormat format_of(const SampleJob& job) {
  ImageFormat format = image_format(job.model().network);
  format.range = job.range();
  return format;
}

namespace {

// "photo.jpg: 640 x 480: made gray, stretched to 28 x 28"
void tell_changes(const SampleJob& job, const InputImage& image) {
  if (image.changes.empty()) return;
  job.note_input(cat(path_label(image.file.path), ": ", terminal_safe(image.changes), "\n"));
  job.results().set("input", Json{{"path", image.file.path}, {"changes", image.changes}});
}

}  // namespace

StartImage read_start(const SampleJob& job, const InputFlags& flags) {
  const ImageFormat format = format_of(job);
  StartImage start{.image = read_input(flags, format, job.early()), .values = {}, .tensor = {}};
  tell_changes(job, start.image);
  if (start.image.model_sized) job.keep_size();
  start.values = start.image.values(format);
  start.tensor = Tensor::from_host(job.context(), with_batch(1, job.image()),
                                   std::span<const float>(start.values));
  return start;
}

std::vector<Image> images_of(const SampleJob& job, std::span<const float> values) {
  return to_images(values, job.image(), job.range());
}

}  // namespace ebb
