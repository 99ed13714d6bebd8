#!/usr/bin/env python3
"""What a run says of itself and how it goes on: settings from the checkpoint, validation, divergence.

Usage: train_resume_test.py TRAIN_MNIST   (the program under test)
"""

import json
import os
import shlex
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

from train_mnist_test import PATIENCE, write_dataset

TRAIN = ""
SMALL = ["--hidden", "4", "--batch-size", "16", "--device", "cpu", "--threads", "1"]


def tensors_of(path: Path) -> tuple[dict, bytes]:
    """The header without its metadata, and the data."""
    content = path.read_bytes()
    end = 8 + struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8:end])
    header.pop("__metadata__")
    return header, content[end:]


def metadata_of(path: Path) -> dict:
    content = path.read_bytes()
    return json.loads(content[8:8 + struct.unpack("<Q", content[:8])[0]])["__metadata__"]


class Resume(unittest.TestCase):
    def setUp(self) -> None:
        temp = tempfile.TemporaryDirectory()
        self.addCleanup(temp.cleanup)
        self.root = Path(temp.name)
        write_dataset(self.root / "mnist")

    def train(self, *flags: str, code: int = 0, cwd: Path = None) -> str:
        done = subprocess.run([TRAIN, *flags], capture_output=True, text=True, timeout=PATIENCE, check=False,
                              cwd=cwd or self.root)  # fmt: skip
        self.assertEqual(done.returncode, code, done.stderr)
        return done.stderr

    def start(self, output: str, *flags: str, model: str = "class", code: int = 0) -> str:
        return self.train("--model", model, "--data", "mnist", *SMALL, "-o", output, *flags, code=code)

    def log(self, output: str) -> list[dict]:
        return [json.loads(line) for line in (self.root / output / "log.jsonl").read_text().splitlines()]

    def same_losses(self, a: str, b: str) -> None:
        self.assertEqual([entry["loss"] for entry in self.log(a)], [entry["loss"] for entry in self.log(b)])

    def test_a_run_goes_on_with_its_own_settings_from_any_directory(self) -> None:
        flags = ["--preset", "sp25", "--lr", "0.003", "--ema-decay", "0.9", "--seed", "7", "--max-steps", "9",
                 "--sample-every", "100000"]  # fmt: skip
        self.start("whole", *flags)
        self.start("parts", *flags[:-4], "--sample-every", "100000", "--max-steps", "4")
        elsewhere = self.root / "elsewhere"
        elsewhere.mkdir()
        self.train("--resume", "auto", "-o", "../parts", "--max-steps", "9", "--threads", "1", cwd=elsewhere)
        self.same_losses("whole", "parts")
        whole, parts = (self.root / run / "model.safetensors" for run in ("whole", "parts"))
        self.assertEqual(whole.read_bytes(), parts.read_bytes())
        self.assertIn("--preset sp25 ", metadata_of(whole)["ebb.command"])

    def test_a_run_keeps_the_end_that_it_was_given(self) -> None:
        self.start("run", "--max-steps", "3", "--sample-every", "100000")
        message = self.train("--resume", "auto", "-o", "run")
        self.assertIn("complete: all 3 steps are done", message)
        self.assertEqual(len(self.log("run")), 3)
        self.train("--resume", "auto", "-o", "run", "--epochs", "20", "--max-steps", "5")
        self.assertEqual(len(self.log("run")), 5)

    def test_a_flag_that_contradicts_the_run_is_refused_in_one_line(self) -> None:
        self.start("run", "--max-steps", "2", "--sample-every", "100000")
        resume = ["--resume", "auto", "-o", "run", "--max-steps", "4"]
        for flags, said, code in [(["--hidden", "8"], "hidden is 8, the run has 4", 3),
                                  (["--seed", "1"], "seed is 1, the run has 0", 3),
                                  (["--model", "time"], 'model is "time", the run has "class"', 3),
                                  (["--preset", "fa25"], "--preset fa25", 2),
                                  (["--objective", "flow"], "objective is", 3)]:
            lines = [line for line in self.train(*resume, *flags, code=code).splitlines() if "error" in line]
            self.assertEqual(len(lines), 1, lines)
            self.assertIn(said, lines[0])
        self.assertEqual(len(self.log("run")), 2)
        self.train(*resume, "--preset", "fa24", "--hidden", "4", "--seed", "0")  # the same again
        self.assertEqual(len(self.log("run")), 4)
        self.train(*resume[:-1], "6", "--lr", "0.5", "--force-resume")
        self.assertEqual(self.log("run")[-1]["lr"], 0.5)

    def test_micro_batches_belong_to_the_run(self) -> None:
        """Parts of 6, 6 and 4 images."""
        flags = ["--sample-every", "100000", "--ema-decay", "0.9", "--max-steps"]
        self.start("size", "--micro-batch-size", "6", *flags, "7")
        self.start("count", "--grad-accumulation", "3", *flags, "7")
        self.start("parts", "--micro-batch-size", "6", *flags, "4")
        self.train("--resume", "auto", "-o", "parts", "--max-steps", "7", "--threads", "2")
        size = (self.root / "size/model.safetensors").read_bytes()
        for run in ("count", "parts"):
            self.assertEqual((self.root / run / "model.safetensors").read_bytes(), size, run)
            self.same_losses("size", run)
        command = metadata_of(self.root / "size/model.safetensors")["ebb.command"]
        self.assertIn("--batch-size 16 --micro-batch-size 6 ", command)
        message = self.train("--resume", "auto", "-o", "parts", "--micro-batch-size", "12", "--max-steps", "9", code=3)
        self.assertIn("micro_batch_size is 12, the run has 6", message)
        message = self.train("--resume", "auto", "-o", "parts", "--grad-accumulation", "1", "--max-steps", "9", code=3)
        self.assertIn("micro_batch_size is 16, the run has 6", message)

    def test_a_micro_batch_that_is_the_whole_batch_changes_no_byte(self) -> None:
        flags = ["--max-steps", "4", "--sample-every", "100000"]
        self.start("usual", *flags)
        self.start("whole", *flags, "--micro-batch-size", "16")
        self.start("one", *flags, "--grad-accumulation", "1")
        self.start("halves", *flags, "--grad-accumulation", "2")
        usual, whole, one, halves = ((self.root / run / "model.safetensors").read_bytes()
                                     for run in ("usual", "whole", "one", "halves"))  # fmt: skip
        self.assertEqual(usual, whole)
        self.assertEqual(usual, one)
        self.assertNotEqual(usual, halves)
        # BatchNorm's statistics are those of each half, and otherwise the step is the same.
        for entry, other in zip(self.log("usual"), self.log("halves"), strict=True):
            self.assertAlmostEqual(entry["loss"], other["loss"], delta=0.1 * entry["loss"])
        message = self.train("--resume", "auto", "-o", "usual", "--micro-batch-size", "4", "--max-steps", "6", code=3)
        self.assertIn("micro_batch_size is 4, the run has 16", message)

    def test_micro_batches_larger_than_the_batch_are_refused(self) -> None:
        message = self.start("none", "--micro-batch-size", "17", code=2)
        self.assertIn("--micro-batch-size 17: larger than the batch of 16. Use 16 or less", message)
        message = self.start("none", "--grad-accumulation", "17", code=2)
        self.assertIn("--grad-accumulation 17: a batch has 16 images. Use 16 or less", message)
        message = self.start("none", "--grad-accumulation", "2", "--micro-batch-size", "8", code=2)
        self.assertIn("--micro-batch-size", message)

    def test_nothing_to_resume_needs_a_model(self) -> None:
        for flags in ([], ["--resume", "auto"]):
            self.assertIn("--model is required", self.train("-o", "new", *flags, code=2))
        self.assertFalse((self.root / "new").exists())

    def test_a_stop_is_no_error_and_names_the_command_that_goes_on(self) -> None:
        output = "a 'run'"
        process = subprocess.Popen(
            [TRAIN, "--model", "class", "--data", "mnist", *SMALL, "-o", output, "--max-steps", "100000",
             "--epochs", "100000", "--save-every", "1", "--sample-every", "100000"],
            cwd=self.root, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)  # fmt: skip
        self.addCleanup(process.kill)
        deadline = time.monotonic() + PATIENCE
        while not list((self.root / output).glob("checkpoint-*")):
            self.assertIsNone(process.poll())
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)
        _, message = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 130, message)
        last = message.splitlines()[-1]
        self.assertRegex(last, r"\Astopped after step \d+ of 100000, which is saved\. Continue with: ")
        self.assertNotIn("error", message)
        steps = len(self.log(output))
        command = shlex.split(last.split("Continue with: ")[1]) if "$'" not in last else None
        if command is None:  # shlex does not know $'...'
            command = [TRAIN, "--resume", "auto", "-o", output]
        self.assertEqual(command, [TRAIN, "--resume", "auto", "-o", output])
        self.train(*command[1:], "--max-steps", str(steps + 2))
        self.assertEqual(len(self.log(output)), steps + 2)

    def test_validation_is_logged_after_each_epoch_and_changes_no_bit_of_the_training(self) -> None:
        flags = ["--max-steps", "20", "--epochs", "20", "--sample-every", "100000"]
        for model in ("denoiser", "time", "class"):
            with_it, without = f"{model}-with", f"{model}-without"
            self.start(with_it, *flags, "--json", model=model)
            message = self.start(without, *flags, "--validation-images", "0", model=model)
            self.assertIn("no validation", message)
            losses = {entry["step"]: entry["validation_loss"] for entry in self.log(with_it)
                      if "validation_loss" in entry}  # fmt: skip
            self.assertEqual(list(losses), [6, 12, 18, 20])
            self.assertNotIn("validation_loss", self.log(without)[5])
            models = [self.root / run / "model.safetensors" for run in (with_it, without)]
            self.assertEqual(tensors_of(models[0]), tensors_of(models[1]))
            self.same_losses(with_it, without)
            training = json.loads(metadata_of(models[0])["ebb.training"])
            self.assertEqual(training["validation_losses"], [losses[6], losses[12], losses[18]])
            self.assertEqual(training["steps_per_epoch"], 6)

    def test_without_test_images_there_is_no_validation(self) -> None:
        for file in (self.root / "mnist").glob("t10k-*"):
            file.unlink()
        message = self.start("run", "--max-steps", "6", "--sample-every", "100000")
        self.assertIn("no validation", message)

    def test_a_resumed_run_validates_the_same(self) -> None:
        flags = ["--epochs", "3", "--sample-every", "100000"]
        self.start("whole", *flags)
        self.start("parts", *flags, "--max-steps", "8")
        self.train("--resume", "auto", "-o", "parts", "--max-steps", "0", "--threads", "1")
        for run in ("whole", "parts"):
            epochs = [entry["validation_loss"] for entry in self.log(run) if entry["step"] % 6 == 0]
            self.assertEqual(len(set(epochs)), 3)
        self.assertEqual((self.root / "whole" / "model.safetensors").read_bytes(),
                         (self.root / "parts" / "model.safetensors").read_bytes())

    def test_a_classifier_reads_samples(self) -> None:
        self.start("judge", "--epochs", "1", model="classifier")
        message = self.start("run", "--epochs", "2", "--sample-every", "100000", "--classifier",
                             "judge/model.safetensors")
        self.assertRegex(message, r"epoch 2 \| .* \| read as asked [\d.]+ %")
        read = [entry["read_as_asked"] for entry in self.log("run") if "read_as_asked" in entry]
        self.assertEqual(len(read), 2)
        self.assertIn("--classifier", self.start("no", "--classifier", "judge", model="time", code=2))
        self.assertIn("expected a classifier", self.start("no", "--classifier", "run", code=3))

    def test_a_loss_that_explodes_ends_the_run_and_keeps_the_checkpoint_before(self) -> None:
        flags = ["--max-steps", "400", "--epochs", "100", "--sample-every", "100000", "--save-every", "5"]
        message = self.start("run", *flags, "--lr", "10", code=6)
        errors = [line for line in message.splitlines() if line.startswith("error: ")]
        self.assertEqual(len(errors), 1, message)
        self.assertRegex(errors[0], r"step \d+: the loss is [\d.e+]+ on average .*in the beginning it was .*--lr")
        self.assertFalse((self.root / "run" / "model.safetensors").exists())
        # A sound run that is then ruined keeps its last sound state.
        self.start("two", *flags[:1], "20", *flags[2:])
        before = {path.name for path in (self.root / "two").glob("checkpoint-*")}
        self.train("--resume", "auto", "-o", "two", "--max-steps", "400", "--lr", "10", "--force-resume", code=6)
        after = {path.name for path in (self.root / "two").glob("checkpoint-*")}
        self.assertEqual(max(before) in after or min(after) > max(before), True)
        newest = max(after)
        steps = int(newest.split("-")[1].split(".")[0])
        losses = [entry["loss"] for entry in self.log("two")]
        self.assertLess(sum(losses[max(0, steps - 10):steps]) / min(10, steps), 2.5 * max(losses[0], 1))

    def test_what_is_said_at_the_start_and_at_the_end(self) -> None:
        message = self.start("run", "--preset", "quick", "--epochs", "2")
        for said in ("UNet conditioned on time and class, D = 4, ", "preset quick, flow matching, batches of 16",
                     "mnist: 96 images, validation on 64 test images", "cpu, 1 thread, f32",
                     "run: a checkpoint every 100 steps, samples after epoch 2", "12 steps, 6 an epoch, 2 epochs",
                     "samples of epoch 2: run/samples-epoch-002.png", "next: "):  # fmt: skip
            self.assertIn(said, message)
        command = message.splitlines()[-1]
        self.assertTrue(command.endswith("ebb sample --model run --class all --grid -o digits.png"), command)


if __name__ == "__main__":
    TRAIN = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=2)
