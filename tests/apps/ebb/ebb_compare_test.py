#!/usr/bin/env python3
"""ebb compare on the golden networks, which PyTorch computed.

Usage: ebb_compare_test.py EBB
"""

import json
import subprocess

from ebb_case import EbbTest, main
from model_files import change_weight, write_model, write_reference


class Compare(EbbTest):
    def setUp(self) -> None:
        super().setUp()
        write_reference(self.dir / "ref.safetensors")

    def compare(self, *arguments, rc: int = 0) -> subprocess.CompletedProcess:
        return self.ebb(
            "compare", "m.safetensors", "ref.safetensors", "--threads", 1, *arguments, rc=rc
        )

    def test_all_layers_agree_with_pytorch(self) -> None:
        for flags in ([], ["--no-passes"]):
            done = self.compare(*flags)
            self.assertIn("all 13 layers agree", done.stdout)
            self.assertRegex(done.stdout, r"(?m)^up1 +\[4,4,14,14\] +\S+e-\d+ +\S+e-\d+$")

    def test_a_changed_weight_ends_with_1_and_its_layer(self) -> None:
        for weight, layer in [
            ("down2.block.conv2.conv.weight", "down2"),
            ("class1.fc2.weight", "class1"),
            ("out.weight", "output"),
        ]:
            write_model(self.dir / "m.safetensors")
            change_weight(self.dir / "m.safetensors", weight, 0.05)
            done = self.compare(rc=1)
            self.assertIn(f"first diverging layer: {layer}\n", done.stdout)
            self.assertEqual(done.stderr, "")

    def test_the_tolerance_decides(self) -> None:
        change_weight(self.dir / "m.safetensors", "out.weight", 1e-3)
        self.compare(rc=1)
        self.compare("--tolerance", "0.1")
        self.compare("--tolerance", "0", rc=1)

    def test_nan_in_the_model_fails_at_any_tolerance(self) -> None:
        change_weight(self.dir / "m.safetensors", "up1.up.conv.bias", float("nan"))
        done = self.compare("--tolerance", "1e10", rc=1)
        self.assertIn("first diverging layer: up1\n", done.stdout)
        self.assertIn("warning: ", done.stderr)

    def test_json_holds_the_same_table(self) -> None:
        change_weight(self.dir / "m.safetensors", "up2.up.conv.weight", 0.1)
        result = json.loads(self.compare("--json", rc=1).stdout)
        self.assertFalse(result["passed"])
        self.assertEqual(result["first_diverging"], "up2")
        passed = {layer["name"]: layer["passed"] for layer in result["layers"]}
        self.assertEqual(list(passed)[:3], ["init_conv", "down1", "down2"])
        self.assertTrue(passed["up1"])
        self.assertFalse(passed["output"])

    def test_a_reference_of_another_model_ends_with_3(self) -> None:
        write_reference(self.dir / "ref.safetensors", "mnist_time_add")
        self.assertIn("input.c", self.compare(rc=3).stderr)


if __name__ == "__main__":
    main()
