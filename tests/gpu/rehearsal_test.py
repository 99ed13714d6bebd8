#!/usr/bin/env python3
"""rehearsal_test.py --bin DIR: every command line of scripts/gpu_run, executed without a GPU.

The first call on a GPU machine has minutes, which no slip in a flag may cost. The programs are the
real ones: once as they are, where all have to get as far as the missing GPU, and once small on the
emulator and the CPU (stand_in.py), where all have to pass and to leave the figures they are for.
"""

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from programs_test import has_gpu, write_mnist

ROOT = Path(__file__).resolve().parents[2]
STAND_IN = Path(__file__).resolve().parent / "stand_in.py"
BENCHES = ("bench_kernels", "bench_train", "bench_unet")
PROGRAMS = ("ebb", "test_kernels", "simt_conformance", "gpu_parity", *BENCHES)
BIN: Path


class Rehearsal(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.pack, self.out = Path(directory.name, "pack"), Path(directory.name, "out")
        for part in ("bin", "data", "elsewhere"):
            (self.pack / part).mkdir(parents=True)
        shutil.copy(ROOT / "scripts/gpu_run", self.pack / "run")
        write_mnist(self.pack / "data", images=8)
        golden = [BIN / "simt_conformance", "--device", "emu", "--write", self.pack / "golden.safetensors"]
        subprocess.run(golden, check=True, stdout=subprocess.DEVNULL)

    def call(self, name: str, by: Path = STAND_IN, directory: str = "bin") -> Path:
        link = self.pack / directory / name
        link.symlink_to(by)
        return link

    def run_all(self, python: Path) -> subprocess.CompletedProcess:
        environment = {
            "PATH": f"{self.pack / 'elsewhere'}:{os.environ['PATH']}",
            "EBB_REAL_BIN": str(BIN),
            "EBB_GPU_MODELS": str(ROOT / "weights/pretrained"),
            "EBB_GPU_PEER": str(ROOT / "bench"),
            "EBB_PEER_PYTHON": str(python),
            "EBB_GPU_SECONDS": "100000",
        }
        self.call("timeout", directory="elsewhere")  # a busy machine is no slip
        return subprocess.run(
            ["bash", self.pack / "run", self.out], env=environment, capture_output=True, text=True
        )

    def steps(self) -> list:
        return json.loads((self.out / "summary.json").read_text())["steps"]

    def figures(self, step: str) -> dict:
        return json.loads((self.out / f"{step}.json").read_text())

    def log(self, step: str) -> str:
        return f"{step}: " + (self.out / f"{step}.log").read_text()[-2000:]

    def test_every_step_gets_as_far_as_the_missing_gpu(self) -> None:
        if has_gpu():
            self.skipTest("this machine has a GPU")
        for name in PROGRAMS:
            self.call(name, STAND_IN if name in ("ebb", "test_kernels") else BIN / name)
        self.call("compute-sanitizer", directory="elsewhere")
        self.run_all(self.call("python", directory="elsewhere"))
        steps = self.steps()
        self.assertGreater(len(steps), 20)
        for step in steps:
            expected = 0 if step["name"] == "kernels" else 5
            self.assertEqual(step.get("exit_code"), expected, f"{step} {self.log(step['name'])}")

    def test_every_step_passes_and_leaves_its_figures(self) -> None:
        for name in PROGRAMS:
            self.call(name)
        self.call("compute-sanitizer", directory="elsewhere")
        done = self.run_all(self.call("python", directory="elsewhere"))
        for step in self.steps():
            self.assertEqual(step["status"], "passed", f"{step} {self.log(step['name'])}")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        for step in (step["name"] for step in self.steps()):
            if step == "kernels":
                self.assertIn("<testcase", (self.out / "kernels.xml").read_text())
            elif step.startswith(("conformance-", "sanitizer-")):
                cases = self.figures(step)["cases"].values()
                self.assertEqual({case["status"] for case in cases}, {"equal"}, step)
            elif step.startswith("parity"):
                for part in ("training", "sampling"):
                    self.assertTrue(self.figures(step)[part]["passed"])
            else:
                self.check_table(step, self.figures(step))

    def check_table(self, step: str, table: dict) -> None:
        self.assertIn("version", table["header"], step)
        self.assertTrue(table["rows"], step)
        for row in table["rows"]:
            self.assertTrue(math.isfinite(row["ours_ms"]) and row["ours_ms"] > 0, (step, row))
        if step == "convolutions":
            errors = [row["error"] for row in table["rows"] if row["error"] is not None]
            self.assertTrue(errors and all(error < 1e-2 for error in errors), step)
        if step.startswith("torch-"):
            self.assertTrue(any("ratio" in row for row in table["rows"]), step)


def main() -> None:
    global BIN
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", type=Path, required=True)
    arguments, rest = parser.parse_known_args()
    BIN = arguments.bin.resolve()
    unittest.main(argv=[sys.argv[0], *rest])


if __name__ == "__main__":
    main()
