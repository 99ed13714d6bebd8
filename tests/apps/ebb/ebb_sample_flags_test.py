#!/usr/bin/env python3
"""What every drawing command does alike: metadata, grids, animations, batches, and making it again.

Usage: ebb_sample_flags_test.py EBB
"""

import hashlib
import json
import shutil

from ebb_case import EbbTest, main, pixels, provenance
from gif_files import read_gif
from model_files import GOLDEN, read_safetensors
from image_files import Image, read_png, write_png

TENSORS, METADATA = read_safetensors(GOLDEN / "toolbox_commands.safetensors")
COMMANDS = json.loads(METADATA["ebb.commands"])
SIDE, SEED, IMAGES = 28, 42, 2
MOST_FRAMES = 50

# One command line of each kind, with the moves of its sampler.
SCHEDULES = {
    "sample": 6,
    "sample_dpm": 6,
    "edit_20": 13,
    "denoise": 11,
    "inpaint": 6,
    "inpaint_resampled": 14,
    "anagram_turns": 6,
    "hybrid": 6,
    "hybrid_inverse": 6,
    "flow_heun": 6,
}


def digest(path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


class SampleJob(EbbTest):
    def setUp(self) -> None:
        super().setUp()
        shutil.copy(GOLDEN / "toolbox_ddpm.safetensors", self.dir / "mnist-class.safetensors")
        shutil.copy(GOLDEN / "toolbox_flow.safetensors", self.dir / "flow.safetensors")
        write_png(self.dir / "in.png", Image(SIDE, SIDE, 1, TENSORS["input"].data))

    def generate(self, *words: str, rc: int = 0):
        return self.ebb(*words, rc=rc, env={"EBB_MODELS": str(self.dir)})

    def test_images_say_how_they_were_made(self) -> None:
        for name, words in COMMANDS.items():
            with self.subTest(name=name):
                command = [*words, "-o", f"{name}_%d.png"]
                self.generate(*command)
                made = [path for path in self.dir.glob(f"{name}_*.png")]
                self.assertEqual(len(made), TENSORS[name].shape[0])
                for path in made:
                    facts = provenance(path)
                    number = int(path.stem.rsplit("_", 1)[1])
                    without_threads = words[: words.index("--threads")]  # its last flag
                    self.assertEqual(facts["argv"], ["ebb", *without_threads])
                    self.assertEqual(facts["seeds"], [SEED + number % IMAGES])
                    model = "flow" if name.startswith("flow") else "mnist-class"
                    self.assertEqual(
                        facts["model_sha256"], digest(self.dir / f"{model}.safetensors")
                    )
                    self.assertEqual((facts["width"], facts["height"]), (SIDE, SIDE))
                    inputs = [entry["sha256"] for entry in facts.get("inputs", [])]
                    expected = [digest(self.dir / "in.png")] if "in.png" in words else []
                    self.assertEqual(inputs, expected)
                    if name in SCHEDULES and name != "inpaint_resampled":
                        self.assertEqual(facts["steps"], SCHEDULES[name])

    def test_animations_end_with_the_images(self) -> None:
        for name, moves in SCHEDULES.items():
            with self.subTest(name=name):
                self.generate(*COMMANDS[name], "-o", f"{name}_%d.png", "--gif", f"{name}.gif")
                frames = read_gif(self.dir / f"{name}.gif")
                self.assertEqual(len(frames), min(moves + 1, MOST_FRAMES))
                self.check_frame(frames[-1], name)
                self.assertNotEqual(frames[0].pixels, frames[-1].pixels)

    def check_frame(self, frame, name: str) -> None:
        """A frame is a figure of the images, 4 pixels a side for each of theirs, above their seeds."""
        scale, margin, gap, label = 4, 12, 4, 18
        rows = 1 if frame.width > frame.height else IMAGES
        columns = IMAGES // rows
        across, down = scale * SIDE + gap, scale * SIDE + label + gap
        size = (2 * margin + columns * across - gap, 2 * margin + rows * down - gap)
        self.assertEqual((frame.width, frame.height), size)
        for k in range(IMAGES):
            image = read_png(self.dir / f"{name}_{k}.png")
            image_scale = image.width // SIDE  # an inpainted image keeps its input's size
            top, left = margin + k // columns * down, margin + k % columns * across
            for y in range(SIDE):
                for x in range(SIDE):
                    at = (top + scale * y) * frame.width + left + scale * x
                    level = image.pixels[image_scale * (y * image.width + x)]
                    self.assertEqual(frame.pixels[at], (level, level, level), (name, k, y, x))

    def test_batches_and_threads_change_nothing(self) -> None:
        for name in ("edit_20", "inpaint", "anagram_flip", "hybrid_triple", "sample_dpm"):
            with self.subTest(name=name):
                words = COMMANDS[name]
                self.generate(*words, "-o", "a_%d.png", "--force")
                self.generate(*words, "--batch-size", "1", "-o", "b_%d.png", "--force")
                threads = [*words[: words.index("--threads")], "--threads", "3"]
                self.generate(*threads, "-o", "c_%d.png", "--force")
                for k in range(IMAGES):
                    expected = pixels(self.dir / f"a_{k}.png")
                    self.assertEqual(pixels(self.dir / f"b_{k}.png"), expected)
                    self.assertEqual(pixels(self.dir / f"c_{k}.png"), expected)

    def test_existing_files_stay_without_force(self) -> None:
        for name in SCHEDULES:
            with self.subTest(name=name):
                (self.dir / "kept_1.png").write_text("precious")
                done = self.generate(*COMMANDS[name], "-o", "kept_%d.png", rc=4)
                self.assertIn("kept_1.png", done.stderr)
                self.assertEqual((self.dir / "kept_1.png").read_text(), "precious")
                self.assertFalse((self.dir / "kept_0.png").exists())

    def test_rerun_makes_the_same_bytes(self) -> None:
        for name, words in COMMANDS.items():
            with self.subTest(name=name):
                self.generate(*words, "-o", f"{name}_%d.png")
                last = TENSORS[name].shape[0] - 1
                first = self.dir / f"{name}_{last}.png"
                self.generate("rerun", first.name, "-o", "again.png", "--force")
                self.assertEqual((self.dir / "again.png").read_bytes(), first.read_bytes())

    def test_rerun_knows_a_random_seed(self) -> None:
        self.generate("sample", "--steps", "2", "-b", "2", "-s", "-1", "-o", "lucky_%d.png")
        self.generate("rerun", "lucky_1.png", "-o", "again.png")
        again, first = (self.dir / name for name in ("again.png", "lucky_1.png"))
        self.assertEqual(again.read_bytes(), first.read_bytes())

    def test_rerun_makes_a_grid_and_an_animation_again(self) -> None:
        self.generate(*COMMANDS["sample"], "--grid", "-o", "grid.png", "--gif", "film.gif")
        for name in ("grid.png", "film.gif"):
            self.generate("rerun", name, "-o", f"again_{name}")
            self.assertEqual(
                (self.dir / f"again_{name}").read_bytes(), (self.dir / name).read_bytes()
            )


if __name__ == "__main__":
    main()
