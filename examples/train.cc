// train MODEL.safetensors   trains a small UNet on squares and bars of its own making, and samples
//                           both kinds, as `ebb sample --model ./MODEL.safetensors` would
#include <ebb/ebb.h>

#include <iostream>

// A white rectangle on black, 28 x 28.
ebb::Image rectangle(int left, int top, int width, int height) {
  ebb::Image image{.width = 28, .height = 28, .channels = 1, .pixels = {}};
  for (int y = 0; y < 28; ++y) {
    for (int x = 0; x < 28; ++x) {
      const bool inside = x >= left && x < left + width && y >= top && y < top + height;
      image.pixels.push_back(inside ? 255 : 0);
    }
  }
  return image;
}

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: train MODEL.safetensors\n";
    return 2;
  }
  try {
    std::vector<ebb::Image> images;
    std::vector<int64_t> labels;
    for (int i = 0; i < 64; ++i) {
      const bool is_bar = i % 2 == 1;
      images.push_back(is_bar ? rectangle(i % 20, 2, 4, 24) : rectangle(i % 16, i / 4, 12, 12));
      labels.push_back(is_bar ? 1 : 0);
    }
    const ebb::Context context = ebb::make_context({.device = "cpu"});
    ebb::Trainer trainer(context, images, labels,
                         {.objective = "flow", .hidden = 4, .batch_size = 16, .seed = 1});
    for (int epoch = 0; epoch < 5; ++epoch) {
      double loss = 0;
      for (int64_t i = 0; i < trainer.steps_per_epoch(); ++i) loss += trainer.step().loss;
      std::cout << "mean loss " << loss / static_cast<double>(trainer.steps_per_epoch()) << '\n';
    }
    trainer.save(argv[1]);
    const ebb::Pipeline pipeline(context, trainer.model(), {.steps = 10});
    std::cout << pipeline.generate({.labels = {0, 1}, .seed = 1}).size() << " images\n";
  } catch (const ebb::Error& error) {
    std::cerr << "error: " << error.what() << '\n';
    return static_cast<int>(error.code());
  }
}
