#!/usr/bin/env python3
"""Progress of ebb with and without a terminal, and --json: what programs read.

Usage: ebb_terminal_test.py EBB
"""

import json
import os
import pty
import subprocess
import time

from ebb_case import EbbTest, main, program
from ebb_metadata_test import DRAWS, MODEL


class Progress(EbbTest):
    LONG = ["sample", *MODEL, "-b", "10000", "--steps", "100", "--batch-size", "1", "--threads", "1",
            "--grid", "--grid-cols", "150", "--scale", "1"]  # fmt: skip

    def on_terminal(self, *arguments, env: dict = None) -> str:
        """What a terminal gets on standard error."""
        master, slave = pty.openpty()
        done = subprocess.run([program(), *map(str, arguments)], cwd=self.dir, stdout=subprocess.PIPE, stderr=slave,
                              env={**os.environ, "TERM": "xterm", **(env or {})}, check=False)  # fmt: skip
        os.close(slave)
        text = b""
        try:
            while part := os.read(master, 4096):
                text += part
        except OSError:  # how Linux says that the other end is closed
            pass
        os.close(master)
        self.assertEqual(done.returncode, 0, text)
        return text.decode()

    def test_a_terminal_shows_a_bar(self) -> None:
        sample = ["sample", *MODEL, "--steps", 20, "--threads", 1, "--force"]
        text = self.on_terminal(*sample)
        self.assertTrue(text.startswith("\r|"), text)
        self.assertIn("20/20", text)
        self.assertTrue(text.endswith("\r\n"), text)
        for flag in ("lines", "none"):  # too short for a line
            self.assertEqual(self.on_terminal(*sample, "--progress", flag), "")
            self.assertEqual(self.on_terminal(*sample, env={"EBB_PROGRESS": flag}), "")
        self.assertIn("\r|", self.on_terminal(*sample, "--progress", "bar", env={"EBB_PROGRESS": "none"}))
        self.assertNotIn("\x1b", self.on_terminal(*sample, env={"NO_COLOR": "1"}))

    def test_without_a_terminal_a_line_comes_after_five_seconds(self) -> None:
        start = time.monotonic()
        process = subprocess.Popen([program(), *self.LONG], cwd=self.dir, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)  # fmt: skip
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        line = process.stderr.readline()  # flushed: it comes while the command runs
        self.assertGreaterEqual(time.monotonic() - start, 5)
        self.assertIsNone(process.poll())
        self.assertRegex(line, r"\Astep \d+/1000000 \| [\d.]+(it/s|s/it) \| ETA \w+\n\Z")

    def test_a_short_command_says_nothing(self) -> None:
        self.assertEqual(self.ebb("sample", *MODEL, "--steps", 1, env={"EBB_PROGRESS": ""}).stderr, "")
        self.assertEqual(self.sample("--progress", "lines", "--force").stderr, "")
        bar = self.sample("--progress", "bar", "--force").stderr
        self.assertTrue(bar.startswith("\n|"), bar)  # Python's text mode reads \r as \n

    def check_json(self, stderr: str, unit: str) -> None:
        objects = [json.loads(line) for line in stderr.splitlines()]
        self.assertTrue(objects)
        for found in objects:
            self.assertEqual((found["event"], found["unit"]), ("progress", unit))
            self.assertLessEqual(found["done"], found["total"])
            self.assertGreaterEqual(found["seconds"], 0)
        self.assertEqual(objects[-1]["done"], objects[-1]["total"])

    def test_json_is_an_object_a_line(self) -> None:
        self.check_json(self.sample("--progress", "json").stderr, "step")
        self.check_json(self.ebb("rerun", "out_000.png", "-o", "x.png", "--progress", "json").stderr, "step")
        self.check_json(self.ebb("report", "-o", "site", "--sections", "photos", "--fast", "--progress", "json",
                                 *MODEL).stderr, "figure")  # fmt: skip
        self.check_json(self.ebb("inspect", "x.png", "m.safetensors", "--progress", "json").stderr, "file")

    def test_a_bad_mode_is_refused_before_anything_is_done(self) -> None:
        self.assertIn("--progress loud: must be one of auto, bar", self.sample("--progress", "loud", rc=2).stderr)
        done = self.ebb("sample", *MODEL, rc=2, env={"EBB_PROGRESS": "loud"})
        self.assertIn("EBB_PROGRESS loud: must be one of auto, bar", done.stderr)
        self.assertEqual(self.names(), set())

    def test_device_and_threads_come_from_the_environment_where_no_flag_says_otherwise(self) -> None:
        sample = ["sample", *MODEL, "--steps", "1"]
        done = self.ebb(*sample, rc=2, env={"EBB_DEVICE": "abacus"})
        self.assertIn("abacus", done.stderr)
        self.assertIn("EBB_THREADS many: must be", self.ebb(*sample, rc=2, env={"EBB_THREADS": "many"}).stderr)
        self.ebb(*sample, "--device", "cpu", "--threads", "1", env={"EBB_DEVICE": "abacus", "EBB_THREADS": "many"})
        self.ebb(*sample, "--force", env={"EBB_DEVICE": "cpu", "EBB_THREADS": "2"})


class JsonResults(EbbTest):
    def results(self, *arguments, rc: int = 0) -> dict:
        return json.loads(self.ebb(*arguments, "--json", rc=rc).stdout)

    def check_files(self, found: dict) -> list:
        for file in found["files"]:
            self.assertEqual((self.dir / file["path"]).stat().st_size, file["bytes"])
        return [(file["path"], file["kind"]) for file in found["files"]]

    def test_every_drawing_command_tells_what_it_wrote(self) -> None:
        self.sample("-b", 1, "--class", 3, "-o", "start.png")
        for name, command in DRAWS.items():
            with self.subTest(name=name):
                before = self.names()
                several = "" if name == "test-image" else "_%d"
                found = self.results(*command, "-o", f"{name}{several}.png")
                self.assertEqual({path for path, _ in self.check_files(found)}, self.names() - before)
                self.assertEqual(found["argv"], ["ebb", *command])
                self.assertEqual(found["command"], " ".join(["ebb", *command]))
                self.assertEqual(found["version"], "0.1.0")
                self.assertRegex(found["build"], r"\A([0-9a-f]{7,}\+?)?\Z")
                self.assertGreaterEqual(found["seconds"]["total"], 0)
                for file in found["files"]:
                    self.assertEqual(file["kind"], "image")
                    self.assertGreater(min(file["width"], file["height"]), 0)
                if name != "test-image":
                    self.assertEqual((found["model"], found["device"]), ("m.safetensors", "cpu"))
                    self.assertEqual([file["seeds"] for file in found["files"]][:2], [[42], [43]])
        self.assertIn("mse", self.results(*DRAWS["blur"], "-o", "c%d.png")["blurs"][0])
        self.assertEqual(self.results(*DRAWS["inpaint"], "-o", "d%d.png")["known_pixels"], {"known": 392, "of": 784})

    def test_grids_and_animations_are_files_too(self) -> None:
        found = self.results(*DRAWS["sample"], "--grid", "--gif", "film.webp", "-s", "7")
        self.assertEqual(self.check_files(found), [("film.webp", "animation"), ("out.png", "grid")])
        self.assertEqual(found["files"][1]["seeds"], [7, 8, 9, 10, 11])
        self.assertEqual((found["images"], found["sampler"], found["steps"]), (5, "ddim", 3))
        self.assertGreater(found["seconds"]["sample"], 0)

    def test_any_file_name_gives_valid_json(self) -> None:
        for name in ('a"b.png', "line\nbreak.png", "tab\t\x1b[31m.png", "back\\slash.png", "Hügel.png"):
            found = self.results("sample", *MODEL, "--steps", "1", "-b", "1", "-o", name)
            self.assertEqual(self.check_files(found), [(name, "image")])
        raw = os.fsdecode(b"\xff\xfe.png")
        done = subprocess.run([program(), "sample", *MODEL, "--steps", "1", "-b", "1", "--json", "-o", raw], cwd=self.dir,
                              capture_output=True, check=True)  # fmt: skip
        self.assertEqual(json.loads(done.stdout)["files"][0]["path"], "\ufffd\ufffd.png")
        self.assertTrue((self.dir / raw).exists())

    def test_a_rerun_tells_whether_the_image_is_the_same(self) -> None:
        self.sample("-b", 1, "-o", "a.png")
        found = self.results("rerun", "a.png", "-o", "b.png")
        self.assertEqual((found["same_bytes"], found["same_pixels"], found["image"]), (True, True, "a.png"))
        self.assertEqual(self.check_files(found), [("b.png", "image")])

    def test_a_failure_is_an_object_too(self) -> None:
        for arguments, code, kind in (
            (["sample", "--model", "none.safetensors"], 4, "io"),
            (["sample", *MODEL, "--class", "12"], 2, "usage"),
            (["edit", *MODEL], 2, "usage"),
            (["test-image", "tower", "-o", "no/such/directory.png"], 4, "io"),
        ):
            error = self.results(*arguments, rc=code)["error"]
            self.assertEqual((error["code"], error["kind"]), (code, kind))
            self.assertTrue(error["message"])

    def test_standard_output_takes_one_thing(self) -> None:
        for output in ("-", "/dev/stdout", "/dev/fd/1"):
            done = self.ebb("sample", *MODEL, "--json", "-o", output, rc=2)
            self.assertIn("standard output is taken by --json", done.stderr)
        self.ebb("test-image", "tower", "--json", "-o", "-", rc=2)
        self.assertEqual(self.results("sample", *MODEL, "--steps", "1", "-b", "1", "-o", "/dev/null")["files"][0]["path"],
                         "/dev/null")  # fmt: skip


if __name__ == "__main__":
    main()
