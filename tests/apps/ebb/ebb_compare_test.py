#!/usr/bin/env python3
"""ebb compare on the golden networks, which PyTorch computed.

Usage: ebb_compare_test.py EBB
"""

import json
import struct
import subprocess

from ebb_case import EbbTest, main
from model_files import (
    GOLDEN,
    Stored,
    after_prefix,
    change_weight,
    read_safetensors,
    write_model,
    write_reference,
    write_safetensors,
)

WEIGHTS = "unet/diffusion_pytorch_model.safetensors"


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
            self.assertRegex(done.stdout, r"(?m)^up1 +\[4,4,14,14\] +\S+e-\d+ +\S+e-\d+ +\S+e\S\d+$")

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


class Diffusers(EbbTest):
    """References of UNets of diffusers and of its sampling runs."""

    def setUp(self) -> None:
        super().setUp()
        tensors, metadata = read_safetensors(GOLDEN / "diffusers_if_stage_2.safetensors")
        (self.dir / "unet").mkdir()
        (self.dir / "unet/config.json").write_text(metadata["ebb.model"])
        write_safetensors(self.dir / WEIGHTS, after_prefix(tensors, "param."), {"format": "pt"})
        others = ("param.", "adam64.", "target")
        kept = {name: value for name, value in tensors.items() if not name.startswith(others)}
        write_safetensors(self.dir / "ref.safetensors", kept, {})

    def compare(self, *words: object, model: str = "unet", rc: int = 0) -> subprocess.CompletedProcess:
        return self.ebb("compare", model, "ref.safetensors", "--threads", 1, *words, rc=rc)

    def test_all_modules_agree_with_diffusers(self) -> None:
        for flags in ([], ["--no-passes"], ["--max-error", "1e-5"], ["--tolerance", "1e-10"]):
            done = self.compare(*flags)
            self.assertRegex(done.stdout, r"all \d+ layers agree within (error|NMSE) 0?\S+\n\Z")
        result = json.loads(self.compare("--json").stdout)
        self.assertEqual((result["max_error"], result["tolerance"]), (1e-4, None))
        names = [layer["name"] for layer in result["layers"]]
        self.assertLess(names.index("down_blocks.0.resnets.0"), names.index("down_blocks.0"))
        self.assertEqual(names[-1], "output")

    def test_16_bits_stay_within_their_limits_on_emulated_cuda(self) -> None:
        for precision, limits in (("bf16", "NMSE 0.001 and error 0.02"), ("f16", "NMSE 0.001 and error 0.02"),
                                  ("tf32", "NMSE 1e-05 and error 0.005")):
            done = self.compare("--device", "emu", "--precision", precision, rc=None)
            if "emu" in done.stderr:
                self.skipTest("this build has no kernel emulator")
            self.assertIn(f"layers agree within {limits}\n", done.stdout)

    def test_the_first_module_that_differs_is_named(self) -> None:
        change_weight(self.dir / WEIGHTS, "mid_block.attentions.0.to_q.bias", 0.5)
        done = self.compare(rc=1)
        self.assertIn("first diverging layer: mid_block.attentions.0\n", done.stdout)
        self.compare("--max-error", 10)

    def test_unknown_modules_are_listed(self) -> None:
        tensors, metadata = read_safetensors(self.dir / "ref.safetensors")
        tensors["down_blocks.9"] = tensors.pop("conv_in")
        tensors["up_blocks.0.resnets.0.norm1"] = tensors.pop("conv_out")
        write_safetensors(self.dir / "ref.safetensors", tensors, metadata)
        done = self.compare(rc=3)
        self.assertIn('"down_blocks.9", "up_blocks.0.resnets.0.norm1" are no modules', done.stderr)

    def test_a_run_with_its_noise(self) -> None:
        shape = [1, 3, 8, 8]
        floats = lambda *values: struct.pack(f"<{len(values)}f", *values)
        noise = floats(*(((i * 37) % 200) / 100 - 1 for i in range(192)))
        tensors = {
            "input.x_T": Stored("F32", shape, noise),
            "input.timesteps": Stored("I32", [2], struct.pack("<2i", 500, 0)),
            "input.noise": Stored("F32", [2, *shape], noise + noise),
            "input.class_labels": Stored("I32", [1], struct.pack("<i", 3)),
            "x.0": Stored("F32", shape, noise),
            "output": Stored("F32", shape, noise),
        }
        model = str(GOLDEN / "pipelines/classes")
        write_safetensors(self.dir / "ref.safetensors", tensors, {"reference": '{"mode": "pipeline"}'})
        done = self.compare(model=model, rc=1)
        self.assertIn("first diverging state: x.0\n", done.stdout)
        self.assertIn("all 2 states agree within error 10\n", self.compare("--max-error", 10, model=model).stdout)
        self.assertIn("no scheduler_config.json", self.compare(model="unet", rc=3).stderr)


if __name__ == "__main__":
    main()
