#!/usr/bin/env python3
"""Bad flags, help and errors of ebb.

Usage: ebb_flags_test.py EBB
"""

import json

from ebb_case import EbbTest, main
from model_files import write_model


class BadFlags(EbbTest):
    # Arguments of `ebb`, and what the message names.
    BAD = [
        ([], "no command"),
        (["test-image"], "name"),
        (["draw"], "test-image"),
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
        (["sample", "--class", "seventeen"], "--class seventeen"),
        (["sample", "--class", "-1"], "--class -1"),
        (["sample", "--class", "3.0"], "--class 3.0"),
        (["sample", "--grid-cols", "3"], "--grid-cols"),
        (["sample", "--grid", "--grid-cols", "0"], "--grid-cols 0"),
        (["sample", "--grid=3"], "--grid"),
        (["sample", "--force=no"], "--force"),
        (["sample", "--threads", "-1"], "--threads -1"),
        (["sample", "--threads", "1025"], "--threads 1025"),
        (["sample", "--kernels", "fast"], "--kernels fast"),
        (["sample", "--device", "tpu"], "--device tpu"),
        (["sample", "--device", "cuda:x"], "--device cuda:x"),
        (["sample", "--model", ""], "--model"),
        (["compare"], "model"),
        (["compare", "m.safetensors"], "reference"),
        (["compare", "a", "b", "c"], "c"),
        (["compare", "a", "b", "--tolerance", "-1"], "--tolerance -1"),
        (["compare", "a", "b", "--tolerance", "nan"], "--tolerance nan"),
        (["inspect"], "files"),
        (["info"], "image"),
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
        (["--grid", "-o", "x.png", "--gif", "x.png"], "--gif x.png"),
        (["--grid", "-o", "x", "--gif", "x"], "--gif x"),
        (["-b", "1", "-o", "x.jpg"], "-o x.jpg"),
        (["-b", "2", "-o", "x_%d.GIF"], "-o x_%d.GIF"),
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
        version = self.ebb("--version").stdout.splitlines()
        self.assertRegex(version[0], r"\Aebb \d+\.\d+\.\d+\Z")  # this line is for programs
        self.assertRegex(version[1], r"\Abuild (of no commit|[0-9a-f]{7,}\+?, \d{4}-\d\d-\d\d), "
                                     r"(GNU|Clang) [\d.]+, \w+, \w+-linux\Z")  # fmt: skip
        self.assertRegex(version[2], r"\Acpu .+; cuda (none|[\d.]+); highway [\d.]+, spng [\d.]+, ")
        self.assertEqual(len(version), 3)
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


if __name__ == "__main__":
    main()
