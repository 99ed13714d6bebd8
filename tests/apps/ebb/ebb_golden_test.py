#!/usr/bin/env python3
"""The images of the drawing commands against PyTorch's (tests/golden/command_goldens.py).

Usage: ebb_golden_test.py EBB
"""

import json
import shutil

from ebb_case import EbbTest, main
from model_files import GOLDEN, read_safetensors
from image_files import Image, inverted, read_png, write_png

TENSORS, METADATA = read_safetensors(GOLDEN / "toolbox_commands.safetensors")
COMMANDS = json.loads(METADATA["ebb.commands"])
SIDE = 28
# The goldens have the defaults of the papers' 64 pixels, scaled.
FLAGS = {name: ["--sigma", "0.875"] for name in ("hybrid", "hybrid_inverse")}
# ebb computes in f32: a value on the border of two levels may fall to the other side.
MOST_OFF, SHARE_OFF = 1, 0.02


def expected_images(name: str) -> list[Image]:
    _, height, width = TENSORS[name].shape
    data, size = TENSORS[name].data, height * width
    return [Image(width, height, 1, data[at : at + size]) for at in range(0, len(data), size)]


class Images(EbbTest):
    def setUp(self) -> None:
        super().setUp()
        shutil.copy(GOLDEN / "toolbox_ddpm.safetensors", self.dir / "mnist-class.safetensors")
        shutil.copy(GOLDEN / "toolbox_flow.safetensors", self.dir / "flow.safetensors")
        self.input = Image(SIDE, SIDE, 1, TENSORS["input"].data)
        write_png(self.dir / "in.png", self.input)

    def generate(self, words: list, prefix: str) -> list[Image]:
        self.ebb(*words, "--scale", 1, "-o", f"{prefix}_%d.png", env={"EBB_MODELS": str(self.dir)})
        count = len(list(self.dir.glob(f"{prefix}_*.png")))
        return [read_png(self.dir / f"{prefix}_{i}.png") for i in range(count)]

    def check(self, actual: list[Image], expected: list[Image]) -> None:
        self.assertEqual([p[:3] for p in actual], [p[:3] for p in expected])
        for image, wanted in zip(actual, expected):
            errors = [abs(a - b) for a, b in zip(image.pixels, wanted.pixels)]
            self.assertLessEqual(max(errors), MOST_OFF)
            self.assertLessEqual(sum(map(bool, errors)), SHARE_OFF * len(errors))

    def check_command(self, name: str) -> None:
        self.check(self.generate(COMMANDS[name] + FLAGS.get(name, []), name), expected_images(name))

    def test_every_command_line_of_the_golden_file_is_tested(self) -> None:
        tested = {name[len("test_golden_"):] for name in dir(self) if name.startswith("test_golden")}
        self.assertEqual(tested, {name.replace(".", "_") for name in COMMANDS})

    def test_dark_on_light_input_is_inverted_unless_told_otherwise(self) -> None:
        write_png(self.dir / "dark.png", inverted(self.input))
        words = [w if w != "in.png" else "dark.png" for w in COMMANDS["edit_20"]]
        self.check(self.generate(words, "auto"), expected_images("edit_20"))
        self.check(self.generate([*words, "--invert", "yes"], "yes"), expected_images("edit_20"))
        as_it_is = self.generate([*words, "--invert", "no"], "no")
        with self.assertRaises(AssertionError):
            self.check(as_it_is, expected_images("edit_20"))

    def test_a_mask_image_is_white_where_to_make_new(self) -> None:
        right = bytes(255 if column >= SIDE // 2 else 0 for column in range(SIDE)) * SIDE
        write_png(self.dir / "mask.png", Image(SIDE, SIDE, 1, right))
        words = [w if w != "right" else "mask.png" for w in COMMANDS["inpaint"]]
        self.check(self.generate(words, "masked"), expected_images("inpaint"))

    def test_known_pixels_of_an_inpainted_image_are_the_inputs(self) -> None:
        for name in ("inpaint", "inpaint_resampled"):
            for image in self.generate(COMMANDS[name], name):
                for row in range(SIDE):
                    known = slice(row * SIDE, row * SIDE + SIDE // 2)
                    self.assertEqual(image.pixels[known], self.input.pixels[known])


def add_test(name: str) -> None:
    setattr(Images, f"test_golden_{name.replace('.', '_')}",
            lambda self: self.check_command(name))


for command in COMMANDS:
    add_test(command)

if __name__ == "__main__":
    main()
