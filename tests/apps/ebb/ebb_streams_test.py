#!/usr/bin/env python3
"""ebb with pipes in and out, limits that are checked before the work, and WebP animations.

Usage: ebb_streams_test.py EBB
"""

import os
import subprocess

from ebb_case import EbbTest, main, pixels, program

MODEL = ["--model", "m.safetensors", "--threads", "1"]
QUICK = ["sample", *MODEL, "--class", "3", "--steps", "1", "--sampler", "ddim"]
PNG_START = b"\x89PNG\r\n\x1a\n"


class Streams(EbbTest):
    def pipe(self, *arguments, data: bytes = b"", rc: int = 0) -> subprocess.CompletedProcess:
        done = subprocess.run(
            [program(), *map(str, arguments)], cwd=self.dir, input=data, capture_output=True, check=False
        )
        self.assertEqual(done.returncode, rc, done.stderr)
        return done

    def test_an_image_goes_to_standard_output_and_nothing_else_does(self) -> None:
        self.ebb(*QUICK, "-o", "file.png")
        for name in ("-", "/dev/stdout", "/dev/fd/1"):
            done = self.pipe(*QUICK, "-o", name)
            self.assertTrue(done.stdout.startswith(PNG_START))
            self.assertTrue(done.stdout.endswith(b"IEND\xaeB`\x82"))
            self.assertIn(b"seed 42", done.stderr)
            (self.dir / "piped.png").write_bytes(done.stdout)
            self.assertEqual(pixels(self.dir / "piped.png"), pixels(self.dir / "file.png"))
        self.assertEqual(self.names(), {"file.png", "piped.png"})

    def test_every_command_with_an_output_takes_a_pipe_or_says_why_not(self) -> None:
        self.ebb(*QUICK, "-o", "in.png")
        draws = (
            ["draw", "cat"],
            ["forward", *MODEL, "-i", "in.png", "-t", "250", "--grid"],
            ["edit", *MODEL, "-i", "in.png", "--i-start", "20", "--grid"],
            ["plot", "m.safetensors"],
        )
        for arguments in draws:
            done = subprocess.run(
                [program(), *arguments, "-o", "-"], cwd=self.dir, capture_output=True, check=False
            )
            if done.returncode == 0:
                self.assertTrue(done.stdout.startswith(PNG_START), arguments)
            else:  # the test's model carries no losses
                self.assertEqual((arguments[0], done.stdout), ("plot", b""), done.stderr)
        self.assertIn(b"Name a file", self.pipe("convert", "m.safetensors", "-o", "-", rc=2).stderr)
        self.assertIn(b"must be a file", self.pipe("rerun", "in.png", "-o", "-", rc=2).stderr)
        self.assertFalse((self.dir / "-").exists())

    def test_several_images_and_an_animation_without_a_name_are_refused(self) -> None:
        self.pipe(*QUICK, "-b", 2, "-o", "-", rc=2)
        self.assertIn(b"no name to derive", self.pipe(*QUICK, "-o", "-", "--gif", rc=2).stderr)
        self.assertTrue(self.pipe(*QUICK, "-o", "a.png", "--gif=-").stdout.startswith(b"GIF89a"))

    def test_an_image_comes_from_standard_input(self) -> None:
        self.ebb(*QUICK, "-o", "in.png")
        data = (self.dir / "in.png").read_bytes()
        forward = ["forward", *MODEL, "-t", "250", "--invert", "no"]
        self.ebb(*forward, "-i", "in.png", "-o", "a.png")
        for k, name in enumerate(("-", "/dev/stdin")):
            self.pipe(*forward, "-i", name, "-o", f"b{k}.png", data=data)
            self.assertEqual(pixels(self.dir / "a.png"), pixels(self.dir / f"b{k}.png"))
        self.assertIn(b"cannot be read again", self.pipe("rerun", "b0.png", "-o", "c.png", rc=3).stderr)
        self.assertIn(b"PNG image, 224 x 224", self.pipe("info", "-", data=data).stdout)
        self.assertIn(b"PNG image, 224 x 224", self.pipe("inspect", "-", data=data).stdout)
        self.pipe(*forward, "-i", "-", "-o", "d.png", rc=3)  # nothing comes
        whole = self.pipe(*forward, "-i", "-", "-o", "-", data=data).stdout
        self.assertTrue(whole.startswith(PNG_START))

    def test_a_named_pipe_is_written_and_kept(self) -> None:
        os.mkfifo(self.dir / "pipe")
        reader = subprocess.Popen(["cat", "pipe"], cwd=self.dir, stdout=subprocess.PIPE)
        self.ebb(*QUICK, "-o", "pipe")
        self.assertTrue(reader.communicate(timeout=60)[0].startswith(PNG_START))
        self.assertTrue((self.dir / "pipe").is_fifo())


class Limits(EbbTest):
    def refused(self, *arguments) -> None:
        done = self.ebb(*arguments, rc=2)
        self.assertIn("expected sides of at most", done.stderr)
        self.assertEqual(self.names() - {"in.png"}, set())

    def test_grids_that_ebb_could_not_read_are_refused_before_drawing(self) -> None:
        self.ebb(*QUICK, "-o", "in.png")
        self.refused(*QUICK, "-b", 5500, "--grid", "--grid-cols", 10, "-o", "x.png")
        self.refused("forward", *MODEL, "-i", "in.png", "-b", 300, "-t", 100, "--grid", "-o", "x.png")
        self.refused("edit", *MODEL, "-i", "in.png", "-b", 300, "--i-start", 20, "--grid", "-o", "x.png")
        self.refused("inpaint", *MODEL, "-i", "in.png", "--mask", "left", "-b", 900, "--grid",
                     "-o", "x.png")  # fmt: skip
        self.refused("anagram", *MODEL, "--prompts", 6, 9, "-b", 2000, "--grid", "-o", "x.png")

    def test_animations_that_are_too_large_are_refused_before_drawing(self) -> None:
        many = [*QUICK, "-b", 400, "--grid", "--grid-cols", 1, "-o", "x.png"]
        self.refused(*many, "--gif", "x.gif")
        self.refused(*many, "--gif", "x.webp")


class Animations(EbbTest):
    def test_the_ending_chooses_lossless_webp(self) -> None:
        sample = [*QUICK[:-4], "--steps", "3", "--sampler", "ddim"]
        self.ebb(*sample, "-o", "a.png", "--gif", "a.webp")
        data = (self.dir / "a.webp").read_bytes()
        self.assertEqual((data[:4], data[8:16]), (b"RIFF", b"WEBPVP8X"))
        told = self.ebb("info", "a.webp").stdout
        self.assertIn("WebP image, 224 x 224 pixels, 4 frames", told)
        self.assertIn("made by   ebb", told)
        again = self.ebb("rerun", "a.webp", "-o", "b.webp").stdout
        self.assertIn(f"the same {len(data)} bytes", again)
        self.assertIn(".webp", self.ebb("rerun", "a.webp", "-o", "b.gif", rc=2).stderr)
        self.ebb("forward", *MODEL, "-i", "a.webp", "-t", "250", "-o", "c.png")
        self.ebb("inspect", "a.webp")


if __name__ == "__main__":
    main()
