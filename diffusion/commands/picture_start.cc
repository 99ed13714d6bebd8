#include "diffusion/commands/picture_start.h"

#include "nn/param_collector.h"

namespace ebb {

PictureFormat format_of(const Drawing& drawing) {
  PictureFormat format = picture_format(drawing.model().network);
  format.range = drawing.range() == DataRange::kZeroToOne ? PixelRange::kZeroToOne
                                                          : PixelRange::kMinusOneToOne;
  return format;
}

StartPicture read_start(const Drawing& drawing, const InputFlags& flags) {
  const PictureFormat format = format_of(drawing);
  StartPicture start{.picture = read_input(flags, format), .values = {}, .tensor = {}};
  start.values = start.picture.values(format);
  start.tensor = Tensor::from_host(drawing.context(), with_batch(1, drawing.image()),
                                   std::span<const float>(start.values));
  return start;
}

std::vector<Image> pictures_of(const Drawing& drawing, std::span<const float> values) {
  return to_images(values, drawing.image(), drawing.range());
}

}  // namespace ebb
