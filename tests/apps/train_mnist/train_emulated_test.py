#!/usr/bin/env python3
"""train_mnist on the CUDA kernels, which the emulator runs on the host.

Usage: train_emulated_test.py TRAIN_MNIST   (the program under test, of a build with the emulator)
"""

import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from train_mnist_test import NO_SAMPLES, PATIENCE, write_dataset

TRAIN = ""
FLAGS = ["--model", "class", "--hidden", "4", "--batch-size", "8", "--epochs", "1", *NO_SAMPLES]


class TrainEmulated(unittest.TestCase):
    def setUp(self) -> None:
        temp = tempfile.TemporaryDirectory()
        self.addCleanup(temp.cleanup)
        self.root = Path(temp.name)
        self.data = self.root / "mnist"
        write_dataset(self.data)

    def train(self, output: str, device: str, *flags: str, code: int = 0) -> str:
        command = [TRAIN, *FLAGS, "--data", str(self.data), "--output", str(self.root / output),
                   "--device", device, *flags]
        environment = {**os.environ, "EBB_EMULATOR_LOG": str(self.root / f"{output}.launches")}
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE,
                              check=False, env=environment)
        self.assertEqual(done.returncode, code, done.stderr)
        return done.stderr

    def losses(self, output: str) -> list[float]:
        lines = (self.root / output / "log.jsonl").read_text().splitlines()
        return [json.loads(line)["loss"] for line in lines]

    def launches(self, output: str) -> dict[str, int]:
        lines = (self.root / f"{output}.launches").read_text().splitlines()
        return {words[1]: int(words[2]) + int(words[3])
                for words in map(str.split, lines) if words[0] == "launches"}

    def assert_losses_follow(self, output: str, expected: list[float], tolerance: float) -> None:
        for actual, wanted in zip(self.losses(output), expected, strict=True):
            self.assertLess(abs(actual - wanted), tolerance * wanted)

    def test_a_run_follows_the_cpu_and_batch_norm_reads_no_statistics_from_images(self) -> None:
        self.train("cpu", "cpu", "--max-steps", "3")
        self.train("emu", "emu", "--max-steps", "3")
        self.assert_losses_follow("emu", self.losses("cpu"), 1e-4)
        launches = self.launches("emu")
        self.assertGreater(launches["batch_norm_finish"], 0)
        self.assertNotIn("batch_norm_statistics", launches)

    # What bf16 may be off: tests/nn/emulation_test.cc.
    def test_bf16_follows_f32_and_resumes_bit_for_bit(self) -> None:
        self.train("f32", "cpu", "--max-steps", "2")
        bf16 = ["--precision", "bf16"]
        self.train("whole", "emu", *bf16, "--max-steps", "2")
        self.assert_losses_follow("whole", self.losses("f32"), 0.02)
        self.assertNotEqual(self.losses("whole"), self.losses("f32"))
        self.train("parts", "emu", *bf16, "--max-steps", "1")
        message = self.train("parts", "emu", "--precision", "f32", "--max-steps", "2", "--resume", "auto", code=3)
        self.assertIn('precision is "f32", the run has "bf16"', message)
        self.train("parts", "emu", "--max-steps", "2", "--resume", "auto")
        self.assertEqual(self.losses("parts"), self.losses("whole"))
        models = [(self.root / run / "model.safetensors").read_bytes() for run in ("parts", "whole")]
        self.assertEqual(*models)

    def test_bf16_is_refused_on_the_cpu(self) -> None:
        message = self.train("run", "cpu", "--precision", "bf16", code=2)
        self.assertIn("--precision bf16: the kernels of the CPU compute in f32", message)
        self.assertFalse((self.root / "run").exists())

    def test_f16_is_refused(self) -> None:
        message = self.train("run", "emu", "--precision", "f16", code=2)
        self.assertIn("--precision f16: small gradients vanish in it", message)
        self.assertFalse((self.root / "run").exists())


if __name__ == "__main__":
    TRAIN = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=2)
