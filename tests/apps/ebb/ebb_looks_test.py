#!/usr/bin/env python3
"""Images to look at: --scale, figures, scaled images as inputs, files of early versions; --best; animations of
finished images.

Usage: ebb_looks_test.py EBB
"""

import json
import shutil
import struct
from pathlib import Path

from ebb_case import FAST, EbbTest, main, pixels, png_chunks, provenance
from gif_files import read_gif
from image_files import Image, read_png, write_png

GOLDEN = Path(__file__).resolve().parents[2] / "golden"
PRETRAINED = GOLDEN.parents[1] / "weights" / "pretrained"
SIDE = 28
# Another processor may round a value on the border of two levels to the other side.
MOST_OFF, SHARE_OFF = 1, 0.02


def size(path: Path) -> tuple:
    return struct.unpack(">II", png_chunks(path, b"IHDR")[0][:8])


def reduced(image: Image, scale: int) -> Image:
    """Every scale-th pixel of an image in both directions."""
    rows = range(0, image.height, scale)
    data = bytes(
        image.pixels[(y * image.width + x) * image.channels + c]
        for y in rows
        for x in range(0, image.width, scale)
        for c in range(image.channels)
    )
    return Image(image.width // scale, image.height // scale, image.channels, data)


def provenance_of_gif(path: Path) -> dict:
    """The comment "ebb {...}", in blocks of at most 255 bytes behind their length."""
    data = path.read_bytes()
    at, text = data.index(b"\x21\xfe") + 2, b""
    while data[at]:
        text += data[at + 1 : at + 1 + data[at]]
        at += 1 + data[at]
    return json.loads(text.removeprefix(b"ebb "))


class Trained(EbbTest):
    """With a network that tells its classes apart after few steps."""

    def setUp(self) -> None:
        super().setUp()
        shutil.copy(GOLDEN / "toolbox_ddpm.safetensors", self.dir / "m.safetensors")

    def run_on_model(self, command: str, *arguments, rc: int = 0):
        return self.ebb(command, "--model", "m.safetensors", "--threads", 1, *arguments, rc=rc)


class Scale(Trained):
    def test_an_image_is_eight_times_as_large_and_its_raw_pixels_are_to_be_had(self) -> None:
        self.sample("--class", 3, "-o", "large.png")
        self.sample("--class", 3, "--scale", 1, "-o", "raw.png")
        self.sample("--class", 3, "--scale", 3, "-o", "three.png")
        raw = read_png(self.dir / "raw.png")
        self.assertEqual((raw.width, raw.height), (SIDE, SIDE))
        self.assertEqual(reduced(read_png(self.dir / "large.png"), 8), raw)
        self.assertEqual(reduced(read_png(self.dir / "three.png"), 3), raw)
        self.assertEqual(size(self.dir / "large.png"), (8 * SIDE, 8 * SIDE))
        for name, scale in (("large", 8), ("raw", 1), ("three", 3)):
            made = provenance(self.dir / f"{name}.png")
            self.assertEqual((made["width"], made["height"], made["scale"]), (SIDE, SIDE, scale))
        self.assertIn("scale     8 pixels a side for each of 28 x 28", self.ebb("info", "large.png").stdout)
        self.assertNotIn("scale  ", self.ebb("info", "raw.png").stdout)
        self.sample("--scale", 0, rc=2)
        self.sample("--scale", 65, rc=2)

    def test_what_was_enlarged_is_taken_back_as_an_input(self) -> None:
        self.sample("--class", 3, "-o", "large.png", "--gif", "film.webp")
        self.sample("--class", 3, "--no-metadata", "-o", "bare.png")
        self.sample("--class", 3, "--scale", 1, "-o", "raw.png")
        for name in ("large.png", "bare.png", "raw.png"):
            done = self.run_on_model("forward", "-i", name, "-t", 0, "--scale", 1, "-o", f"of_{name}")
            line = f"{name}: 224 x 224: taken back to 28 x 28\n"
            self.assertEqual(line in done.stdout, name != "raw.png")
        first = pixels(self.dir / "of_large.png")
        self.assertEqual(first, pixels(self.dir / "of_raw.png"))
        self.assertEqual(first, pixels(self.dir / "of_bare.png"))
        # One pixel that is not as its block: an image of its own.
        image = read_png(self.dir / "large.png")
        changed = bytearray(image.pixels)
        changed[0] ^= 40
        write_png(self.dir / "other.png", image._replace(pixels=bytes(changed)))
        done = self.run_on_model("forward", "-i", "other.png", "-t", 0, "-o", "of_other.png")
        self.assertIn("other.png: 224 x 224: resized to 28 x 28\n", done.stdout)

    def test_an_inpainted_image_of_the_models_size_keeps_it(self) -> None:
        self.sample("--class", 3, "--scale", 1, "-o", "raw.png")
        self.sample("--class", 3, "-o", "large.png")
        for flags, name, side in (([], "raw.png", 28), ([], "large.png", 224), (["--scale", 2], "raw.png", 56)):
            self.run_on_model("inpaint", "-i", name, "--mask", "left", *flags, "-o", "filled.png", "--force")
            self.assertEqual(size(self.dir / "filled.png"), (side, side))

    def test_a_figure_says_what_it_shows(self) -> None:
        self.sample("-b", 2, "--class", 7, "--grid", "-o", "class.png")
        self.sample("-b", 2, "--class", 7, "--grid", "-s", 1234567, "-o", "seeds.png")
        self.sample("-b", 2, "--class", "7,8", "--grid", "-o", "two.png")
        heights = [size(self.dir / f"{name}.png")[1] for name in ("class", "seeds", "two")]
        self.assertEqual(heights[0], heights[1])
        self.assertGreater(heights[2], heights[0])  # the classes stand above the columns
        self.assertEqual(provenance(self.dir / "class.png")["scale"], 4)
        labels = {b"".join(pixels(self.dir / f"{name}.png")) for name in ("class", "seeds")}
        self.assertEqual(len(labels), 2)
        self.sample("-b", 2, "--grid", "--scale", 1, "-o", "raw.png")
        self.assertLess(size(self.dir / "raw.png")[0], size(self.dir / "class.png")[0])

    def test_json_has_the_scale_and_what_was_done_to_an_input(self) -> None:
        self.sample("--class", 3, "-o", "large.png")
        done = self.run_on_model("forward", "-i", "large.png", "-t", 0, "-o", "f.png", "--json")
        found = json.loads(done.stdout)
        self.assertEqual(found["input"], {"path": "large.png", "changes": "224 x 224: taken back to 28 x 28"})
        self.assertEqual((found["files"][0]["scale"], found["files"][0]["width"]), (8, 224))


class Early(Trained):
    """Files of the version before: drawn at their own size, without labels, by other defaults."""

    def setUp(self) -> None:
        super().setUp()
        for path in (GOLDEN / "early").iterdir():
            shutil.copy(path, self.dir)

    def again(self, name: str) -> None:
        # Rounding may differ on another machine (rc 1), and this build is another (a warning).
        done = self.ebb("rerun", name, "-o", f"again_{name}", rc=None)
        self.assertIn(done.returncode, (0, 1), done.stderr)

    def check_close(self, actual: bytes, expected: bytes) -> None:
        self.assertEqual(len(actual), len(expected))
        errors = [abs(a - b) for a, b in zip(actual, expected)]
        self.assertLessEqual(max(errors), MOST_OFF)
        self.assertLessEqual(sum(map(bool, errors)), SHARE_OFF * len(errors))

    def test_they_are_made_again_as_they_were(self) -> None:
        for name in ("in.png", "s_1.png", "sample_grid.png", "hybrid.png", "blur.png"):
            with self.subTest(name=name):
                self.again(name)
                old, new = read_png(self.dir / name), read_png(self.dir / f"again_{name}")
                self.assertEqual(old[:3], new[:3])
                self.check_close(new.pixels, old.pixels)
                made = provenance(self.dir / f"again_{name}")
                self.assertNotIn("scale", made)
                self.assertEqual(made | {"build": ""}, provenance(self.dir / name) | {"build": ""})

    def test_a_figure_and_an_animation_have_their_size(self) -> None:
        self.again("edit.png")  # its letters are those of the fonts here
        self.assertEqual(size(self.dir / "again_edit.png")[1], size(self.dir / "edit.png")[1])
        self.again("anagram.gif")
        old, new = (read_gif(self.dir / name) for name in ("anagram.gif", "again_anagram.gif"))
        self.assertEqual(len(new), len(old))
        self.assertEqual((new[0].width, new[0].height), (old[0].width, old[0].height))


class Best(Trained):
    """With the pretrained models, whose anagrams a classifier can read."""

    def setUp(self) -> None:
        super().setUp()
        if (PRETRAINED / "mnist-class.safetensors").stat().st_size < 10_000:
            self.skipTest("no pretrained models here")
        self.models = {"EBB_MODELS": str(PRETRAINED)}

    def anagram(self, *arguments, rc: int = 0):
        return self.ebb("anagram", "--prompts", 6, 9, "--sampler", "dpm++", "--steps", 6, "--threads", 1,
                        *arguments, rc=rc, env=self.models)  # fmt: skip

    def test_the_best_of_many_are_kept_and_each_is_made_again(self) -> None:
        done = self.anagram("--best", 2, "-b", 6, "-o", "best_%d.png", "--json")
        best = json.loads(done.stdout)["best"]
        self.assertEqual((best["kept"], best["of"]), (2, 6))
        self.assertGreaterEqual(best["read"], 2)
        seeds = [provenance(self.dir / f"best_{k}.png")["seeds"][0] for k in range(2)]
        self.assertEqual(len(set(seeds)), 2)
        self.assertTrue(set(seeds) <= set(range(42, 48)))
        done = self.anagram("-b", 6, "-o", "all_%d.png", "--json")
        self.assertNotIn("best", json.loads(done.stdout))
        for k, seed in enumerate(seeds):
            self.assertEqual(pixels(self.dir / f"best_{k}.png"), pixels(self.dir / f"all_{seed - 42}.png"))
        self.ebb("rerun", "best_1.png", "-o", "again.png", env=self.models)
        self.assertEqual((self.dir / "again.png").read_bytes(), (self.dir / "best_1.png").read_bytes())

    def test_hybrids_are_kept_that_are_read_both_ways(self) -> None:
        done = self.ebb("hybrid", "--far", 8, "--near", 3, "--best", 1, "-b", 4, "--sampler", "dpm++", "--steps", 6,
                        "--threads", 1, "--grid", env=self.models)  # fmt: skip
        self.assertRegex(done.stdout, r"kept the best 1 of 4: \d (is|are) read both ways\n")
        self.assertEqual(len(provenance(self.dir / "out.png")["seeds"]), 1)

    def test_errors(self) -> None:
        self.assertIn("--best 3: more than the 2 images", self.anagram("--best", 3, "-b", 2, rc=2).stderr)
        self.assertIn("--gif: has no meaning with --best", self.anagram("--best", 1, "--gif", rc=2).stderr)
        done = self.ebb("hybrid", "--decomposition", "motion", "--prompts", 0, 4, "--best", 1, rc=2)
        self.assertIn("--best: has no meaning with --decomposition motion", done.stderr)
        done = self.run_on_model("anagram", "--prompts", 6, 9, "--best", 1, *FAST[:2], rc=None)
        self.assertIn(done.returncode, (0, 2))  # 2 where mnist-classifier is not found


class Motion(Trained):
    def test_a_turn_starts_upright_and_shows_the_other_view_half_way(self) -> None:
        self.run_on_model("anagram", "--prompts", 6, 9, *FAST[:2], "-o", "a.png", "--turn", "turn.gif")
        frames, image = read_gif(self.dir / "turn.gif"), read_png(self.dir / "a.png")
        self.assertEqual((len(frames), frames[0].width), (48, image.width))
        levels = [pixel[0] for pixel in frames[0].pixels]
        self.assertEqual(bytes(levels), image.pixels)
        self.assertEqual(bytes(pixel[0] for pixel in frames[24].pixels), image.pixels[::-1])
        self.assertNotEqual(frames[12].pixels, frames[0].pixels)
        self.assertEqual(provenance_of_gif(self.dir / "turn.gif")["animation"], "turn")

    def test_other_views_move_their_pixels_to_their_places(self) -> None:
        self.run_on_model("anagram", "--prompts", 6, 9, "--view", "flip", *FAST[:2], "-o", "a.png", "--turn",
                          "flip.gif")  # fmt: skip
        frames, image = read_gif(self.dir / "flip.gif"), read_png(self.dir / "a.png")
        rows = [image.pixels[at : at + image.width] for at in range(0, len(image.pixels), image.width)]
        self.assertEqual(bytes(pixel[0] for pixel in frames[0].pixels), image.pixels)
        self.assertEqual(bytes(pixel[0] for pixel in frames[24].pixels), b"".join(rows[::-1]))

    def test_stepping_back_makes_a_hybrid_small_and_smooth(self) -> None:
        self.run_on_model("hybrid", "--far", 3, "--near", 8, *FAST[:2], "-o", "h.png", "--step-back", "h.gif")
        frames, image = read_gif(self.dir / "h.gif"), read_png(self.dir / "h.png")
        self.assertEqual(bytes(pixel[0] for pixel in frames[0].pixels), image.pixels)
        far, width = [pixel[0] for pixel in frames[24].pixels], image.width
        background = far[0]
        third = range(width // 3 - 2, width - width // 3 + 2)
        for y in range(width):
            for x in range(width):
                if y not in third or x not in third:
                    self.assertEqual(far[y * width + x], background, (x, y))
        self.assertGreater(len(set(far)), 1)

    def test_animations_of_both_kinds_are_made_again(self) -> None:
        self.run_on_model("anagram", "--prompts", 6, 9, "-b", 3, *FAST[:2], "--grid", "--gif", "--turn", "turn.webp")
        for name in ("out.gif", "turn.webp", "out.png"):
            again = "again" + Path(name).suffix
            self.ebb("rerun", name, "-o", again, "--force")
            self.assertEqual((self.dir / again).read_bytes(), (self.dir / name).read_bytes(), name)

    def test_errors(self) -> None:
        run = ["anagram", "--prompts", 6, 9, *FAST[:2]]
        self.assertIn("--turn", self.run_on_model(*run, "--turn", "x.jpg", rc=2).stderr)
        done = self.run_on_model(*run, "--gif", "x.gif", "--turn", "x.gif", rc=2)
        self.assertIn("--turn x.gif: is also the file of --gif", done.stderr)
        (self.dir / "kept.gif").write_text("precious")
        self.run_on_model(*run, "--turn", "kept.gif", rc=4)
        done = self.run_on_model("hybrid", "--decomposition", "motion", "--prompts", 0, 4, "--step-back", "x.gif", rc=2)
        self.assertIn("--step-back: has no meaning with --decomposition motion", done.stderr)


if __name__ == "__main__":
    main()
