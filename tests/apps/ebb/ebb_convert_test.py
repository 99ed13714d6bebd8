#!/usr/bin/env python3
"""ebb convert --as on state_dicts that PyTorch wrote of networks as students name and order them.

Usage: ebb_convert_test.py EBB
"""

import shutil

from ebb_case import EbbTest, main
from model_files import GOLDEN, read_safetensors

STATE_DICTS = GOLDEN / "state_dicts"


class ConvertStateDict(EbbTest):
    def setUp(self) -> None:
        super().setUp()
        for file in STATE_DICTS.iterdir():
            shutil.copy(file, self.dir)

    def convert(self, name: str, network: str, *flags, rc: int = 0):
        return self.ebb("convert", f"{name}.pth", "-o", "out.safetensors", "--dtype", "f32",
                        "--force", "--as", network, *flags, rc=rc)

    def test_every_network_equals_pytorch(self) -> None:
        for name, network, flags in [
            ("class_ddpm", "mnist-class", []),
            ("class_decoder_first", "mnist-class", ["--order", "decoder-first"]),
            ("time_flow", "mnist-time", ["--objective", "flow"]),  # PyTorch's form before 1.6
            ("denoiser", "mnist-denoiser", ["--hidden", 4]),
        ]:
            with self.subTest(name):
                done = self.convert(name, network, *flags)
                self.assertRegex(done.stdout, r"matched \d+ layers by their shape and 22 by their order")
                self.assertIn("D = 4 by the first convolution", done.stdout)
                done = self.ebb("compare", "out.safetensors", f"{name}.safetensors")
                self.assertIn("the only layer agrees", done.stdout)

    def test_the_wrong_order_is_found_by_compare(self) -> None:
        done = self.convert("class_decoder_first", "mnist-class")
        self.assertIn("order of concatenations, taken as skip-first (--order)", done.stdout)
        self.ebb("compare", "out.safetensors", "class_decoder_first.safetensors", rc=1)

    def test_missing_biases_are_zero_and_said(self) -> None:
        done = self.convert("class_decoder_first", "mnist-class")
        self.assertIn("2 convolutions have no bias: 0\n", done.stdout)

    def test_the_result_is_a_model(self) -> None:
        self.convert("class_ddpm", "mnist-class", "--objective", "flow")
        _, metadata = read_safetensors(self.dir / "out.safetensors")
        self.assertIn('"flow"', metadata["ebb.objective"])
        self.ebb("sample", "--model", "out.safetensors", "--steps", 2, "-p", 7, "-o", "x.png")

    def test_a_map_puts_modules_where_it_says(self) -> None:
        # The two layers of the stem and of the first encoder have the same shapes but for the first.
        (self.dir / "map").write_text(
            "# exchanged on purpose\nenc.0.1.0.op init_conv.conv2.conv\nstem.1.op down1.block.conv1.conv\n"
        )
        done = self.convert("class_ddpm", "mnist-class", "--map", "map")
        self.assertIn("2 by --map", done.stdout)
        self.ebb("compare", "out.safetensors", "class_ddpm.safetensors", rc=1)
        (self.dir / "map").write_text("stem.1.op init_conv.conv2.conv\n")
        self.convert("class_ddpm", "mnist-class", "--map", "map")
        self.ebb("compare", "out.safetensors", "class_ddpm.safetensors")

    def test_what_does_not_fit_is_one_line(self) -> None:
        (self.dir / "unknown").write_text("nowhere init_conv.conv2.conv\n")
        (self.dir / "short").write_text("\nstem.1.op\n")
        for name, network, flags, rc, message in [
            ("denoiser", "mnist-class", [], 3, "no linear layer that makes 8 numbers of a class"),
            ("time_flow", "mnist-denoiser", [], 3, "of linear [4, 1], expected none (clock_b.0)"),
            ("denoiser", "mnist-denoiser", ["--hidden", 64], 3, "makes 4 channels, not the 64 of --hidden"),
            ("denoiser", "mnist-denoiser", ["--objective", "ddpm"], 2, "mnist-denoiser has none"),
            ("denoiser", "mnist-denoiser", ["--map", "unknown"], 2, 'has no module "nowhere"'),
            ("denoiser", "mnist-denoiser", ["--map", "short"], 2, "--map short: line 2: expected the names"),
        ]:
            with self.subTest(message):
                done = self.convert(name, network, *flags, rc=rc)
                self.assertIn(message, done.stderr)
                self.assertEqual(done.stderr.count("\n"), 1)
                self.assertFalse((self.dir / "out.safetensors").exists())

    def test_flags_of_as_alone_are_refused(self) -> None:
        for flags in (["--hidden", 4], ["--objective", "flow"], ["--map", "m"], ["--order", "decoder-first"]):
            done = self.ebb("convert", "m.safetensors", "-o", "out.safetensors", *flags, rc=2)
            self.assertIn("without --as", done.stderr)

    def test_a_state_dict_as_a_model_says_the_command(self) -> None:
        done = self.ebb("sample", "--model", "denoiser.pth", rc=3)
        self.assertIn("ebb convert denoiser.pth -o model.safetensors --as mnist-class", done.stderr)

class ConvertOriginal(EbbTest):
    """UNets under their authors' names; tests/diffusion/original_unet_test.cc has the names."""

    def test_what_does_not_fit_is_one_line(self) -> None:
        theirs = GOLDEN / "original_names" / "guided_new.safetensors"
        for flags, rc, message in [
            (["--as", "guided-diffusion-64"], 2, "needs --attention-order new or old"),
            (["--as", "guided-diffusion-64", "--attention-order", "new"], 3, "makes 16 channels, expected a multiple of 32"),
            (["--as", "deepfloyd-if"], 3, 'has no tensor "encoder_proj.weight"'),
            (["--as", "deepfloyd-if", "--attention-order", "old"], 2, "DeepFloyd IF has one order"),
            (["--as", "deepfloyd-if", "--dtype", "f32"], 2, "--dtype"),
            (["--attention-order", "new"], 2, "without --as guided-diffusion"),
        ]:
            with self.subTest(message):
                done = self.ebb("convert", theirs, "-o", "out", *flags, rc=rc)
                self.assertIn(message, done.stderr)
                self.assertEqual(done.stderr.count("\n"), 1)
                self.assertFalse((self.dir / "out").exists())


if __name__ == "__main__":
    main()
