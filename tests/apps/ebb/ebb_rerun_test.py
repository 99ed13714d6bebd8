#!/usr/bin/env python3
"""ebb rerun, info, forward and blur: images that record how they were made, and are regenerated.

Usage: ebb_rerun_test.py EBB
"""

import json
import re
import struct
import zlib
from pathlib import Path

from ebb_case import EbbTest, main, png_chunks, provenance
from model_files import change_weight

MODEL = ["--model", "m.safetensors", "--threads", "1"]


def png_chunk(kind: bytes, data: bytes) -> bytes:
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


def change_provenance(path: Path, drop: tuple = (), **changes) -> None:
    """Rewrites fields of what a PNG says about itself, or drops them; its pixels stay."""
    made = provenance(path) | changes
    for field in drop:
        del made[field]
    chunks = [png_chunk(b"IHDR", png_chunks(path, b"IHDR")[0])]
    chunks.append(png_chunk(b"tEXt", b"ebb\0" + json.dumps(made).encode()))
    chunks += [png_chunk(b"IDAT", data) for data in png_chunks(path, b"IDAT")]
    chunks.append(png_chunk(b"IEND", b""))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))


def replace_provenance(path: Path, made: dict) -> None:
    """Writes `made` as ebb does into the PNG; everything else keeps its bytes."""
    content, at = path.read_bytes(), 8
    while content[at + 4 : at + 12] != b"tEXtebb\0":
        at += 12 + struct.unpack(">I", content[at : at + 4])[0]
    end = at + 12 + struct.unpack(">I", content[at : at + 4])[0]
    text = json.dumps(made, sort_keys=True, separators=(",", ":")).encode()
    path.write_bytes(content[:at] + png_chunk(b"tEXt", b"ebb\0" + text) + content[end:])


class Rerun(EbbTest):
    def setUp(self) -> None:
        super().setUp()
        self.sample("-b", 1, "--class", 3, "-o", "start.png")

    def again(self, name: str, *flags, rc: int = 0):
        return self.ebb("rerun", name, "-o", "again" + Path(name).suffix, *flags, rc=rc)

    def check_again(self, name: str) -> str:
        done = self.again(name, "--force")
        original = (self.dir / name).read_bytes()
        self.assertEqual((self.dir / ("again" + Path(name).suffix)).read_bytes(), original, name)
        self.assertIn(f"the same {len(original)} bytes as {name}", done.stdout)
        return done.stdout

    def commands(self) -> dict:
        start = ["-i", "start.png"]
        return {
            "sample": ["--steps", 3],
            "forward": start,
            "blur": start,
        }

    def test_each_command_s_image_is_made_again_byte_for_byte(self) -> None:
        for command, flags in self.commands().items():
            self.ebb(command, *MODEL, *flags, "-b", 2, "-o", f"{command}_%02d.png")
            names = sorted(path.name for path in self.dir.glob(f"{command}_*.png"))
            self.assertGreaterEqual(len(names), 2, command)
            before = self.names() | {"again.png"}
            for number, name in enumerate(names):
                self.assertEqual(provenance(self.dir / name)["image"], number)
                self.check_again(name)
            self.assertEqual(self.names(), before, command)

    def test_each_command_s_grid_is_made_again_byte_for_byte(self) -> None:
        for command, flags in self.commands().items():
            self.ebb(command, *MODEL, *flags, "-b", 3, "--grid", "-o", f"{command}.png")
            self.assertEqual(len(provenance(self.dir / f"{command}.png")["seeds"]), 3)
            self.check_again(f"{command}.png")

    def test_a_test_image_is_made_again(self) -> None:
        for command in ("test-image", "draw"):  # draw: its former name
            self.ebb(command, "tower", "-o", f"{command}.png")
            self.check_again(f"{command}.png")

    def test_an_image_of_an_early_version_is_made_again_byte_for_byte(self) -> None:
        self.sample("-b", 2, "-o", "old_%d.png")
        path = self.dir / "old_1.png"
        new = provenance(path)
        old = {("picture" if key == "image" else key): value for key, value in new.items()}
        replace_provenance(path, old)
        self.check_again("old_1.png")
        self.assertEqual(provenance(self.dir / "again.png"), old)

    def test_one_sample_of_a_batch_is_drawn_alone(self) -> None:
        self.sample("-b", 12, "-s", 7, "-o", "s_%d.png")
        self.assertRegex(self.check_again("s_11.png"), r"(?m)^1 image in ")
        self.assertEqual(provenance(self.dir / "again.png")["prompt"], "class 1")

    def test_a_random_seed_is_drawn_again(self) -> None:
        self.sample("-s", -1, "-b", 2, "-o", "r_%d.png")
        self.check_again("r_1.png")

    def test_an_animation_is_made_again(self) -> None:
        self.sample("-b", 2, "-o", "a_%d.png", "--gif", "film.gif")
        self.check_again("film.gif")
        self.check_again("a_1.png")
        self.assertEqual(self.names(), {"start.png", "a_0.png", "a_1.png", "film.gif", "again.gif",
                                        "again.png"})  # fmt: skip

    def test_another_model_input_or_version_is_refused_without_force(self) -> None:
        self.ebb("forward", *MODEL, "-i", "start.png", "-t", 500, "-o", "f.png")
        self.sample("-b", 1, "-o", "other.png")
        good = (self.dir / "f.png").read_bytes()
        change_provenance(self.dir / "f.png", version="0.0.1")
        self.assertIn("ebb 0.0.1", self.again("f.png", rc=3).stderr)
        self.assertFalse((self.dir / "again.png").exists())
        done = self.again("f.png", "--force")
        self.assertIn("warning: f.png: was made by ebb 0.0.1", done.stderr)
        self.assertIn("again.png: the same pixels as f.png; the text", done.stdout)

        (self.dir / "f.png").write_bytes(good)
        (self.dir / "start.png").write_bytes((self.dir / "other.png").read_bytes())
        self.assertIn("another input: start.png", self.again("f.png", "--force", rc=1).stderr)
        (self.dir / "start.png").unlink()
        self.assertIn("start.png", self.again("f.png", rc=4).stderr)

        self.check_again("other.png")
        change_weight(self.dir / "m.safetensors", "out.bias", 0.25)
        self.assertIn("another model: m.safetensors", self.again("other.png", rc=3).stderr)
        done = self.again("other.png", "--force", rc=1)
        self.assertIn("differs from other.png in its pixels", done.stdout)

    def test_only_commands_that_draw_are_run(self) -> None:
        target = str(self.dir / "m2.safetensors")
        for argv in (["ebb", "convert", "m.safetensors", "-o", target], ["ebb"], []):
            change_provenance(self.dir / "start.png", argv=argv)
            self.assertIn("expected a command that generates images", self.again("start.png", rc=3).stderr)
        self.assertEqual(self.names(), {"start.png"})

    def test_nothing_but_the_named_file_is_written(self) -> None:
        made = provenance(self.dir / "start.png")
        argv = [*made["argv"], "--gif", "stray.gif"]
        change_provenance(self.dir / "start.png", argv=argv)
        self.assertIn("the same pixels", self.again("start.png").stdout)
        self.assertEqual(self.names(), {"start.png", "again.png"})

    def test_other_images_and_existing_files_are_refused(self) -> None:
        (self.dir / "again.png").write_text("precious")
        self.assertIn("--force", self.again("start.png", rc=4).stderr)
        self.assertEqual((self.dir / "again.png").read_text(), "precious")
        change = png_chunks(self.dir / "start.png", b"IHDR")[0]
        rows = b"\0" * (29 * 28)
        (self.dir / "plain.png").write_bytes(
            b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", change)
            + png_chunk(b"IDAT", zlib.compress(rows)) + png_chunk(b"IEND", b"")
        )  # fmt: skip
        self.assertIn("does not record", self.again("plain.png", "--force", rc=3).stderr)
        self.again("nothere.png", rc=4)


class Info(EbbTest):
    def test_an_animation_says_how_it_was_made(self) -> None:
        self.sample("-b", 2, "--grid", "--gif", "-s", 9)
        shown = self.ebb("info", "out.gif").stdout
        self.assertRegex(shown, r"GIF image, 252 x 154 pixels, 4 frames")
        self.assertIn("sample --model m.safetensors", shown)
        self.assertIn("seeds     9 10", shown)
        found = json.loads(self.ebb("info", "--json", "out.gif").stdout)
        self.assertEqual(found["ebb"]["seeds"], [9, 10])

    def test_an_input_is_named(self) -> None:
        self.sample("-b", 1, "-o", "start.png")
        self.ebb("forward", *MODEL, "-i", "start.png", "-t", 500, "-o", "f.png")
        self.assertIn("input     start.png", self.ebb("info", "f.png").stdout)


class Noise(EbbTest):
    def setUp(self) -> None:
        super().setUp()
        self.sample("-b", 1, "--class", 3, "-o", "start.png")

    def test_forward_writes_a_image_for_each_timestep_and_seed(self) -> None:
        done = self.ebb("forward", *MODEL, "-i", "start.png", "-t", "0,999", "-b", 2, "-s", 5, "-o", "f%d.png")
        self.assertEqual(self.names(), {"start.png", "f0.png", "f1.png", "f2.png", "f3.png"})
        self.assertIn("f1.png  seed 6  t = 0\n", done.stdout)
        self.assertIn("f2.png  seed 5  t = 999\n", done.stdout)

    def test_blur_says_which_kernel_is_best(self) -> None:
        done = self.ebb("blur", *MODEL, "-i", "start.png", "-o", "b%d.png")
        rows = re.findall(r"t = (\d+) +kernel +(\d+) +sigma +([\d.]+) +MSE ([\d.]+) +\(noisy ([\d.]+), (\d+)",
                          done.stdout)  # fmt: skip
        self.assertEqual([row[0] for row in rows], ["250", "500", "750"])
        for _, _, _, mse, noisy, tried in rows:
            self.assertLess(float(mse), float(noisy))
            self.assertGreater(int(tried), 50)
        done = self.ebb("blur", *MODEL, "-i", "start.png", "-t", 500, "--kernel", 5, "--sigma", 2, "-o", "c.png")
        self.assertRegex(done.stdout, r"kernel  5  sigma +2 .* 1 kernel\)")
        width = struct.unpack(">I", png_chunks(self.dir / "c.png", b"IHDR")[0][:4])[0]
        self.assertEqual(width, 2 * (4 * 28 + 4) - 4 + 2 * 12)

    def test_wrong_flags_end_with_2(self) -> None:
        start = [*MODEL, "-i", "start.png"]
        self.assertIn("odd", self.ebb("blur", *start, "--kernel", 4, rc=2).stderr)
        self.assertIn("at most 55", self.ebb("blur", *start, "--kernel", 57, rc=2).stderr)
        self.assertIn("-t 250,1000", self.ebb("forward", *start, "-t", "250,1000", rc=2).stderr)
        self.assertIn("--gif", self.ebb("forward", *start, "--gif", rc=2).stderr)
        self.ebb("forward", *MODEL, rc=2)

    def test_a_damaged_image_ends_with_3_and_a_missing_one_with_4(self) -> None:
        (self.dir / "cut.png").write_bytes((self.dir / "start.png").read_bytes()[:100])
        self.ebb("forward", *MODEL, "-i", "cut.png", rc=3)
        self.ebb("forward", *MODEL, "-i", "none.png", rc=4)


if __name__ == "__main__":
    main()
