#!/usr/bin/env python3
"""`ebb plot` of runs, their logs and checkpoints, and --follow.

Usage: ebb_plot_test.py EBB   (the program under test)
"""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

from ebb_case import EbbTest, main, program, provenance
from model_files import DDPM, read_safetensors, write_safetensors

PATIENCE = 120


def line(step: int, **more) -> str:
    return json.dumps({"step": step, "epoch": 1, "loss": 1 / step, **more}) + "\n"


class Plot(EbbTest):
    def write_run(self, name: str, steps: int) -> Path:
        run = self.dir / name
        run.mkdir()
        (run / "log.jsonl").write_text("".join(map(line, range(1, steps + 1))))
        return run

    def write_checkpoint(self, run: Path, step: int) -> Path:
        """As train_mnist writes it, but for its size."""
        tensors, metadata = read_safetensors(self.dir / "m.safetensors")
        path = run / f"checkpoint-{step:08}.safetensors"
        write_safetensors(path, tensors, {
            "ebb.kind": "training checkpoint", "ebb.format": "1", "ebb.model": metadata["ebb.model"],
            "ebb.config": json.dumps({"objective": DDPM}),
            "ebb.progress": json.dumps({"step": step, "updates": step})})  # fmt: skip
        return path

    def size_of_curve(self, *arguments) -> bytes:
        self.ebb("plot", *arguments, "-o", "p.png", "--force")
        return (self.dir / "p.png").read_bytes()

    def test_an_interrupted_run_is_drawn_by_its_directory_its_log_and_its_checkpoint(self) -> None:
        run = self.write_run("r", 30)
        by_directory = self.size_of_curve("r", "--no-metadata")
        self.assertEqual(self.size_of_curve("r/log.jsonl", "--no-metadata"), by_directory)
        self.write_checkpoint(run, 20)
        self.assertEqual(self.size_of_curve("r", "--no-metadata"), by_directory)
        until_20 = self.size_of_curve("r/checkpoint-00000020.safetensors", "--no-metadata")
        self.write_run("short", 20)
        self.assertNotEqual(until_20, by_directory)
        # The same curve under another name.
        (run / "log.jsonl").write_text("".join(map(line, range(1, 21))))
        self.assertEqual(self.size_of_curve("r", "--no-metadata"),
                         self.size_of_curve("r/log.jsonl", "--no-metadata"))
        self.ebb("plot", "r", "-o", "meta.png")
        self.assertEqual([entry["path"] for entry in provenance(self.dir / "meta.png")["inputs"]], ["r/log.jsonl"])
        self.ebb("rerun", "meta.png", "-o", "again.png")
        self.assertEqual((self.dir / "again.png").read_bytes(), (self.dir / "meta.png").read_bytes())

    def test_validation_is_a_curve_of_its_own(self) -> None:
        run = self.write_run("r", 30)
        without = self.size_of_curve("r", "--no-metadata")
        with open(run / "log.jsonl", "a") as log:
            log.write(line(31, validation_loss=0.5))
        plain = self.size_of_curve("r", "--no-metadata")
        (run / "log.jsonl").write_text("".join(map(line, range(1, 32))))
        self.assertNotEqual(plain, self.size_of_curve("r", "--no-metadata"))
        self.assertNotEqual(plain, without)

    def test_what_is_no_log_is_refused(self) -> None:
        (self.dir / "x.jsonl").write_text("mine\nand more\n")
        self.assertIn("is no log of train_mnist", self.ebb("plot", "x.jsonl", rc=3).stderr)
        (self.dir / "x.jsonl").write_text("")
        self.assertIn("holds no step yet", self.ebb("plot", "x.jsonl", rc=3).stderr)
        self.assertIn("no such file", self.ebb("plot", "y.jsonl", rc=4).stderr)
        (self.dir / "empty").mkdir()
        self.assertIn("without model.safetensors", self.ebb("plot", "empty/", rc=4).stderr)
        self.write_run("r", 3)
        self.ebb("plot", "r", "--follow", "--json", rc=2)
        self.assertIn("has no ending", self.ebb("plot", "r", "-o", "pics", rc=2).stderr)

    def wait_for(self, what) -> None:
        deadline = time.monotonic() + PATIENCE
        while not what():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.02)

    def follow(self) -> subprocess.Popen:
        process = subprocess.Popen([program(), "plot", "r", "--follow", "-o", "p.png"], cwd=self.dir,
                                   stdout=subprocess.PIPE, text=True)  # fmt: skip
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.wait_for((self.dir / "p.png").exists)
        return process

    def test_a_run_is_followed_until_a_signal(self) -> None:
        (self.dir / "r").mkdir()  # its log is to come
        process = self.follow()
        images = {(self.dir / "p.png").read_bytes()}
        for steps in (3, 40):
            (self.dir / "r" / "log.jsonl").write_text("".join(map(line, range(1, steps))))
            self.wait_for(lambda: (self.dir / "p.png").read_bytes() not in images)
            images.add((self.dir / "p.png").read_bytes())
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(timeout=PATIENCE), -signal.SIGINT)
        self.assertIn((self.dir / "p.png").read_bytes(), images)
        self.assertEqual([name for name in os.listdir(self.dir) if name.endswith(".tmp")], [])

    def test_following_ends_with_the_run(self) -> None:
        run = self.write_run("r", 5)
        process = self.follow()
        self.assertIsNone(process.poll())
        before = (self.dir / "p.png").read_bytes()
        (run / "log.jsonl").write_text("".join(map(line, range(1, 30))))
        (run / "model.safetensors").write_bytes(b"")  # the last that a run writes
        self.assertEqual(process.wait(timeout=PATIENCE), 0)
        self.assertNotEqual((self.dir / "p.png").read_bytes(), before)
        self.assertEqual(process.stdout.read(), "p.png\n")

    def test_inspect_and_convert_take_a_run(self) -> None:
        run = self.write_run("r", 3)
        self.write_checkpoint(run, 3)
        self.assertIn("r/checkpoint-00000003.safetensors", self.ebb("inspect", "r").stdout)
        self.ebb("convert", "r", "-o", "c.safetensors")
        self.assertIn("checkpoint of step 3", self.ebb("inspect", "c.safetensors").stdout)
        self.assertIn("c.safetensors: contains no loss curve", self.ebb("plot", "c.safetensors", rc=3).stderr)


if __name__ == "__main__":
    main()
