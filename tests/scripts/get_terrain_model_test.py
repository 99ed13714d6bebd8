#!/usr/bin/env python3
"""scripts/get_terrain_model: its messages, and ebb on the trained network that it made, where it is.

Usage: get_terrain_model_test.py EBB

EBB_TERRAIN_MODEL names the directory that the script made.
"""

import json
import os
import subprocess
import sys
import unittest
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "scripts/get_terrain_model"
EBB = os.path.abspath(sys.argv[1])
MODEL = os.environ.get("EBB_TERRAIN_MODEL")
LIMIT = 1e-4  # of the largest value


class Messages(unittest.TestCase):
    def test_packages_that_are_missing_are_named(self) -> None:
        # -S: this Python has no packages.
        done = subprocess.run([sys.executable, "-S", SCRIPT, "out"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr, r"\Aerror: get_terrain_model: [^\n]+\n\Z")
        self.assertIn("no onnx, onnxruntime, numpy, safetensors. Install: pip install onnx", done.stderr)


@unittest.skipUnless(MODEL, "no trained UNet (EBB_TERRAIN_MODEL, scripts/get_terrain_model)")
class Trained(unittest.TestCase):
    def compare(self, reference: str, *flags: str) -> list:
        done = subprocess.run(
            [EBB, "compare", f"{MODEL}/terrain", f"{MODEL}/references/{reference}.safetensors", "--json", *flags],
            capture_output=True, text=True, env={**os.environ, "EBB_PROGRESS": "none"},
        )  # fmt: skip
        self.assertEqual(done.returncode, 0, done.stdout[-2000:] + done.stderr)
        return json.loads(done.stdout)["layers"]

    def test_every_module_is_that_of_onnx_runtime(self) -> None:
        for flags in ([], ["--no-passes"], ["--kernels", "direct"]):
            layers = self.compare("unet", *flags)
            self.assertEqual(len(layers), 89)
            for layer in layers:
                self.assertLessEqual(layer["max_abs_error"], LIMIT * layer["max_reference"], layer["name"])

    def test_images_are_those_of_onnx_runtime(self) -> None:
        output = self.compare("run")[-1]
        self.assertLessEqual(output["max_abs_error"], LIMIT * output["max_reference"])


if __name__ == "__main__":
    result = unittest.main(argv=sys.argv[:1], exit=False).result
    for test, reason in result.skipped:
        print(f"skipped: {test}: {reason}")
    sys.exit(not result.wasSuccessful())
