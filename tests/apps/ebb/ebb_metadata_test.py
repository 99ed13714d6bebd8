#!/usr/bin/env python3
"""What images of ebb say of themselves: the canonical command, the build, A1111's text, or nothing.

Usage: ebb_metadata_test.py EBB
"""

import json
import re
import shutil
import subprocess
from pathlib import Path

from ebb_case import EbbTest, main, pixels, png_chunks, program, provenance
from ebb_rerun_test import change_provenance

MODEL = ["--model", "m.safetensors"]
STEPS = ["--steps", "3", "--sampler", "ddim"]
START = ["-i", "start.png", "--invert", "no"]
# Every command that draws, with several images where it makes several.
DRAWS = {
    "sample": ["sample", *MODEL, *STEPS, "-b", "5"],
    "forward": ["forward", *MODEL, *START, "-t", "250,750", "-b", "2"],
    "blur": ["blur", *MODEL, *START, "-t", "500", "--kernel", "5", "--sigma", "1", "-b", "2"],
    "denoise": ["denoise", *MODEL, *START, "--i-start", "28", "-b", "3"],
    "one-step": ["denoise", *MODEL, *START, "--one-step", "-t", "500", "-b", "3"],
    "edit": ["edit", *MODEL, *START, "--i-start", "27,30", "-b", "3"],
    "inpaint": ["inpaint", *MODEL, *START, *STEPS, "--mask", "left", "-b", "3"],
    "anagram": ["anagram", *MODEL, *STEPS, "--prompts", "6", "9", "-b", "3"],
    "hybrid": ["hybrid", *MODEL, *STEPS, "--far", "3", "--near", "8", "-b", "3"],
    "test-image": ["test-image", "tower"],
}
ANIMATED = ("sample", "denoise", "inpaint", "anagram", "hybrid")
# A1111's reader: the last line is settings when it has three pairs.
PAIR = re.compile(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')


def parameters(path: Path) -> str:
    for text in png_chunks(path, b"tEXt"):
        keyword, value = text.split(b"\0", 1)
        if keyword == b"parameters":
            return value.decode()
    raise AssertionError(f"{path} has no parameters")


def settings(path: Path) -> dict:
    found = dict(PAIR.findall(parameters(path).splitlines()[-1]))
    assert len(found) >= 3, found
    return found


class Metadata(EbbTest):
    def setUp(self) -> None:
        super().setUp()
        self.sample("-b", 1, "--class", 3, "-o", "start.png")

    def draw(self, name: str, directory: str, *flags, animated: bool = True) -> dict:
        """The bytes of every file that the command makes in a new directory."""
        (self.dir / directory).mkdir()
        several = "" if name == "test-image" else "_%d"
        animation = ["--gif", f"{directory}/x.gif"] if animated and name in ANIMATED else []
        self.ebb(*DRAWS[name], "-o", f"{directory}/x{several}.png", *animation, *flags)
        return {path.name: path.read_bytes() for path in sorted((self.dir / directory).iterdir())}

    def test_the_same_command_gives_the_same_bytes_from_any_directory_and_any_program(self) -> None:
        other = self.dir / "elsewhere" / "bin"
        other.mkdir(parents=True)
        shutil.copy(program(), other / "ebb-copy")
        for name, command in DRAWS.items():
            directory = self.dir / f"home-{name}"
            directory.mkdir()
            for file in ("m.safetensors", "start.png"):
                shutil.copy(self.dir / file, directory)
            several = "" if name == "test-image" else "_%d"
            self.ebb(*command, "-o", f"{name}{several}.png")
            subprocess.run([other / "ebb-copy", *command, "-o", f"{name}{several}.png"], cwd=directory, check=True,
                           capture_output=True)  # fmt: skip
            files = sorted(path.name for path in directory.glob(f"{name}*.png"))
            self.assertTrue(files)
            for file in files:
                self.assertEqual((directory / file).read_bytes(), (self.dir / file).read_bytes(), file)
            self.assertEqual(provenance(directory / files[0])["argv"], ["ebb", *command])

    def test_flags_that_the_command_leaves_out_change_no_byte(self) -> None:
        for name in DRAWS:
            with self.subTest(name=name):
                before = self.draw(name, f"{name}-a", animated=False)
                flags = ["--force", "--json"]
                if name != "test-image":
                    flags += ["--threads", "2", "--batch-size", "2", "--profile", "--progress", "lines"]
                self.assertEqual(self.draw(name, f"{name}-b", *flags, animated=False), before)

    def test_neither_threads_nor_batches_change_an_animation(self) -> None:
        gif = ["-b", "5", "-o", "x_%d.png", "--gif", "x.gif", "--force", *STEPS]
        self.ebb("sample", *MODEL, *gif, "--threads", 1, "--batch-size", 1)
        files = {path: path.read_bytes() for path in self.dir.glob("x*")}
        self.assertEqual(len(files), 6)
        self.ebb("sample", *MODEL, *gif, "--threads", 2, "--batch-size", 64)
        self.assertEqual({path: path.read_bytes() for path in files}, files)

    def test_the_build_is_recorded_and_shown(self) -> None:
        version = self.ebb("--version").stdout.splitlines()[1]
        build = provenance(self.dir / "start.png")["build"]
        if build:
            self.assertIn(f"build {build}, ", version)
            self.assertIn(f", build {build}\n", self.ebb("info", "start.png").stdout)
        else:
            self.assertIn("of no commit", version)

    def test_rerun_remarks_on_another_build_and_draws_the_same_pixels(self) -> None:
        self.assertNotIn("warning", self.ebb("rerun", "start.png", "-o", "x.png").stderr)
        change_provenance(self.dir / "start.png", build="0123456")
        done = self.ebb("rerun", "start.png", "-o", "y.png")
        self.assertIn("y.png: the same pixels as start.png", done.stdout)
        if provenance(self.dir / "x.png")["build"]:
            self.assertIn("warning: start.png: was made by build 0123456, this is ", done.stderr)

    def test_images_of_earlier_versions_are_made_again(self) -> None:
        made = provenance(self.dir / "start.png")
        argv = ["build/bin/ebb", *made["argv"][1:], "--threads", "1", "-o", "/somewhere/grid.png"]
        change_provenance(self.dir / "start.png", argv=argv, drop=("build", "denoising_strength"))
        done = self.ebb("rerun", "start.png", "-o", "x.png")
        self.assertEqual(done.stderr, "")
        self.assertIn("x.png: the same pixels as start.png", done.stdout)
        self.assertEqual(pixels(self.dir / "x.png"), pixels(self.dir / "start.png"))

    def test_animations_are_compared_by_their_frames(self) -> None:
        # Edits that keep the length, of what decides about no pixel and of what does. A GIF breaks its text into
        # blocks, so one of them may be in two parts.
        unseen = ((b'"dtype":"f32"', b'"dtype":"f16"'), (b'"rng":"philox"', b'"rng":"xorwow"'))
        seen = ((b'"--class","3"', b'"--class","4"'), (b'"--steps","3"', b'"--steps","2"'))
        for ending in ("gif", "webp"):
            name = f"film.{ending}"
            self.sample("--class", 3, "-b", 2, "-o", "f%d.png", "--gif", name, "--force")
            data = (self.dir / name).read_bytes()
            for edits, rc, told in ((unseen, 0, "the same pixels"), (seen, 1, "in its pixels")):
                old, new = next(edit for edit in edits if edit[0] in data)
                (self.dir / name).write_bytes(data.replace(old, new))
                done = self.ebb("rerun", name, "-o", f"again.{ending}", "--force", rc=rc)
                self.assertIn(told, done.stdout, name)

    def test_without_metadata_there_is_none_and_the_same_pixels(self) -> None:
        for name in DRAWS:
            with self.subTest(name=name):
                with_text = self.draw(name, f"{name}-a")
                without = self.draw(name, f"{name}-b", "--no-metadata")
                self.assertEqual(with_text.keys(), without.keys())
                for file in without:
                    path = self.dir / f"{name}-b" / file
                    self.assertNotIn(b"ebb", without[file])
                    self.assertIn(b"ebb", with_text[file])
                    self.assertIn("does not record an ebb command", self.ebb("info", path).stdout)
                    done = self.ebb("rerun", path, "-o", f"z{path.suffix}", rc=3)
                    self.assertIn("does not record an ebb command", done.stderr)
                    if path.suffix == ".png":
                        self.assertEqual(pixels(path), pixels(self.dir / f"{name}-a" / file))
                        self.assertEqual(png_chunks(path, b"tEXt"), [])
        self.ebb(*DRAWS["sample"], "--gif", "a.webp", "-o", "w%d.png", "--no-metadata")
        self.assertNotIn(b"XMP ", (self.dir / "a.webp").read_bytes())

    def test_every_text_has_the_three_pairs_that_readers_ask_for(self) -> None:
        for name in DRAWS:
            for file in self.draw(name, name):
                if file.endswith(".png"):
                    found = settings(self.dir / name / file)
                    self.assertEqual(found["Version"], "ebb 0.1.0")
                    self.assertEqual(found.get("RNG"), None if name == "test-image" else "Philox")

    def test_settings_are_named_as_other_programs_name_them(self) -> None:
        for sampler, known in (("ddpm", "DDPM"), ("ddim", "DDIM"), ("dpm++", "DPM++ 2M")):
            self.sample("-b", 1, "--sampler", sampler, "-o", "s.png", "--force")
            found = settings(self.dir / "s.png")
            self.assertEqual(found["Sampler"], known)
            self.assertEqual(found["Model hash"], provenance(self.dir / "s.png")["model_sha256"][:10])
            self.assertNotIn("Denoising strength", found)

    def test_edits_record_where_they_start(self) -> None:
        self.ebb("edit", *MODEL, *START, "--i-start", "20,30", "-o", "e%d.png", "--threads", 1)
        strengths = [settings(self.dir / f"e{k}.png")["Denoising strength"] for k in range(2)]
        self.assertEqual(strengths, ["0.39", "0.09"])
        self.assertEqual([provenance(self.dir / f"e{k}.png")["steps"] for k in range(2)], [13, 3])
        self.ebb(*DRAWS["inpaint"], "-o", "i%d.png")
        self.assertEqual(settings(self.dir / "i0.png")["Denoising strength"], "1")


if __name__ == "__main__":
    main()
