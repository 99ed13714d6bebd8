#!/usr/bin/env python3
"""ebb denoise, edit, inpaint, anagram and hybrid: images, flags and exit codes.

Usage: ebb_combine_test.py EBB
"""

import shutil
import struct
import zlib
from pathlib import Path

from ebb_case import FAST, EbbTest, main, pixels, png_chunks, provenance
from model_files import write_model

SIDE = 28
GOLDEN = Path(__file__).resolve().parents[2] / "golden"


def write_png(path: Path, rows: list) -> None:
    """Rows of gray bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", len(rows[0]), len(rows), 8, 0, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + bytes(row) for row in rows))
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )


def read_gray(path: Path) -> list:
    """Rows of an 8-bit gray PNG, undoing the filters of the standard."""
    width, height = struct.unpack(">II", png_chunks(path, b"IHDR")[0][:8])
    data = zlib.decompress(b"".join(png_chunks(path, b"IDAT")))
    rows, above = [], [0] * width
    for i in range(height):
        kind, row = data[i * (width + 1)], list(data[i * (width + 1) + 1 : (i + 1) * (width + 1)])
        for j in range(width):
            left = row[j - 1] if j else 0
            corner = above[j - 1] if j else 0
            paeth = min((left, above[j], corner), key=lambda p: abs(left + above[j] - corner - p))
            row[j] = (row[j] + [0, left, above[j], (left + above[j]) // 2, paeth][kind]) % 256
        rows.append(row)
        above = row
    return rows


def size(path: Path) -> tuple:
    return struct.unpack(">II", png_chunks(path, b"IHDR")[0][:8])


class Combine(EbbTest):
    def setUp(self) -> None:
        super().setUp()
        # A trained network, whose images differ by class from the first steps on.
        shutil.copy(GOLDEN / "toolbox_ddpm.safetensors", self.dir / "m.safetensors")
        # A light stroke on black, brighter to the right and to the bottom: no half equals another.
        self.rows = [
            [(i * 5 + j * 3) % 256 if 10 <= j < 18 else 0 for j in range(SIDE)] for i in range(SIDE)
        ]
        write_png(self.dir / "in.png", self.rows)

    def generate(self, command: str, *arguments, rc: int = 0):
        """Runs a command for images as the model makes them, and figures as users have them."""
        is_figure = "--grid" in arguments or "--show-every" in arguments
        scale = [] if is_figure else ["--scale", 1]
        return self.ebb(command, "--model", "m.safetensors", "--threads", 1, *scale, *arguments, rc=rc)

    def created(self) -> set:
        return self.names() - {"in.png"}


class Prompts(Combine):
    def test_words_and_digits_name_a_class(self) -> None:
        self.generate("sample", "--class", 7, *FAST[:2], "-o", "class.png")
        for k, prompt in enumerate(("7", "seven", "a photo of a Seven")):
            done = self.generate("sample", "-p", prompt, *FAST[:2], "-o", f"{k}.png")
            self.assertIn(f"{k}.png  seed 42  class 7\n", done.stdout)
            self.assertEqual(pixels(self.dir / f"{k}.png"), pixels(self.dir / "class.png"))

    def test_dpm_solver_draws_and_eta_belongs_to_ddim(self) -> None:
        made = set()
        for k, flags in enumerate((["dpm++"], ["ddim"], ["ddim", "--eta", "1"])):
            self.generate("sample", "--class", 7, *FAST[:2], "--sampler", *flags, "-o", f"{k}.png")
            made.add(b"".join(pixels(self.dir / f"{k}.png")))
        self.assertEqual(len(made), 3)
        self.assertEqual(provenance(self.dir / "0.png")["sampler"], "dpm++")
        self.assertIn("--eta", self.generate("sample", "--eta", "1", rc=2).stderr)


class Edit(Combine):
    def test_a_image_for_each_start_and_a_grid_with_the_original(self) -> None:
        done = self.generate("edit", "-i", "in.png", "--i-start", "25,30", "-b", 2, "--class", 3)
        self.assertEqual(self.created(), {f"out_{i:03d}.png" for i in range(4)})
        self.assertIn("out_002.png  seed 42  class 3  i_start 30, t = 90\n", done.stdout)
        self.assertEqual(provenance(self.dir / "out_003.png")["seeds"], [43])
        self.generate("edit", "-i", "in.png", "--i-start", "30,31", "--grid", "-o", "grid.png")
        self.assertGreater(size(self.dir / "grid.png")[0], 3 * 4 * SIDE)

    def test_little_noise_changes_little_and_much_noise_much(self) -> None:
        for start in (0, 31):
            self.generate("edit", "-i", "in.png", "--i-start", start, "-o", f"{start}.png")
        error = {}
        for start in (0, 31):
            generated = read_gray(self.dir / f"{start}.png")
            error[start] = sum(
                abs(a - b) for x, y in zip(generated, self.rows) for a, b in zip(x, y)
            )
        self.assertLess(error[31], error[0])

    def test_class_prompt_and_guidance_each_matter(self) -> None:
        variants = [("--class", 3), ("-p", "a photo of a four"), ("--class", 3, "--cfg-scale", 60)]
        for k, flags in enumerate(variants):
            self.generate("edit", "-i", "in.png", "--i-start", 5, *flags, "-o", f"{k}.png")
        self.assertEqual(len({b"".join(pixels(self.dir / f"{k}.png")) for k in range(3)}), 3)
        self.generate("edit", "-i", "in.png", "--i-start", 5, "-p", "three", "-o", "words.png")
        self.assertEqual(pixels(self.dir / "words.png"), pixels(self.dir / "0.png"))

    def test_errors(self) -> None:
        for flags, named in (
            (["--i-start", "33"], "--i-start 33"),
            (["--i-start", "1,x"], "--i-start 1,x"),
            (["--i-start", ""], "--i-start"),
            (["--class", "3", "-p", "3"], "-p"),
            (["-p", "dog"], "--prompt dog"),
            (["-p", "six or seven"], "--prompt six or seven"),
            (["--gif"], "--gif"),
            (["--steps", "400", "--i-start", "3"], "--steps 400"),
            (["--variance", "learned_range"], "--variance learned_range"),
            (["--eta", "0.5"], "--eta"),
        ):
            with self.subTest(flags=flags):
                self.assertIn(named, self.generate("edit", "-i", "in.png", *flags, rc=2).stderr)
        self.generate("edit", rc=2)
        self.assertIn("no.png", self.generate("edit", "-i", "no.png", rc=4).stderr)
        (self.dir / "text.png").write_text("hello")
        self.assertIn("text.png", self.generate("edit", "-i", "text.png", rc=3).stderr)


class Denoise(Combine):
    def test_one_step_makes_a_image_for_each_level(self) -> None:
        done = self.generate("denoise", "-i", "in.png", "--one-step", "-t", "100,900")
        self.assertEqual(self.created(), {"out_000.png", "out_001.png"})
        self.assertIn("out_001.png  seed 42  t = 900\n", done.stdout)

    def test_the_way_back_shows_states_result_one_step_blur_and_original(self) -> None:
        self.generate("denoise", "-i", "in.png", "--i-start", 20, "--show-every", 5, "-o", "f.png")
        self.assertEqual(self.created(), {"f.png"})
        # 13 steps: the states after 0, 5 and 10, and four more, of 112 pixels each.
        width = size(self.dir / "f.png")[0]
        self.assertGreaterEqual(width, 7 * 4 * SIDE)
        self.assertLess(width, 11 * 4 * SIDE)
        self.generate("denoise", "-i", "in.png", "--i-start", 20, "-o", "result.png")
        self.assertEqual(size(self.dir / "result.png"), (SIDE, SIDE))

    def test_a_one_step_model_denoises_by_sigma(self) -> None:
        write_model(
            self.dir / "d.safetensors", "mnist_denoiser", {"type": "denoise", "sigma": 0.5}
        )
        done = self.ebb("denoise", "-i", "in.png", "--model", "d.safetensors", "--sigma", "0,.5",
                        "--threads", 1)  # fmt: skip
        self.assertIn("out_001.png  seed 42  σ 0.5\n", done.stdout)
        self.ebb("denoise", "-i", "in.png", "--model", "d.safetensors", "--iterative", rc=2)
        self.ebb("edit", "-i", "in.png", "--model", "d.safetensors", rc=2)

    def test_errors(self) -> None:
        for flags, named in (
            (["--one-step", "-t", "1000"], "-t 1000"),
            (["--one-step", "--iterative"], "--iterative"),
            (["--one-step", "--i-start", "3"], "--i-start"),
            (["--one-step", "--gif"], "--gif"),
            (["--i-start", "40"], "--i-start 40"),
        ):
            with self.subTest(flags=flags):
                self.assertIn(named, self.generate("denoise", "-i", "in.png", *flags, rc=2).stderr)


class Inpaint(Combine):
    def test_known_pixels_are_byte_equal_and_the_others_new(self) -> None:
        halves = {
            "left": lambda i, j: j < SIDE // 2,
            "bottom": lambda i, j: i >= SIDE // 2,
            "center": lambda i, j: 7 <= i < 21 and 7 <= j < 21,
        }
        for name, is_new in halves.items():
            done = self.generate("inpaint", "-i", "in.png", "--mask", name, "--steps", 3, "-b", 2, "-o",
                             f"{name}_%d.png")  # fmt: skip
            self.assertRegex(
                done.stdout, r"known pixels: \d+ of 784, byte-equal in 2 of 2 images"
            )
            generated = read_gray(self.dir / f"{name}_1.png")
            changed = 0
            for i in range(SIDE):
                for j in range(SIDE):
                    if is_new(i, j):
                        changed += generated[i][j] != self.rows[i][j]
                    else:
                        self.assertEqual(generated[i][j], self.rows[i][j], (name, i, j))
            self.assertGreater(changed, 50, name)

    def test_a_mask_is_white_where_to_make_new(self) -> None:
        mask = [[255 if j < SIDE // 2 else 0 for j in range(SIDE)] for _ in range(SIDE)]
        write_png(self.dir / "mask.png", mask)
        for name in ("mask.png", "left"):
            self.generate("inpaint", "-i", "in.png", "--mask", name, *FAST[:2], "-o", f"by_{name[:4]}.png")
        self.assertEqual(pixels(self.dir / "by_mask.png"), pixels(self.dir / "by_left.png"))

    def test_resampling_takes_more_steps(self) -> None:
        plain = ("inpaint", "-i", "in.png", "--mask", "top", "--steps", 6)
        self.generate(*plain, "-o", "plain.png")
        self.generate(*plain, "--resample", 3, "--jump", 2, "-o", "again.png")
        self.assertNotEqual(pixels(self.dir / "plain.png"), pixels(self.dir / "again.png"))

    def test_errors(self) -> None:
        self.generate("inpaint", "-i", "in.png", rc=2)
        self.assertIn("left, right", self.generate("inpaint", "-i", "in.png", "--mask", "middle", rc=4).stderr)
        done = self.generate("inpaint", "-i", "in.png", "--mask", "left", "--steps", 6, "--resample", 2,
                         "--jump", 6, rc=2)  # fmt: skip
        self.assertIn("--jump 6: must be less than the 6 steps", done.stderr)
        for flags in (["--resample", "0"], ["--jump", "0"], ["--steps", "301"]):
            done = self.generate("inpaint", "-i", "in.png", "--mask", "left", *flags, rc=2)
            self.assertIn(flags[0], done.stderr)
        self.assertIn("no.png", self.generate("inpaint", "-i", "in.png", "--mask", "no.png", rc=4).stderr)


class Anagram(Combine):
    def test_a_flip_is_drawn_again_by_exchanged_prompts(self) -> None:
        # What 3 upright and 8 upside down draw from noise is what 8 and 3 draw seen the other way,
        # so only the view may make the two differ.
        self.generate("anagram", "--prompts", 3, 8, "--view", "flip", *FAST[:2], "-o", "a.png")
        self.generate("anagram", "--prompts", "three", "a photo of an eight", "--views", "identity",
                  "flip", *FAST[:2], "-o", "b.png")  # fmt: skip
        self.assertEqual(pixels(self.dir / "a.png"), pixels(self.dir / "b.png"))
        self.generate("anagram", "--prompts", 3, 8, "--view", "rotate_180", *FAST[:2], "-o", "c.png")
        self.assertNotEqual(pixels(self.dir / "a.png"), pixels(self.dir / "c.png"))
        self.generate("anagram", "--prompts", 8, 3, "--view", "flip", *FAST[:2], "-o", "d.png")
        self.assertNotEqual(pixels(self.dir / "a.png"), pixels(self.dir / "d.png"))

    def test_a_shared_unconditional_estimate_matters_to_guided_views_alone(self) -> None:
        def drawn(name: str, *flags) -> bytes:
            self.generate("anagram", "--prompts", 6, 9, *flags, *FAST[:2], "-o", name)
            return pixels(self.dir / name)

        shared = ("--unconditional", "shared")
        self.assertNotEqual(drawn("a.png"), drawn("b.png", *shared))
        unguided = ("--cfg-scale", 1)
        self.assertEqual(drawn("c.png", *unguided), drawn("d.png", *unguided, *shared))
        upright = ("--views", "identity", "identity")
        self.assertEqual(drawn("e.png", *upright), drawn("f.png", *upright, *shared))

    def test_averaged_bands_are_not_the_sum(self) -> None:
        for name, combine in (("a.png", "sum"), ("b.png", "mean")):
            self.generate("hybrid", "--far", 8, "--near", 3, "--combine", combine, *FAST[:2], "-o", name)
        self.assertNotEqual(pixels(self.dir / "a.png"), pixels(self.dir / "b.png"))

    def test_a_grid_shows_every_view(self) -> None:
        self.generate("anagram", "--prompts", 6, 9, 1, "--views", "identity", "rotate_180", "rotate_cw",
                  "-b", 2, "--grid", *FAST[:2])  # fmt: skip
        self.assertEqual(provenance(self.dir / "out.png")["seeds"], [42, 43])
        width, height = size(self.dir / "out.png")
        self.assertGreaterEqual(width, 2 * 3 * 4 * SIDE)  # both images, three views each, in a row
        self.assertLess(height, 2 * 4 * SIDE)

    def test_errors(self) -> None:
        for flags, named in (
            ([], "--prompts"),
            (["--prompts", "6"], "--prompts"),
            (["--prompts", "6", "9", "1"], "--prompts"),
            (["--prompts", "6", "dog"], "--prompts dog"),
            (["--prompts", "6", "9", "--view", "mirror"], "--view mirror"),
            (["--prompts", "6", "9", "--views", "identity", "mirror"], "--views mirror"),
            (["--prompts", "6", "9", "--view", "negate"], "--view negate"),
        ):
            with self.subTest(flags=flags):
                self.assertIn(named, self.generate("anagram", *flags, *FAST[:2], rc=2).stderr)
        write_model(self.dir / "time.safetensors", "mnist_time_add")
        done = self.ebb("anagram", "--model", "time.safetensors", "--prompts", 6, 9, rc=2)
        self.assertIn("time.safetensors", done.stderr)


class Hybrid(Combine):
    def test_every_decomposition_draws_and_matters(self) -> None:
        variants = [
            ["--far", "3", "--near", "8"],
            ["--far", "8", "--near", "3"],
            ["--far", "3", "--near", "8", "--sigma", "3"],
            ["--decomposition", "triple", "--prompts", "3", "5", "8"],
            ["--decomposition", "motion", "--prompts", "3", "8"],
            ["--inverse", "in.png", "--near", "8"],
            ["--inverse", "in.png", "--far", "8"],
        ]
        for k, flags in enumerate(variants):
            self.generate("hybrid", *flags, *FAST[:2], "-o", f"{k}.png")
        generated = {b"".join(pixels(self.dir / f"{k}.png")) for k in range(len(variants))}
        self.assertEqual(len(generated), len(variants))
        self.generate("hybrid", "--prompts", "3", "8", *FAST[:2], "-o", "words.png")
        self.assertEqual(pixels(self.dir / "words.png"), pixels(self.dir / "0.png"))

    def test_one_prompt_for_all_parts_is_plain_sampling(self) -> None:
        # The parts sum to the image, so far 3 and near 3 is a 3.
        self.generate("hybrid", "--far", 3, "--near", 3, *FAST[:2], "-o", "hybrid.png")
        self.generate("sample", "--class", 3, *FAST[:2], "-o", "plain.png")
        pairs = zip(read_gray(self.dir / "hybrid.png"), read_gray(self.dir / "plain.png"))
        # Another order of sums may turn a rounding.
        self.assertLessEqual(max(abs(a - b) for x, y in pairs for a, b in zip(x, y)), 1)

    def test_errors(self) -> None:
        for flags, named in (
            ([], "--far"),
            (["--far", "3"], "--far"),
            (["--far", "3", "--near", "8", "--prompts", "3", "8"], "--prompts"),
            (["--decomposition", "triple", "--far", "3", "--near", "8"], "--decomposition"),
            (["--decomposition", "triple", "--prompts", "3", "8"], "--prompts"),
            (["--decomposition", "color", "--prompts", "3", "8"], "--decomposition color"),
            (["--far", "3", "--near", "8", "--kernel", "4"], "--kernel 4"),
            (["--far", "3", "--near", "8", "--kernel", "57"], "--kernel 57"),
            (["--far", "3", "--near", "8", "--inverse", "in.png"], "--inverse"),
        ):
            with self.subTest(flags=flags):
                self.assertIn(named, self.generate("hybrid", *flags, *FAST[:2], rc=2).stderr)


if __name__ == "__main__":
    main()
