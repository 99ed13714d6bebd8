// sample OUTPUT.png   a seven, pixel for pixel that of
//   ebb sample --class 7 --sampler ddim --steps 20 --seed 1 --scale 1 -o OUTPUT.png
#include <ebb/ebb.h>

#include <iostream>

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: sample OUTPUT.png\n";
    return 2;
  }
  try {
    const ebb::Context context = ebb::make_context({.device = "cpu"});
    const ebb::Pipeline pipeline(context, ebb::Model::load(context, "mnist-class"),
                                 {.sampler = "ddim", .steps = 20});
    const std::vector<ebb::Image> images = pipeline.generate(
        {.prompts = {"a photo of a seven"}, .seed = 1}, [](const ebb::GenerateStep& step) {
          std::cout << "step " << step.step << " of " << step.steps << '\n';
          return true;  // false stops
        });
    images.front().save_png(argv[1]);
  } catch (const ebb::Error& error) {
    std::cerr << "error: " << error.what() << '\n';
    return static_cast<int>(error.code());
  }
}
