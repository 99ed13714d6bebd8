// anagram OUTPUT.png TURNED.png   a six that is a nine when it is turned by 180 degrees, and an
//                                 edit of it: the nine again, by half of the steps
#include <ebb/ebb.h>

#include <algorithm>
#include <iostream>

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: anagram OUTPUT.png TURNED.png\n";
    return 2;
  }
  try {
    const ebb::Context context = ebb::make_context({.device = "cpu"});
    const ebb::Pipeline pipeline(context, ebb::Model::load(context, "mnist-class"),
                                 {.sampler = "ddim", .steps = 20});
    const ebb::Image six =
        pipeline.generate({.prompts = {"6", "9"}, .seed = 1, .views = {"identity", "rotate_180"}})
            .front();
    six.save_png(argv[1]);

    ebb::Image turned = six;
    std::reverse(turned.pixels.begin(), turned.pixels.end());
    pipeline.generate({.prompts = {"9"}, .seed = 2, .image = turned, .strength = 0.5})
        .front()
        .save_png(argv[2]);
  } catch (const ebb::Error& error) {
    std::cerr << "error: " << error.what() << '\n';
    return static_cast<int>(error.code());
  }
}
