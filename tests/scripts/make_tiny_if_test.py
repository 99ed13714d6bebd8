#!/usr/bin/env python3
"""scripts/make_tiny_if: its messages and, where a Python has diffusers, ebb on all that it writes.

Usage: make_tiny_if_test.py EBB

EBB_PEER_PYTHON names the Python with torch and diffusers, else the one that runs this.
"""

import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "scripts/make_tiny_if"
EBB = os.path.abspath(sys.argv[1])
PEER = os.environ.get("EBB_PEER_PYTHON") or sys.executable
# Of the output and of each module or state; whole runs add up the errors of their networks.
RUN = (1e-4, 1e-4)
LIMITS = {"unet": (1e-4, 1e-5), "steps": (1e-6, 1e-6), "run": RUN, "pipeline": RUN, "fast27": RUN, "course": RUN}
OLD, FIRE = "an oil painting of an old man", "an oil painting of people around a campfire"


def has_packages(*names: str) -> bool:
    return subprocess.run([PEER, "-c", f"import {', '.join(names)}"], capture_output=True).returncode == 0


class Messages(unittest.TestCase):
    def refused(self, *words: str) -> str:
        # -S: this Python has no packages.
        done = subprocess.run([sys.executable, "-S", SCRIPT, *words], capture_output=True, text=True)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertRegex(done.stderr, r"\Aerror: make_tiny_if: [^\n]+\n\Z")
        return done.stderr

    def test_packages_that_are_missing_are_named(self) -> None:
        self.assertIn("no torch, diffusers, safetensors. Install: pip install torch", self.refused("out"))
        self.assertIn("transformers, sentencepiece", self.refused("out", "--with-text"))


@unittest.skipUnless(has_packages("torch", "diffusers", "safetensors"), "no torch and diffusers (EBB_PEER_PYTHON)")
class Directories(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        directory = tempfile.TemporaryDirectory(prefix="ebb-tiny-")
        cls.addClassCleanup(directory.cleanup)
        cls.dir = Path(directory.name)
        subprocess.run([PEER, SCRIPT, cls.dir / "tiny"], check=True, capture_output=True)

    def ebb(self, *words: object) -> str:
        done = subprocess.run(
            [EBB, *map(str, words)], cwd=self.dir, capture_output=True, text=True,
            env={**os.environ, "EBB_PROGRESS": "none"},
        )  # fmt: skip
        self.assertEqual(done.returncode, 0, f"{words}\n{done.stdout[-2000:]}{done.stderr}")
        return done.stdout

    def test_references_agree(self) -> None:
        for reference in sorted((self.dir / "tiny/references").iterdir()):
            model, kind = reference.name.split(".")[:2]
            with self.subTest(reference.name):
                result = json.loads(self.ebb("compare", f"tiny/{model}", reference, "--json"))
                errors = {
                    layer["name"]: layer["max_abs_error"] / max(1, layer["max_reference"])
                    for layer in result["layers"]
                }
                whole, each = LIMITS[kind]
                self.assertLessEqual(errors.pop("output"), whole)
                self.assertLessEqual(max(errors.values()), each)

    def test_a_directory_that_is_there_is_kept(self) -> None:
        done = subprocess.run([PEER, SCRIPT, self.dir / "tiny"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 2)
        self.assertIn("is there and not empty", done.stderr)

    def test_every_command_takes_them(self) -> None:
        os.chdir(self.dir)
        text = ["--embeddings", "tiny/prompt_embeds_dict.pth"]
        stage_1 = ["--model", "tiny/cascade", *text]
        self.ebb("inspect", "tiny/stage_1", "tiny/stage_2", "tiny/unconditional", "tiny/consistency")
        self.ebb("test-image", "tower", "-o", "photo.png")
        self.ebb("sample", *stage_1, "-p", OLD, "--scale", 1, "--preset", "fast27", "-o", "small.png")
        self.ebb("edit", *stage_1, "-p", OLD, "-i", "photo.png", "--i-start", 25, "-o", "edit.png")
        self.ebb("inpaint", *stage_1, "-p", OLD, "-i", "photo.png", "--mask", "right", "-o", "inpaint.png")
        self.ebb("anagram", *stage_1, "--prompts", OLD, FIRE, "--view", "flip", "-o", "anagram.png")
        self.ebb("hybrid", *stage_1, "--far", OLD, "--near", FIRE, "-o", "hybrid.png")
        second = ["--model", "tiny/cascade/stage_2", *text]
        self.ebb("upscale", *second, "-p", OLD, "--steps", 3, "small.png", "-o", "large.png")
        self.ebb("report", *stage_1, "--fast", "-o", "report")
        self.assertTrue((self.dir / "report/figures/hybrids.png").exists())


if __name__ == "__main__":
    result = unittest.main(argv=sys.argv[:1], exit=False).result
    for test, reason in result.skipped:
        print(f"skipped: {test}: {reason}")
    sys.exit(not result.wasSuccessful())
