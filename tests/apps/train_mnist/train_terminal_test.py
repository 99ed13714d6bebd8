#!/usr/bin/env python3
"""Progress of train_mnist with and without a terminal, and --json.

Usage: train_terminal_test.py TRAIN_MNIST   (the program under test)
"""

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
import unittest
from pathlib import Path

from train_mnist_test import PATIENCE, write_dataset

TRAIN = ""
LINE = re.compile(r"step (\d+)/(\d+) \| epoch (\d+) \| "
                  r"(?:loss [\d.e-]+|(mean loss [\d.e-]+ \| validation [\d.e-]+ \| [\d.msh]+)) \| "
                  r"\d+ images/s \| ETA \w+(\.\d)?\w*")  # fmt: skip
HEADER = ["network", "settings", "data", "device", "output", "length"]
# Comes after 10 s without a line, so only on a busy machine.
MEASURING = re.compile(r"step \d+/\d+ \| measuring epoch \d+ \| ETA \w+(\.\d)?\w*")
ESTIMATE = re.compile(r"about [\w.]+ left, until (\d{4}-\d\d-\d\d )?\d\d:\d\d")


class Terminal(unittest.TestCase):
    def setUp(self) -> None:
        temp = tempfile.TemporaryDirectory()
        self.addCleanup(temp.cleanup)
        self.root = Path(temp.name)
        self.data = self.root / "mnist"
        write_dataset(self.data)

    def command(self, *flags: str, output: str = "run", model: str = "class", hidden: int = 4) -> list[str]:
        return [TRAIN, "--model", model, "--data", str(self.data), "--output", str(self.root / output),
                "--hidden", str(hidden), "--batch-size", "32", "--device", "cpu", "--threads", "1",
                "--sample-every", "100000", *flags]  # fmt: skip

    def train(self, *flags: str, env: dict = None, code: int = 0, **run) -> subprocess.CompletedProcess:
        done = subprocess.run(self.command(*flags, **run), capture_output=True, text=True, timeout=PATIENCE,
                              check=False, env={**os.environ, **(env or {})})  # fmt: skip
        self.assertEqual(done.returncode, code, done.stderr)
        return done

    def on_terminal(self, *flags: str, output: str = "run", columns: int = 0) -> str:
        """What a terminal gets on standard error."""
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        process = subprocess.Popen(self.command(*flags, output=output), stdout=subprocess.DEVNULL, stderr=slave,
                                   env={**os.environ, "TERM": "xterm"})  # fmt: skip
        os.close(slave)
        text = b""
        try:
            while part := os.read(master, 4096):
                text += part
        except OSError:  # how Linux says that the other end is closed
            pass
        os.close(master)
        self.assertEqual(process.wait(timeout=PATIENCE), 0, text)
        return text.decode()

    def test_nohup_into_a_pipe_shows_lines_while_it_runs(self) -> None:
        # Wide enough that an epoch of three steps takes seconds, even where it is fast.
        training = self.command("--epochs", "100000", hidden=64)
        start = time.monotonic()
        shell = subprocess.Popen(["sh", "-c", 'nohup "$@" 2>&1 | cat', "sh", *training], stdout=subprocess.PIPE,
                                 stdin=subprocess.DEVNULL, text=True, start_new_session=True)  # fmt: skip
        self.addCleanup(shell.communicate)
        stop = lambda: os.killpg(shell.pid, 9)
        self.addCleanup(stop)
        timer = threading.Timer(PATIENCE, stop)
        timer.start()
        self.addCleanup(timer.cancel)
        times, steps, others = [], [], []
        while len(times) < 2:  # lines between epochs
            line = shell.stdout.readline()
            self.assertTrue(line, "it ended")
            if MEASURING.fullmatch(line[:-1]):
                continue
            if line.startswith("nohup: ") or line.split()[0] in HEADER or ESTIMATE.fullmatch(line[:-1]):
                others.append(line.split()[0])
                continue
            found = LINE.fullmatch(line.rstrip("\n"))
            self.assertIsNotNone(found, repr(line))
            steps.append(int(found[1]))
            ends_epoch = steps[-1] % 3 == 0
            self.assertEqual(found[4] is not None, ends_epoch, line)
            if not ends_epoch:
                times.append(time.monotonic() - start)
                self.assertGreaterEqual(times[-1], 5)
        self.assertEqual(steps, sorted(set(steps)), "each step at most once")
        for earlier, later in zip(times, times[1:]):
            self.assertGreater(later - earlier, 5)  # 10 but for how long a step takes
        self.assertEqual([other for other in others if other not in ("nohup:", "about")], HEADER)

    def test_each_epoch_ends_with_exactly_one_line(self) -> None:
        lines = self.train("--epochs", "4").stderr.splitlines()
        self.assertEqual([line.split()[0] for line in lines[:6]], HEADER)
        self.assertTrue(lines[-1].startswith("next: "), lines)
        found = [LINE.fullmatch(line) for line in lines[6:-1]
                 if not ESTIMATE.fullmatch(line) and not MEASURING.fullmatch(line)]
        self.assertNotIn(None, found)
        steps = [line[1] for line in found]
        self.assertEqual(len(steps), len(set(steps)), "each step at most once")
        # A busy machine may take so long that other lines come between.
        ends = [(line[1], line[3]) for line in found if line[4]]
        self.assertEqual(ends, [("3", "1"), ("6", "2"), ("9", "3"), ("12", "4")])

    def test_a_terminal_shows_one_line_that_is_redrawn(self) -> None:
        text = self.on_terminal("--epochs", "2")
        header, text = text.split("\r\n", 6)[:6], text.split("\r\n", 6)[6]
        self.assertEqual([line.split()[0] for line in header], HEADER)
        self.assertTrue(text.startswith("\rstep 1/6 | epoch 1 | loss "), text)
        self.assertRegex(text, r"\| grad [\d.e-]+ \| lr [\d.e-]+ \|")
        self.assertEqual(text.count("\n"), 3, text)  # one an epoch, and the next command
        for flags in (["--progress", "none"], ["-q"]):
            self.assertEqual(self.on_terminal("--epochs", "2", *flags, output=flags[-1]), "")

    def test_a_redrawn_line_is_no_wider_than_the_terminal(self) -> None:
        text = self.on_terminal("--epochs", "2", columns=60)
        redrawn = [line for part in text.split("\r\n")[6:] for line in part.split("\r")[:-1]]
        self.assertTrue(redrawn)
        self.assertLess(max(map(len, redrawn)), 60)

    def test_the_variable_stands_for_the_flag_and_quiet_for_none(self) -> None:
        self.assertEqual(self.train("--epochs", "2", output="a", env={"EBB_PROGRESS": "none"}).stderr, "")
        self.assertEqual(self.train("--epochs", "2", "-q", output="b").stderr, "")
        lines = self.train("--epochs", "2", "--progress", "lines", output="c", env={"EBB_PROGRESS": "none"}).stderr
        self.assertEqual(lines.count("mean loss"), 2)
        done = self.train("--epochs", "2", output="d", env={"EBB_PROGRESS": "loud"}, code=2)
        self.assertIn("EBB_PROGRESS loud: must be one of", done.stderr)

    def test_json_progress_is_an_object_a_line(self) -> None:
        for model in ("class", "classifier"):
            done = self.train("--epochs", "2", "--max-steps", "5", "--progress", "json", output=model, model=model)
            objects = [json.loads(line) for line in done.stderr.splitlines()]
            for found in objects:
                self.assertEqual((found["event"], found["unit"], found["total"]), ("progress", "step", 5))
            ends = [found for found in objects if "epoch_loss" in found]
            self.assertEqual([found["done"] for found in ends], [3])
            self.assertEqual("test_accuracy" in ends[0], model == "classifier")
            self.assertEqual((objects[-1]["done"], objects[-1]["epoch"]), (5, 2))

    def test_json_tells_what_was_trained(self) -> None:
        name = 'a "run"\nof two lines'
        done = self.train("--epochs", "2", "--json", "--seed", "5", output=name, model="classifier")
        found = json.loads(done.stdout)
        files = {Path(file["path"]).name: file for file in found["files"]}
        self.assertEqual({file["kind"] for file in found["files"]}, {"model", "log", "plot", "checkpoint"})
        for file in found["files"]:
            self.assertEqual(Path(file["path"]).stat().st_size, file["bytes"])
        self.assertIn("model.safetensors", files)
        log = [json.loads(line) for line in (self.root / name / "log.jsonl").read_text().splitlines()]
        self.assertEqual(found["loss"], log[-1]["loss"])
        self.assertEqual((found["steps"], found["first_step"], found["seed"]), (6, 0, 5))
        self.assertEqual((len(found["epoch_losses"]), len(found["test_accuracies"])), (2, 2))
        self.assertTrue(found["command"].startswith("train_mnist --model classifier "))
        again = json.loads(self.train("--epochs", "2", "--json", "--seed", "5", "--resume", "auto", output=name,
                                      model="classifier").stdout)  # fmt: skip
        self.assertEqual((again["first_step"], again["loss"]), (6, found["loss"]))

    def test_a_failure_is_an_object_too(self) -> None:
        error = json.loads(self.train("--json", "--resume", "none.safetensors", code=4).stdout)["error"]
        self.assertEqual((error["code"], error["kind"]), (4, "io"))

    def test_the_version_s_first_line_is_for_programs(self) -> None:
        done = subprocess.run([TRAIN, "--version"], capture_output=True, text=True, check=True)
        self.assertRegex(done.stdout, r"\Atrain_mnist \d+\.\d+\.\d+\nbuild .+\ncpu .+\n\Z")


if __name__ == "__main__":
    TRAIN = str(Path(sys.argv.pop(1)).resolve())
    unittest.main()
