#!/usr/bin/env python3
"""programs_test.py --conformance FILE --parity FILE: the programs of a GPU machine, without one.

The emulator stands in for the GPU: it has to agree with itself, and a changed byte has to be found.
"""

import argparse
import gzip
import json
import random
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

PROGRAMS: argparse.Namespace
MODEL = Path(__file__).resolve().parents[2] / "weights/pretrained/mnist-class.safetensors"


def run(*command: object) -> subprocess.CompletedProcess:
    return subprocess.run([str(part) for part in command], capture_output=True, text=True)


def has_gpu() -> bool:
    return subprocess.run(["sh", "-c", "nvidia-smi -L"], capture_output=True).returncode == 0


class Conformance(unittest.TestCase):
    def setUp(self) -> None:
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.golden = Path(self.directory.name) / "golden.safetensors"
        self.json = Path(self.directory.name) / "out.json"
        done = run(PROGRAMS.conformance, "--device", "emu", "--write", self.golden)
        self.assertEqual(done.returncode, 0, done.stderr)

    def compare(self) -> subprocess.CompletedProcess:
        return run(
            PROGRAMS.conformance,
            *("--device", "emu", "--golden", self.golden, "--json", self.json),
        )

    def test_the_emulator_agrees_with_itself(self) -> None:
        done = self.compare()
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        cases = json.loads(self.json.read_text())["cases"]
        self.assertGreater(len(cases), 80)
        self.assertEqual({case["status"] for case in cases.values()}, {"equal"})
        for group in ("threads", "copies", "tensor cores", "tma", "wgmma"):
            self.assertTrue(any(name.startswith(group + ": ") for name in cases), group)

    def test_one_changed_byte_is_found_in_its_case(self) -> None:
        content = bytearray(self.golden.read_bytes())
        length = struct.unpack("<Q", content[:8])[0]
        header = json.loads(content[8 : 8 + length])
        begin, end = header["wgmma: m64n64 bf16, K-major"]["data_offsets"]
        content[8 + length + (begin + end) // 2] ^= 1
        self.golden.write_bytes(content)
        done = self.compare()
        self.assertEqual(done.returncode, 1, done.stderr)
        cases = json.loads(self.json.read_text())["cases"]
        different = [name for name, case in cases.items() if case["status"] == "different"]
        self.assertEqual(different, ["wgmma: m64n64 bf16, K-major"])
        self.assertIn("1 of 16384 bytes differ", done.stdout)

    def test_without_a_gpu_it_says_so(self) -> None:
        if has_gpu():
            self.skipTest("this machine has a GPU")
        done = run(PROGRAMS.conformance, "--golden", self.golden)
        self.assertEqual(done.returncode, 5)
        self.assertRegex(done.stderr, r"^error: --device cuda: ")


class Parity(unittest.TestCase):
    def test_the_emulated_kernels_train_and_draw_as_the_cpu_does(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            write_mnist(Path(directory), images=64)
            out = Path(directory) / "out.json"
            done = run(
                PROGRAMS.parity,
                *("--device", "emu", "--data", directory, "--hidden", 4, "--batch-size", 2),
                *("--steps", 2, "--json", out),
            )
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            training = json.loads(out.read_text())["training"]
            self.assertEqual(len(training["device"]), 2)
            self.assertLess(training["difference"], 1e-4)

    def test_bf16_is_as_close_as_it_rounds(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            write_mnist(Path(directory), images=64)
            out = Path(directory) / "out.json"
            done = run(
                PROGRAMS.parity,
                *("--device", "emu", "--precision", "bf16", "--data", directory, "--hidden", 4),
                *("--batch-size", 2, "--steps", 2, "--model", MODEL, "--images", 1, "--json", out),
            )
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            figures = json.loads(out.read_text())
            for part in ("training", "prediction"):
                self.assertGreater(figures[part]["difference"], 1e-6, part)
                self.assertLess(figures[part]["difference"], figures[part]["limit"], part)

    def test_without_a_gpu_it_says_so(self) -> None:
        if has_gpu():
            self.skipTest("this machine has a GPU")
        done = run(PROGRAMS.parity, "--device", "cuda")
        self.assertEqual(done.returncode, 5)
        self.assertRegex(done.stderr, r"^error: --device cuda")


def write_mnist(directory: Path, images: int) -> None:
    """Training files of random images."""
    numbers = random.Random(1)
    pixels = bytes(numbers.randrange(256) for _ in range(images * 784))
    labels = bytes(i % 10 for i in range(images))
    files = {
        "train-images-idx3-ubyte.gz": struct.pack(">IIII", 0x803, images, 28, 28) + pixels,
        "train-labels-idx1-ubyte.gz": struct.pack(">II", 0x801, images) + labels,
    }
    for name, content in files.items():
        (directory / name).write_bytes(gzip.compress(content))


def main() -> None:
    global PROGRAMS
    parser = argparse.ArgumentParser()
    parser.add_argument("--conformance", required=True)
    parser.add_argument("--parity", required=True)
    PROGRAMS, rest = parser.parse_known_args()
    unittest.main(argv=[sys.argv[0], *rest])


if __name__ == "__main__":
    main()
