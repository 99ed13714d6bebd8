#!/usr/bin/env python3
"""train_text_to_image from outside: a run that is resumed, both stages, the CUDA kernels, bad input.

Usage: train_text_to_image_test.py TRAIN_TEXT_TO_IMAGE EBB EMULATOR   (EMULATOR: 1 where the build has it)
"""

import json
import os
import random
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest
import zlib
from pathlib import Path

TRAIN = EBB = ""
HAS_EMULATOR = False
PATIENCE = 600
IMAGES, SIDE = 50, 16
TOKENS, WIDTH = 5, 24
COLORS = {"red": (220, 30, 30), "green": (30, 160, 40), "blue": (30, 50, 220), "black": (10, 10, 10)}
SHAPES = ("circle", "square", "stripe")


def png(rows: list[bytes], side: int) -> bytes:
    """RGBA, `rows` of 4 * side bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 6, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def is_inside(shape: str, x: float, y: float) -> bool:
    if shape == "circle":
        return x * x + y * y < 0.16
    return max(abs(x), abs(y)) < 0.35 if shape == "square" else abs(x) < 0.15


def drawing(shape: str, color: tuple) -> bytes:
    rows = []
    for i in range(SIDE):
        pixels = [is_inside(shape, (j + 0.5) / SIDE - 0.5, (i + 0.5) / SIDE - 0.5) for j in range(SIDE)]
        rows.append(b"".join(bytes((*color, 255)) if inside else bytes(4) for inside in pixels))
    return png(rows, SIDE)


def write_states(path: Path, captions: set[str]) -> None:
    """Random states of each word as safetensors."""
    header, data = {}, b""
    for caption in sorted(captions):
        numbers = []
        for token in range(TOKENS):
            words = caption.split()
            generator = random.Random(words[token] if token < len(words) else "")
            numbers += [generator.gauss(0, 1) for _ in range(WIDTH)]
        values = struct.pack(f"<{len(numbers)}f", *numbers)
        header[caption] = {"dtype": "F32", "shape": [TOKENS, WIDTH], "data_offsets": [len(data), len(data) + len(values)]}
        data += values
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def write_data(directory: Path) -> None:
    directory.mkdir()
    captions, lines = {""}, []
    for i in range(IMAGES):
        color, shape = list(COLORS)[i % len(COLORS)], SHAPES[i // len(COLORS) % len(SHAPES)]
        (directory / f"{i}.png").write_bytes(drawing(shape, COLORS[color]))
        texts = [f"a {color} {shape}", f"a photo of a {color} {shape}"]
        captions.update(texts)
        lines.append(json.dumps({"file": f"{i}.png", "captions": texts, "style": "photo"}))
    (directory / "captions.jsonl").write_text("\n".join(lines) + "\n")
    write_states(directory / "states.safetensors", captions)


class TrainTextToImage(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.temp = tempfile.TemporaryDirectory()
        cls.root = Path(cls.temp.name)
        write_data(cls.root / "data")

    @classmethod
    def tearDownClass(cls) -> None:
        cls.temp.cleanup()

    def command(self, output: str, *flags: str) -> list[str]:
        """Of a flag that is given twice the last counts."""
        all_flags = ["--data", "data", "--embeddings", "data/states.safetensors", *flags]
        values = dict(zip(all_flags[::2], all_flags[1::2], strict=True))
        return [TRAIN, "-o", output, *(word for flag in values.items() for word in flag)]

    def train(self, output: str, *flags: str, code: int = 0) -> str:
        done = subprocess.run(self.command(output, *flags), capture_output=True, text=True, timeout=PATIENCE,
                              check=False, cwd=self.root)  # fmt: skip
        self.assertEqual(done.returncode, code, done.stderr)
        return done.stderr

    def new(self, output: str, *flags: str, code: int = 0) -> str:
        return self.train(output, "--size", "toy", "--batch-size", "8", "--lr", "2e-3", "--lr-warmup-steps", "10",
                          "--device", "cpu", *flags, code=code)  # fmt: skip

    def log(self, output: str) -> list[dict]:
        return [json.loads(line) for line in (self.root / output / "log.jsonl").read_text().splitlines()]

    def losses(self, output: str) -> list[float]:
        return [entry["loss"] for entry in self.log(output)]

    def assert_same(self, a: str, b: str, *names: str) -> None:
        for name in ("model/unet/diffusion_pytorch_model.safetensors", *names):
            self.assertEqual((self.root / a / name).read_bytes(), (self.root / b / name).read_bytes(), name)

    def test_a_resumed_run_of_200_steps_has_the_same_bytes(self) -> None:
        flags = ["--steps", "200", "--sample-every", "100", "--ema-decay", "0.98"]
        self.new("whole", *flags)
        self.new("parts", *flags, "--max-steps", "77")
        self.assertIn("resumed", self.train("parts", "--resume", "auto", "--sample-every", "100"))
        self.assert_same("whole", "parts", "checkpoint-00000200.safetensors", "samples-step-00000200.png", "levels.jsonl")
        self.assertEqual(self.losses("whole"), self.losses("parts"))
        losses = self.losses("whole")
        self.assertLess(sum(losses[-20:]), 0.6 * sum(losses[:20]))
        levels = [json.loads(line) for line in (self.root / "whole/levels.jsonl").read_text().splitlines()]
        self.assertEqual([level["step"] for level in levels], [100, 200])
        self.assertEqual(levels[0]["timesteps"], list(range(50, 1000, 100)))
        # Much noise is easier to tell from an image than little.
        self.assertLess(levels[1]["loss"][-1], levels[1]["loss"][0])
        self.draw("whole")

    def draw(self, run: str) -> None:
        command = [EBB, "sample", "--model", f"{run}/model", "--embeddings", "data/states.safetensors", "-p", "a red circle",
                   "--preset", "pipeline", "--steps", "5", "-o", "red.png"]  # fmt: skip
        subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE, cwd=self.root)
        self.assertTrue((self.root / "red.png").exists())

    def test_a_signal_saves_and_names_the_command_that_goes_on(self) -> None:
        flags = ["--size", "toy", "--batch-size", "8", "--steps", "4000", "--sample-every", "0", "--device", "cpu"]
        with subprocess.Popen(self.command("stopped", *flags), stderr=subprocess.PIPE, text=True, cwd=self.root) as run:
            end = time.monotonic() + PATIENCE
            log = self.root / "stopped/log.jsonl"
            while not (log.exists() and log.read_text().count("\n") >= 3) and time.monotonic() < end:
                time.sleep(0.05)
            run.send_signal(signal.SIGINT)
            message = run.communicate(timeout=PATIENCE)[1]
        self.assertEqual(run.returncode, 130, message)
        self.assertIn("which is saved. Continue with: ", message)
        self.assertIn("--resume auto -o stopped", message)
        self.assertEqual(len(list((self.root / "stopped").glob("checkpoint-*.safetensors"))), 1)

    def test_the_second_stage_enlarges(self) -> None:
        self.new("large", "--stage", "2", "--steps", "4", "--sample-every", "4", "--weights", "f16")
        config = json.loads((self.root / "large/model/unet/config.json").read_text())
        self.assertEqual((config["sample_size"], config["in_channels"], config["class_embed_type"]), (16, 6, "timestep"))
        index = json.loads((self.root / "large/model/model_index.json").read_text())
        self.assertEqual(index["_class_name"], "IFSuperResolutionPipeline")
        command = [EBB, "upscale", "data/0.png", "--model", "large/model", "--embeddings", "data/states.safetensors", "-p",
                   "a red circle", "--steps", "2", "-o", "large.png"]  # fmt: skip
        subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE, cwd=self.root)
        # What is drawn halfway does not disturb a run.
        self.new("large-parts", "--stage", "2", "--steps", "4", "--sample-every", "0", "--weights", "f16", "--max-steps", "2")
        self.train("large-parts", "--resume", "auto", "--sample-every", "0", "--weights", "f16")
        self.assert_same("large", "large-parts")

    def test_the_cuda_kernels_follow_the_cpu(self) -> None:
        if not HAS_EMULATOR:
            self.skipTest("this build has no kernel emulator")
        flags = ["--steps", "2", "--sample-every", "0", "--batch-size", "4"]
        self.new("cpu", *flags)
        self.new("emu", *flags, "--device", "emu")
        self.new("bf16", *flags, "--device", "emu", "--precision", "bf16")
        for cpu, emu, bf16 in zip(self.losses("cpu"), self.losses("emu"), self.losses("bf16"), strict=True):
            self.assertLess(abs(emu - cpu), 1e-5 * cpu)
            self.assertLess(abs(bf16 - cpu), 3e-2 * cpu)
            self.assertNotEqual(bf16, cpu)

    def test_bad_input_is_refused_before_a_directory_is_made(self) -> None:
        bad = self.root / "bad"
        bad.mkdir()
        for text, message in (
            ('{"file": "0.png"}', "line 1: expected"),
            ('{"file": "0.png", "captions": []}', "line 1: has no captions"),
            ('{"file": "0.png", "captions": [""]}', "line 1: has an empty caption"),
            ('{"file": "../data/0.png", "captions": ["a"]}', "line 1: file"),
            ("nonsense", "line 1: expected"),
            ("", "names no images"),
        ):
            (bad / "captions.jsonl").write_text(text + "\n")
            self.assertIn(message, self.new("none", "--data", "bad", code=3))
        lost = json.dumps({"file": "lost.png", "captions": ["a red circle"]})
        (bad / "captions.jsonl").write_text(lost)
        self.assertIn("lost.png", self.new("none", "--data", "bad", code=4))
        self.assertIn("captions.jsonl", self.new("none", "--data", "nothing", code=4))
        (bad / "prompts.txt").write_text("a purple hat\n")
        self.assertIn('"a purple hat"', self.new("none", "--prompts", "bad/prompts.txt", code=3))
        self.assertIn("--size", self.new("none", "--size", "huge", code=2))

    def test_one_of_several_launched_processes_is_refused(self) -> None:
        launched = {**os.environ, "RANK": "1", "WORLD_SIZE": "2"}
        done = subprocess.run(self.command("ranks"), capture_output=True, text=True, timeout=PATIENCE,
                              check=False, cwd=self.root, env=launched)  # fmt: skip
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("this is one of 2 processes, and training runs in one process", done.stderr)
        self.assertEqual(len(done.stderr.splitlines()), 1)
        self.assertFalse((self.root / "ranks").exists())

    def test_a_run_goes_on_with_its_own_settings_and_data_alone(self) -> None:
        self.new("settings", "--steps", "6", "--max-steps", "3", "--sample-every", "0")
        self.assertIn("holds a run at step 3", self.new("settings", code=2))
        refused = self.train("settings", "--resume", "auto", "--lr", "0.5", code=3)
        self.assertIn("lr is 0.5, the run has 0.002", refused)
        other = self.root / "other"
        if not other.exists():
            write_data(other)
            (other / "0.png").write_bytes((other / "1.png").read_bytes())
        self.assertIn("other images or captions", self.train("settings", "--data", "other", "--resume", "auto", code=3))


if __name__ == "__main__":
    HAS_EMULATOR = sys.argv.pop() == "1"
    EBB = str(Path(sys.argv.pop()).resolve())
    TRAIN = str(Path(sys.argv.pop()).resolve())
    unittest.main(verbosity=2)
