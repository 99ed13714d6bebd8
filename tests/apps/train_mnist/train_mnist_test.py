#!/usr/bin/env python3
"""train_mnist from outside: resume, signals, damaged files, bad flags.

Usage: train_mnist_test.py TRAIN_MNIST   (the program under test)
"""

import gzip
import hashlib
import json
import math
import os
import random
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

TRAIN = ""
SMALL = ["--hidden", "4", "--batch-size", "16", "--device", "cpu"]
NO_SAMPLES = ["--sample-every", "100000"]
EPOCHS = "100000"  # part of a run's configuration: its learning rate follows from it
ENDLESS = ["--epochs", EPOCHS, "--max-steps", "100000", "--save-every", "1"]
PATIENCE = 300  # seconds that a busy machine may take for what is done in a moment


def write_dataset(directory: Path, count: int = 96) -> None:
    """A synthetic MNIST: blurred bars whose position depends on the label."""
    rng = random.Random(7)
    pixels, labels = bytearray(), bytearray()
    for i in range(count):
        label = i % 10
        labels.append(label)
        for row in range(28):
            for col in range(28):
                inside = abs(col - 4 - 2 * label) < 2 and 4 <= row < 24
                pixels.append(min(255, (200 if inside else 0) + rng.randrange(40)))
    directory.mkdir(parents=True, exist_ok=True)
    for split in ("train", "t10k"):
        with gzip.open(directory / f"{split}-images-idx3-ubyte.gz", "wb") as f:
            f.write(struct.pack(">IIII", 0x803, count, 28, 28) + bytes(pixels))
        with gzip.open(directory / f"{split}-labels-idx1-ubyte.gz", "wb") as f:
            f.write(struct.pack(">II", 0x801, count) + bytes(labels))


def poison(checkpoint: Path, tensor: str) -> None:
    """Sets a tensor to NaN and renews the digest, which covers the file with its digits zeroed."""
    content = bytearray(checkpoint.read_bytes())
    header_end = 8 + struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8:header_end])
    begin, end = header[tensor]["data_offsets"]
    content[header_end + begin:header_end + end] = struct.pack("<f", math.nan) * ((end - begin) // 4)
    digest = header["__metadata__"]["ebb.sha256"].encode()
    at = content.index(digest)
    content[at:at + 64] = b"0" * 64
    content[at:at + 64] = hashlib.sha256(content).hexdigest().encode()
    checkpoint.write_bytes(content)


class TrainMnist(unittest.TestCase):
    def setUp(self) -> None:
        temp = tempfile.TemporaryDirectory()
        self.addCleanup(temp.cleanup)
        self.root = Path(temp.name)
        self.data = self.root / "mnist"
        write_dataset(self.data)

    def command(self, output: str, *flags: str, model: str = "class") -> list[str]:
        samples = [] if "--sample-every" in flags else NO_SAMPLES
        return [TRAIN, "--model", model, "--data", str(self.data), "--output",
                str(self.root / output), *SMALL, *samples, *flags]

    def train(self, output: str, *flags: str, model: str = "class", code: int = 0) -> str:
        done = subprocess.run(self.command(output, *flags, model=model), capture_output=True,
                              text=True, timeout=PATIENCE, check=False)
        self.assertEqual(done.returncode, code, done.stderr)
        return done.stderr

    def model_bytes(self, output: str) -> bytes:
        return (self.root / output / "model.safetensors").read_bytes()

    def losses(self, output: str) -> list[tuple[int, float]]:
        lines = (self.root / output / "log.jsonl").read_text().splitlines()
        return [(entry["step"], entry["loss"]) for entry in map(json.loads, lines)]

    def newest_step(self, output: str) -> int:
        newest = max((self.root / output).glob("checkpoint-*.safetensors"))
        return int(newest.stem.split("-")[1])

    def start_endless(self, output: str, *flags: str) -> subprocess.Popen:
        """A trainer that has saved a checkpoint and goes on until it is stopped.

        However long this test then waits for its turn on a busy machine, the trainer is not done.
        """
        process = subprocess.Popen(self.command(output, *ENDLESS, *flags),
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        deadline = time.monotonic() + PATIENCE
        while not list((self.root / output).glob("checkpoint-*.safetensors")):
            self.assertIsNone(process.poll(), "the trainer ended before its first checkpoint")
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.005)
        return process

    def interrupt(self, output: str, sig: signal.Signals, *flags: str) -> int:
        process = self.start_endless(output, *flags)
        process.send_signal(sig)
        return process.wait(timeout=PATIENCE)

    def test_a_killed_run_resumes_bit_for_bit_on_another_thread_count(self) -> None:
        flags = ["--ema-decay", "0.9"]
        code = self.interrupt("killed", signal.SIGKILL, *flags, "--threads", "1")
        self.assertEqual(code, -signal.SIGKILL)
        # Its length is settled afterwards: the signal's position is unknown.
        flags += ["--epochs", EPOCHS, "--max-steps", str(self.newest_step("killed") + 20)]
        self.train("whole", *flags, "--threads", "1")
        self.train("killed", *flags, "--threads", "2", "--resume", "auto")
        self.assertEqual(self.model_bytes("whole"), self.model_bytes("killed"))
        self.assertEqual(self.losses("whole"), self.losses("killed"))

    def test_signals_save_and_exit_with_their_code(self) -> None:
        for sig, expected in [(signal.SIGINT, 130), (signal.SIGTERM, 143)]:
            output = sig.name
            self.assertEqual(self.interrupt(output, sig), expected)
            directory = self.root / output
            self.assertEqual(self.losses(output)[-1][0], self.newest_step(output))
            self.assertEqual([p.name for p in directory.glob(".*.tmp")], [])

    def start_with_ignored(self, sig: signal.Signals, output: str) -> subprocess.Popen:
        """A trainer that has saved a checkpoint and started while `sig` was ignored (nohup)."""
        before = signal.signal(sig, signal.SIG_IGN)
        try:
            return self.start_endless(output)
        finally:
            signal.signal(sig, before)

    def test_signals_that_are_ignored_at_the_start_stay_ignored(self) -> None:
        for sig in (signal.SIGHUP, signal.SIGINT, signal.SIGUSR1):
            output = f"ignored-{sig.name}"
            process = self.start_with_ignored(sig, output)
            process.send_signal(sig)
            step = self.newest_step(output)
            deadline = time.monotonic() + PATIENCE
            while self.newest_step(output) <= step + 2:
                self.assertIsNone(process.poll(), f"{sig.name} ended it")
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.01)
            process.send_signal(signal.SIGTERM)
            self.assertEqual(process.wait(timeout=PATIENCE), 143)

    def test_a_second_signal_ends_at_once_and_says_what_is_saved(self) -> None:
        # The steps are so long that both signals arrive within one.
        command = [TRAIN, "--model", "class", "--data", str(self.data), "--output",
                   str(self.root / "twice"), "--hidden", "256", "--batch-size", "96", "--threads",
                   "1", *NO_SAMPLES]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                   text=True)
        self.addCleanup(process.kill)
        deadline = time.monotonic() + PATIENCE
        while not (self.root / "twice" / "log.jsonl").exists():
            self.assertIsNone(process.poll())
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.005)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, message = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 130, message)
        self.assertRegex(message, r"stopped at once by a second signal after step \d+")
        self.assertIn("Nothing was saved", message)

    def test_a_stop_while_samples_are_drawn_ends_them_and_resuming_makes_them_up(self) -> None:
        flags = ["--epochs", "3", "--timesteps", "5000", "--sample-every", "1"]
        process = subprocess.Popen(self.command("run", *flags), stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.kill)
        deadline = time.monotonic() + PATIENCE
        while not (self.root / "run" / "loss.png").exists():  # written just before the samples
            self.assertIsNone(process.poll())
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.005)
        process.send_signal(signal.SIGTERM)
        _, message = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 143, message)
        self.assertIn("stopped after step 6 of 18, which is saved", message)
        self.assertFalse((self.root / "run" / "samples-epoch-001.png").exists())

    def test_a_stop_while_accuracy_is_measured_leaves_an_equal_run(self) -> None:
        write_dataset(self.data, count=1200)
        flags = ["--epochs", "2", "--seed", "5"]
        self.train("whole", *flags, model="classifier")
        process = subprocess.Popen(self.command("run", *flags, model="classifier"),
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(process.kill)
        log = self.root / "run" / "log.jsonl"
        deadline = time.monotonic() + PATIENCE
        while not log.exists() or log.read_text().count("\n") < 74:  # one before the epoch's last
            self.assertIsNone(process.poll())
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.002)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(timeout=PATIENCE), 143)
        self.train("run", *flags, "--resume", "auto", model="classifier")
        self.assertEqual(self.model_bytes("run"), self.model_bytes("whole"))
        accuracies = [json.loads(line).get("test_accuracy") for line in log.read_text().splitlines()]
        self.assertEqual(sum(value is not None for value in accuracies), 2)

    def test_test_images_that_a_denoiser_s_grids_need_are_missed_before_the_first_step(self) -> None:
        for file in self.data.glob("t10k-*"):
            file.unlink()
        message = self.train("run", "--sample-every", "1", "--epochs", "1", model="denoiser", code=4)
        self.assertIn("t10k-images", message)
        self.assertFalse((self.root / "run").exists())
        self.train("run", "--max-steps", "2", "--sample-every", "1", model="denoiser")

    def test_files_of_others_in_the_run_directory_stay(self) -> None:
        for output, name in [("a", "model.safetensors"), ("b", "log.jsonl"), ("c", "loss.png"),
                             ("d", "samples-epoch-001.png")]:
            directory = self.root / output
            directory.mkdir()
            (directory / name).write_text("mine\nand more\n")
            for flags in ([], ["--resume", "auto"]):
                message = self.train(output, "--max-steps", "2", *flags, code=2)
                self.assertIn(f"{name}, which a new run would replace", message)
            self.assertEqual((directory / name).read_text(), "mine\nand more\n")
        directory = self.root / "e"
        directory.mkdir()
        names = [".lock", ".notes.tmp", "checkpoint-1.txt"]
        for name in names:
            (directory / name).write_text("mine")
        (directory / ".cache.tmp").mkdir()
        self.train("e", "--max-steps", "2")
        for name in names:
            self.assertEqual((directory / name).read_text(), "mine")
        self.assertTrue((directory / ".cache.tmp").is_dir())

    def test_a_run_that_ended_before_its_first_checkpoint_starts_afresh(self) -> None:
        directory = self.root / "run"
        directory.mkdir()
        (directory / "log.jsonl").write_text('{"step": 1, "loss": 2}\n{"step": 2, "lo')
        self.train("run", "--max-steps", "3", "--resume", "auto")
        self.assertEqual([step for step, _ in self.losses("run")], [1, 2, 3])

    def test_classes_come_from_the_data(self) -> None:
        for file in self.data.glob("*-labels-*"):
            with gzip.open(file, "wb") as f:
                f.write(struct.pack(">II", 0x801, 96) + bytes(i % 13 for i in range(96)))
        message = self.train("no", "--max-steps", "2", code=3)
        self.assertIn("label 10 is 10, expected 0 to 9", message)
        self.assertIn("--classes", message)
        for flag in ("13", "data"):
            self.train(flag, "--max-steps", "2", "--classes", flag)
        self.assertEqual(self.model_bytes("13"), self.model_bytes("data"))
        content = self.model_bytes("13")
        header = json.loads(content[8:8 + struct.unpack("<Q", content[:8])[0]])
        self.assertEqual(json.loads(header["__metadata__"]["ebb.model"])["classes"], 13)
        self.assertIn("--classes 13", header["__metadata__"]["ebb.command"])
        self.train("judge", "--epochs", "1", "--classes", "13", model="classifier")
        message = self.train("13", "--max-steps", "4", "--classes", "20", "--resume", "auto", code=3)
        self.assertIn("classes is 20, the run has 13", message)
        self.train("time", "--max-steps", "2", model="time")  # knows no classes
        self.assertIn("--classes", self.train("x", "--classes", "13", model="time", code=2))

    def test_a_damaged_checkpoint_is_named_and_the_one_before_it_used(self) -> None:
        flags = ["--max-steps", "20", "--epochs", "20"]
        self.train("whole", *flags)
        self.train("damaged", *flags, "--save-every", "5", "--keep-last", "9")
        directory = self.root / "damaged"
        (directory / "model.safetensors").unlink()
        newest = max(directory.glob("checkpoint-*.safetensors"))
        content = bytearray(newest.read_bytes())
        content[len(content) // 2] ^= 1
        newest.write_bytes(content)
        message = self.train("damaged", *flags, "--resume", "auto")
        self.assertIn(newest.name, message)
        self.assertEqual(self.model_bytes("whole"), self.model_bytes("damaged"))

    def test_another_configuration_or_data_set_is_refused(self) -> None:
        self.train("run", "--max-steps", "3")
        message = self.train("run", "--max-steps", "6", "--lr", "0.5", "--resume", "auto", code=3)
        self.assertIn("lr is 0.5, the run has 0.001", message)
        write_dataset(self.data, count=48)
        message = self.train("run", "--max-steps", "3", "--resume", "auto", code=3)
        self.assertIn("data set", message)

    def test_a_run_can_be_made_longer(self) -> None:
        self.train("long", "--max-steps", "8")
        self.train("short", "--max-steps", "4")
        self.train("short", "--max-steps", "8", "--resume", "auto")
        self.assertEqual(self.losses("long"), self.losses("short"))

    def test_a_run_leaves_log_images_checkpoint_and_model(self) -> None:
        common = {"log.jsonl", "loss.png", "model.safetensors", "samples-epoch-001.png"}
        cases = [("class", ["--timesteps", "4"], set()), ("time", ["--timesteps", "4"], set()),
                 ("denoiser", [], {"samples-epoch-001-sigma.png"}),
                 ("denoiser", ["--input", "noise"], set())]
        for number, (model, flags, extra) in enumerate(cases):
            output = f"run{number}"
            self.train(output, "--epochs", "1", "--sample-every", "1", *flags, model=model)
            files = {p.name for p in (self.root / output).iterdir() if not p.name.startswith(".")}
            self.assertEqual(files, common | extra | {"checkpoint-00000006.safetensors"})
            entry = json.loads((self.root / output / "log.jsonl").read_text().splitlines()[0])
            self.assertLessEqual({"step", "loss", "lr", "grad_norm"}, entry.keys())

    def test_a_run_that_ends_early_shows_its_end(self) -> None:
        self.train("run", "--max-steps", "20", "--epochs", "20", "--timesteps", "4",
                   "--sample-every", "0")
        images = sorted(p.name for p in (self.root / "run").glob("samples-*"))
        self.assertEqual(images, ["samples-epoch-001.png", "samples-step-00000020.png"])

    def test_the_classifier_reports_its_accuracy_on_the_test_images_after_each_epoch(self) -> None:
        flags = ["--epochs", "10", "--lr", "0.01", "--lr-decay", "0.1", "--ema-decay", "0.5",
                 "--max-shift", "0", "--max-rotation", "0", "--seed", "1"]
        message = self.train("whole", *flags, model="classifier")
        entries = [json.loads(line)
                   for line in (self.root / "whole" / "log.jsonl").read_text().splitlines()]
        measured = [e["test_accuracy"] for e in entries if "test_accuracy" in e]
        self.assertEqual([e["step"] for e in entries if "test_accuracy" in e],
                         list(range(6, 61, 6)))
        content = self.model_bytes("whole")
        header = json.loads(content[8:8 + struct.unpack("<Q", content[:8])[0]])
        training = json.loads(header["__metadata__"]["ebb.training"])
        self.assertEqual(training["test_accuracies"], measured)
        self.assertGreater(measured[-1], 0.8)  # the bars of write_dataset are easy to distinguish
        self.assertRegex(message, rf"epoch 10 \| mean loss .* \| accuracy {100 * measured[-1]:.4g} %")
        self.train("halves", *flags, "--max-steps", "9", model="classifier")
        self.train("halves", "--max-steps", "0", "--resume", "auto", "--threads", "2", model="classifier")
        self.assertEqual(self.model_bytes("halves"), content)

    def test_flags_that_do_not_fit_the_model_are_refused(self) -> None:
        for model, flag in [("judge", ["--objective", "ddpm"]), ("judge", ["--preset", "fa24"]),
                            ("judge", ["--sigma", "0.5"]), ("judge", ["--class-dropout", "0.1"]),
                            ("judge", ["--timesteps", "9"]), ("class", ["--max-shift", "1"]),
                            ("time", ["--max-rotation", "1"])]:
            self.assertIn(flag[0], self.train("run", *flag, model=model, code=2))
            self.assertFalse((self.root / "run").exists())

    def test_one_of_several_launched_processes_is_refused_and_leaves_nothing_behind(self) -> None:
        launched = {**os.environ, "OMPI_COMM_WORLD_RANK": "0", "OMPI_COMM_WORLD_SIZE": "3"}
        done = subprocess.run(self.command("ranks"), capture_output=True, text=True,
                              timeout=PATIENCE, check=False, env=launched)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("mpirun: this is one of 3 processes, and training runs in one process",
                      done.stderr)
        self.assertEqual(len(done.stderr.splitlines()), 1)
        self.assertFalse((self.root / "ranks").exists())

    def test_an_existing_run_is_not_overwritten(self) -> None:
        self.train("run", "--max-steps", "2")
        message = self.train("run", "--max-steps", "2", code=2)
        self.assertIn("--resume auto", message)

    def test_missing_data_is_explained_and_leaves_nothing_behind(self) -> None:
        for file in self.data.iterdir():
            file.unlink()
        self.assertIn("scripts/get_mnist", self.train("run", code=4))
        self.assertFalse((self.root / "run").exists())

    def test_two_trainers_cannot_share_a_directory(self) -> None:
        process = self.start_endless("run")
        message = self.train("run", "--resume", "auto", code=2)
        self.assertIn(str(process.pid), message)

    def test_a_full_disk_keeps_the_old_checkpoint(self) -> None:
        self.train("run", "--max-steps", "2")
        directory = self.root / "run"
        before = {p.name for p in directory.glob("checkpoint-*")}
        limited = ["bash", "-c", 'ulimit -f 40; exec "$@"', "bash",
                   *self.command("run", "--max-steps", "4", "--resume", "auto")]
        done = subprocess.run(limited, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 4, done.stderr)
        self.assertEqual({p.name for p in directory.glob("checkpoint-*")}, before)
        self.assertEqual(list(directory.glob(".*.tmp")), [])

    def test_training_that_diverges_stops_with_code_6_and_keeps_the_checkpoint(self) -> None:
        self.train("run", "--max-steps", "2")
        checkpoint = next((self.root / "run").glob("checkpoint-*.safetensors"))
        poison(checkpoint, "out.weight")
        before = checkpoint.read_bytes()
        message = self.train("run", "--max-steps", "40", "--epochs", "20", "--resume", "auto",
                             "--save-every", "1", "--force-resume", code=6)
        self.assertIn("step 12", message)
        self.assertIn("gradient of", message)
        self.assertEqual(checkpoint.read_bytes(), before)


if __name__ == "__main__":
    TRAIN = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=2)
