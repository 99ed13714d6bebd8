#!/usr/bin/env python3
"""ebb from outside: flags, exit codes, pictures, comparisons.

Usage: ebb_test.py EBB   (the program under test)
"""

import json
import os
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from model_files import change_weight, write_model, write_reference

EBB = ""
FAST = ["--steps", "3", "--threads", "1"]


def png_chunks(path: Path, kind: bytes) -> list:
    """The data of every chunk of one kind."""
    content, at, found = path.read_bytes(), 8, []
    while at < len(content):
        length = struct.unpack(">I", content[at : at + 4])[0]
        if content[at + 4 : at + 8] == kind:
            found.append(content[at + 8 : at + 8 + length])
        at += 12 + length
    return found


def pixels(path: Path) -> list:
    return png_chunks(path, b"IDAT")


def provenance(path: Path) -> dict:
    for text in png_chunks(path, b"tEXt"):
        keyword, value = text.split(b"\0", 1)
        if keyword == b"ebb":
            return json.loads(value)
    raise AssertionError(f"{path} does not say how it was made")


class EbbTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="ebb-cli-")
        self.addCleanup(folder.cleanup)
        self.dir = Path(folder.name)
        write_model(self.dir / "m.safetensors")

    def ebb(self, *arguments, rc: int = 0, env: dict = None) -> subprocess.CompletedProcess:
        done = subprocess.run(
            [EBB, *map(str, arguments)],
            cwd=self.dir,
            capture_output=True,
            text=True,
            env={**os.environ, "OMP_WAIT_POLICY": "passive", **(env or {})},
        )
        self.assertEqual(done.returncode, rc, f"{arguments}\n{done.stdout}{done.stderr}")
        if rc > 1:
            self.assertRegex(done.stderr, r"\A(warning: .*\n)*error: [^\n]+\n\Z")
        return done

    def sample(self, *arguments, rc: int = 0) -> subprocess.CompletedProcess:
        return self.ebb("sample", "--model", "m.safetensors", *FAST, *arguments, rc=rc)

    def names(self) -> set:
        return {path.name for path in self.dir.iterdir()} - {"m.safetensors"}


class BadFlags(EbbTest):
    # Arguments of `ebb`, and what the message names.
    BAD = [
        ([], "no command"),
        (["draw"], "draw"),
        (["--foo"], "--foo"),
        (["--foo", "sample"], "--foo"),
        (["sample", "--foo"], "--foo"),
        (["sample", "--foo=3"], "--foo"),
        (["sample", "-z"], "-z"),
        (["sample", "digits"], "digits"),
        (["sample", "info"], "info"),
        (["sample", "--steps"], "--steps"),
        (["sample", "--steps", "0"], "--steps 0"),
        (["sample", "--steps", "-1"], "--steps -1"),
        (["sample", "--steps", "1e9"], "--steps 1e9"),
        (["sample", "--steps", "2.5"], "--steps 2.5"),
        (["sample", "--steps", "nan"], "--steps nan"),
        (["sample", "--steps", "99999999999999999999"], "--steps 99999999999999999999"),
        (["sample", "--steps="], "--steps"),
        (["sample", "--steps", "3", "--steps", "4"], "--steps"),
        (["sample", "--num-inference-steps", "x"], "--steps x"),
        (["sample", "--seed", "18446744073709551616"], "--seed"),
        (["sample", "-s", "9007199254740992"], "--seed"),
        (["sample", "-s", "seven"], "--seed seven"),
        (["sample", "-s"], "--seed"),
        (["sample", "-b", "0"], "--batch-count 0"),
        (["sample", "-b", "-3"], "--batch-count -3"),
        (["sample", "-b", "1000000000"], "--batch-count"),
        (["sample", "--batch-size", "0"], "--batch-size 0"),
        (["sample", "--batch_size", "5000"], "--batch-size 5000"),
        (["sample", "--cfg-scale", "inf"], "--cfg-scale inf"),
        (["sample", "--cfg-scale", "nan"], "--cfg-scale nan"),
        (["sample", "--cfg_scale", "-0.5"], "--cfg-scale -0.5"),
        (["sample", "--guidance-scale", "5x"], "--cfg-scale 5x"),
        (["sample", "--sampler", "plms"], "--sampler plms"),
        (["sample", "--sampler", ""], "--sampler"),
        (["sample", "--class", "seven"], "--class seven"),
        (["sample", "--class", "-1"], "--class -1"),
        (["sample", "--class", "3.0"], "--class 3.0"),
        (["sample", "--grid-cols", "3"], "--grid-cols"),
        (["sample", "--grid", "--grid-cols", "0"], "--grid-cols 0"),
        (["sample", "--grid=3"], "--grid"),
        (["sample", "--force=no"], "--force"),
        (["sample", "--threads", "-1"], "--threads -1"),
        (["sample", "--threads", "1025"], "--threads 1025"),
        (["sample", "--device", "tpu"], "--device tpu"),
        (["sample", "--device", "cuda:x"], "--device cuda:x"),
        (["sample", "--model", ""], "--model"),
        (["compare"], "model"),
        (["compare", "m.safetensors"], "reference"),
        (["compare", "a", "b", "c"], "c"),
        (["compare", "a", "b", "--tolerance", "-1"], "--tolerance -1"),
        (["compare", "a", "b", "--tolerance", "nan"], "--tolerance nan"),
        (["inspect"], "files"),
        (["info"], "picture"),
        (["info", "a", "b"], "b"),
        (["devices", "cpu"], "cpu"),
        (["devices", "--json"], "--json"),
    ]
    # Values that a model does not allow, with the file in the message.
    BAD_FOR_MODEL = [
        (["--steps", "301"], "--steps 301"),
        (["--class", "10"], "--class 10"),
        (["--sampler", "euler"], "--sampler euler"),
        (["--sampler", "heun"], "--sampler heun"),
        (["-b", "2", "-o", "one.png"], "one.png"),
        (["-o", "%s.png"], "%s.png"),
        (["-o", "a%d_%d.png"], "a%d_%d.png"),
        (["--grid", "-o", "x.png", "--gif", "x.png"], "x.png"),
    ]

    def test_bad_calls_end_with_2_and_name_the_flag(self) -> None:
        self.assertGreaterEqual(len(self.BAD) + len(self.BAD_FOR_MODEL), 60)
        for arguments, named in self.BAD:
            with self.subTest(arguments=arguments):
                self.assertIn(named, self.ebb(*arguments, rc=2).stderr)
        for arguments, named in self.BAD_FOR_MODEL:
            with self.subTest(arguments=arguments):
                done = self.ebb("sample", "--model", "m.safetensors", *arguments, rc=2)
                self.assertIn(named, done.stderr)
        self.assertEqual(self.names(), set())

    def test_a_class_or_guidance_needs_a_model_with_classes(self) -> None:
        write_model(self.dir / "time.safetensors", "mnist_time_add")
        for flag in (["--class", "3"], ["--cfg-scale", "3"]):
            done = self.ebb("sample", "--model", "time.safetensors", *flag, rc=2)
            self.assertIn(flag[0], done.stderr)
            self.assertIn("time.safetensors", done.stderr)

    def test_a_one_step_denoiser_cannot_sample(self) -> None:
        write_model(
            self.dir / "d.safetensors", "mnist_denoiser", {"type": "denoise", "sigma": 0.5}
        )
        done = self.ebb("sample", "--model", "d.safetensors", rc=2)
        self.assertIn("denoise", done.stderr)

    def test_control_characters_of_the_command_line_are_escaped(self) -> None:
        for arguments in (["\x1b[31m"], ["sample", "--\x1b[31m"], ["sample", "--steps", "\x07"]):
            self.assertNotRegex(self.ebb(*arguments, rc=2).stderr, r"[\x00-\x09\x0b-\x1f]")

    def test_help_and_version_are_answers_not_errors(self) -> None:
        self.assertRegex(self.ebb("--version").stdout, r"\Aebb \d+\.\d+\.\d+\n\Z")
        self.assertIn("sample", self.ebb("--help").stdout)
        for command in ("sample", "compare", "inspect", "info", "devices"):
            self.assertIn("Usage: ebb " + command, self.ebb(command, "--help").stdout)

    def test_json_errors_are_objects_on_stdout(self) -> None:
        done = self.ebb("inspect", "--json", "missing.safetensors", rc=4)
        error = json.loads(done.stdout)["error"]
        self.assertEqual((error["code"], error["kind"]), (4, "io"))
        self.assertEqual(f"error: {error['message']}\n", done.stderr)
        done = self.ebb("compare", "--json", rc=2)
        self.assertEqual(json.loads(done.stdout)["error"]["kind"], "usage")


class Models(EbbTest):
    def test_a_missing_model_ends_with_4_and_says_where_it_was_looked_for(self) -> None:
        done = self.ebb("sample", "--model", "nothere", rc=4, env={"EBB_MODELS": "/a:/b"})
        for place in ("/a/nothere.safetensors", "/b/nothere", "weights/pretrained/nothere"):
            self.assertIn(place, done.stderr)
        self.assertIn("x.safetensors", self.ebb("sample", "--model", "x.safetensors", rc=4).stderr)

    def test_a_name_is_found_in_the_model_folders(self) -> None:
        pretrained = self.dir / "weights" / "pretrained"
        pretrained.mkdir(parents=True)
        write_model(pretrained / "mnist-class.safetensors")
        self.ebb("sample", *FAST, "-b", 1, "-o", "a.png")
        self.ebb("sample", "--model", "m", *FAST, "-b", 1, "-o", "b.png",
                 env={"EBB_MODELS": f"/nowhere:{self.dir}"})  # fmt: skip
        self.assertEqual(pixels(self.dir / "a.png"), pixels(self.dir / "b.png"))

    def test_other_files_end_with_3(self) -> None:
        (self.dir / "text.safetensors").write_text("hello")
        write_reference(self.dir / "ref.safetensors")
        for name in ("text.safetensors", "ref.safetensors"):
            done = self.ebb("sample", "--model", name, rc=3)
            self.assertIn(name, done.stderr)

    def test_cuda_is_refused_with_5_and_the_reason(self) -> None:
        self.assertIn("--device cuda", self.sample("--device", "cuda:7", rc=5).stderr)

    def test_devices_lists_the_cpu(self) -> None:
        self.assertRegex(self.ebb("devices").stdout, r"(?m)^cpu .*\d+ threads$")


class Sampling(EbbTest):
    def test_one_of_each_class_by_default(self) -> None:
        done = self.sample()
        self.assertEqual(self.names(), {f"out_{i:03d}.png" for i in range(10)})
        for i in range(10):
            self.assertIn(f"out_{i:03d}.png  seed {42 + i}  class {i}\n", done.stdout)
        header = png_chunks(self.dir / "out_007.png", b"IHDR")[0]
        self.assertEqual(struct.unpack(">IIBB", header[:10]), (28, 28, 8, 0))

    def test_the_same_seed_gives_the_same_bytes(self) -> None:
        for folder in ("a", "b"):
            (self.dir / folder).mkdir()
            subprocess.run(
                [EBB, "sample", "--model", "../m.safetensors", *FAST, "-b", "2", "--gif"],
                cwd=self.dir / folder, check=True, capture_output=True,
            )  # fmt: skip
        for name in ("out_000.png", "out_001.png", "out_000.gif"):
            first, second = ((self.dir / f / name).read_bytes() for f in ("a", "b"))
            self.assertEqual(first, second, name)

    def test_an_image_does_not_depend_on_batch_or_threads(self) -> None:
        self.sample("-s", 7, "-b", 5, "--class", 3, "-o", "a_%d.png")
        self.sample("-s", 7, "-b", 5, "--class", 3, "-o", "b_%d.png", "--batch-size", 2)
        self.ebb("sample", "--model", "m.safetensors", "--steps", 3, "--threads", 3, "-s", 7, "-b", 5,
                 "--class", 3, "-o", "c_%d.png")  # fmt: skip
        self.sample("-s", 11, "--class", 3, "-o", "alone.png")
        for i in range(5):
            expected = pixels(self.dir / f"a_{i}.png")
            self.assertEqual(pixels(self.dir / f"b_{i}.png"), expected)
            self.assertEqual(pixels(self.dir / f"c_{i}.png"), expected)
        self.assertEqual(pixels(self.dir / "alone.png"), pixels(self.dir / "a_4.png"))

    def test_seed_class_guidance_and_sampler_each_matter(self) -> None:
        # The golden network is untrained and its classes are close: much guidance sets them apart.
        base = {"-s": 7, "--class": 3, "--cfg-scale": 90, "--sampler": "ddpm"}
        changes = {"-s": 8, "--class": 4, "--cfg-scale": 1, "--sampler": "ddim"}
        variants = [base] + [base | {flag: value} for flag, value in changes.items()]
        for i, flags in enumerate(variants):
            self.sample(*(item for pair in flags.items() for item in pair), "-o", f"{i}.png")
        pictures = {bytes().join(pixels(self.dir / f"{i}.png")) for i in range(len(variants))}
        self.assertEqual(len(pictures), len(variants))

    def test_a_negative_seed_is_random_printed_and_recorded(self) -> None:
        done = self.sample("-s", -1, "-b", 1, "-o", "a.png")
        seed = provenance(self.dir / "a.png")["seeds"][0]
        self.assertIn(f"a.png  seed {seed}", done.stdout)
        self.sample("-s", seed, "-b", 1, "-o", "b.png")
        self.assertEqual(pixels(self.dir / "a.png"), pixels(self.dir / "b.png"))
        again = provenance(self.dir / "a.png")["argv"][1:]
        self.ebb(*again, "--force")
        self.assertEqual(pixels(self.dir / "a.png"), pixels(self.dir / "b.png"))

    def test_a_picture_says_how_it_was_made(self) -> None:
        self.sample("-s", 5, "--class", 8, "-o", "a.png")
        made = provenance(self.dir / "a.png")
        self.assertEqual(made["argv"][1:4], ["sample", "--model", "m.safetensors"])
        self.assertEqual(made["seeds"], [5])
        self.assertEqual(made["prompt"], "class 8")
        self.assertEqual((made["sampler"], made["steps"], made["cfg_scale"]), ("ddpm", 3, 5))
        self.assertEqual(len(made["model_sha256"]), 64)
        self.assertIn("class 8", self.ebb("info", "a.png").stdout)

    def test_a_grid_has_one_column_per_class(self) -> None:
        self.sample("-b", 20, "--grid", "-o", "g.png")
        header = png_chunks(self.dir / "g.png", b"IHDR")[0]
        self.assertEqual(struct.unpack(">II", header[:8]), (10 * 30 + 2, 2 * 30 + 2))
        self.assertEqual(provenance(self.dir / "g.png")["seeds"], list(range(42, 62)))
        self.sample("-b", 4, "--grid", "--grid-cols", 4, "-o", "row.png")
        header = png_chunks(self.dir / "row.png", b"IHDR")[0]
        self.assertEqual(struct.unpack(">II", header[:8]), (4 * 30 + 2, 32))

    def test_an_animation_goes_beside_the_picture_or_where_it_is_told(self) -> None:
        self.sample("-b", 2, "--grid", "--gif")
        self.sample("-b", 1, "-o", "x.png", "--gif", "film.gif")
        self.assertEqual(self.names(), {"out.png", "out.gif", "x.png", "film.gif"})
        for name in ("out.gif", "film.gif"):
            self.assertEqual((self.dir / name).read_bytes()[:6], b"GIF89a")

    def test_flags_may_be_written_with_underscores(self) -> None:
        self.ebb("sample", "--model", "m.safetensors", "--num_inference_steps=3", "--guidance_scale",
                 5, "--batch_size", 2, "-b", 1, "-o", "under_score.png")  # fmt: skip
        self.assertEqual(self.names(), {"under_score.png"})

    def test_flow_models_walk_with_euler_and_heun(self) -> None:
        write_model(self.dir / "flow.safetensors", "mnist_time_multiply", {"type": "flow"})
        for sampler in ("euler", "heun"):
            self.ebb("sample", "--model", "flow.safetensors", "--sampler", sampler, *FAST, "-o",
                     f"{sampler}.png")  # fmt: skip
            self.assertEqual(provenance(self.dir / f"{sampler}.png")["sampler"], sampler)
        self.ebb("sample", "--model", "flow.safetensors", *FAST, "-o", "plain.png")
        self.assertEqual(pixels(self.dir / "plain.png"), pixels(self.dir / "euler.png"))
        self.ebb("sample", "--model", "flow.safetensors", "--sampler", "ddpm", rc=2)

    def test_profile_prints_time_by_kernel_and_by_layer(self) -> None:
        done = self.sample("-b", 1, "--profile")
        self.assertRegex(done.stdout, r"(?m)^conv_forward +\d+")
        self.assertRegex(done.stdout, r"(?m)^up1\.up\.conv +\d+")


class Output(EbbTest):
    def test_existing_files_stay_without_force(self) -> None:
        (self.dir / "out_001.png").write_text("precious")
        done = self.sample("-b", 3, rc=4)
        self.assertIn("out_001.png", done.stderr)
        self.assertIn("--force", done.stderr)
        self.assertEqual(self.names(), {"out_001.png"})
        self.assertEqual((self.dir / "out_001.png").read_text(), "precious")
        self.sample("-b", 3, "--force")
        self.assertEqual(len(provenance(self.dir / "out_001.png")["seeds"]), 1)

    def test_an_existing_animation_stays_too(self) -> None:
        (self.dir / "out.gif").write_text("precious")
        self.sample("--grid", "--gif", rc=4)
        self.assertEqual(self.names(), {"out.gif"})

    def test_a_missing_folder_is_named_before_the_work_starts(self) -> None:
        self.assertIn("no/such", self.sample("-b", 1, "-o", "no/such/a.png", rc=4).stderr)

    @unittest.skipIf(os.geteuid() == 0, "root may write everywhere")
    def test_a_folder_without_permission_is_named(self) -> None:
        locked = self.dir / "locked"
        locked.mkdir()
        locked.chmod(0o555)
        self.assertIn("locked", self.sample("-b", 1, "-o", "locked/a.png", rc=4).stderr)

    def test_a_file_size_limit_leaves_nothing_half_written(self) -> None:
        command = f"ulimit -f 0; exec '{EBB}' sample --model m.safetensors --steps 2 -b 1 -o a.png"
        done = subprocess.run(["bash", "-c", command], cwd=self.dir, capture_output=True, text=True)
        self.assertEqual(done.returncode, 4, done.stderr)
        self.assertIn("a.png", done.stderr)
        self.assertEqual(self.names(), set())

    @unittest.skipUnless(os.path.exists("/dev/full"), "no /dev/full")
    def test_a_full_standard_output_is_an_error(self) -> None:
        with open("/dev/full", "w") as full:
            done = subprocess.run([EBB, "devices"], stdout=full, stderr=subprocess.PIPE, text=True)
        self.assertEqual(done.returncode, 4)
        self.assertIn("standard output", done.stderr)


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
    EBB = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=1)
