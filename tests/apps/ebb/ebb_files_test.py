#!/usr/bin/env python3
"""ebb and files as users have them: what is replaced, how models are stored, odd file systems.

Usage: ebb_files_test.py EBB
"""

import gzip
import json
import os
import shutil
import signal
import stat
import struct
import subprocess
import time
from pathlib import Path

from ebb_case import FAST, EbbTest, main, pixels, program
from image_files import Image, write_png
from model_files import read_safetensors, write_model, write_safetensors

PATIENCE = 300  # seconds

# Fails flock() and the fsync() of directories as some file systems do.
SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
int flock(int fd, int operation) {
  const char *error = getenv("SHIM_FLOCK");
  if (error) return errno = atoi(error), -1;
  return ((int (*)(int, int))dlsym(RTLD_NEXT, "flock"))(fd, operation);
}
int fsync(int fd) {
  const char *error = getenv("SHIM_FSYNC"), *directory = getenv("SHIM_DIRSYNC");
  struct stat status;
  const int is_directory = fstat(fd, &status) == 0 && S_ISDIR(status.st_mode);
  if (directory && is_directory) return errno = atoi(directory), -1;
  if (error && !is_directory) return errno = atoi(error), -1;
  return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(fd);
}
"""


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def idx_images(count: int, rows: int, cols: int) -> bytes:
    return struct.pack(">4I", 0x803, count, rows, cols) + bytes(range(rows)) * cols * count


def idx_labels(values) -> bytes:
    return struct.pack(">2I", 0x801, len(values)) + bytes(values)


FAST_ONE = [*FAST, "--class", "3"]  # one image


class Replaced(EbbTest):
    def test_a_replaced_file_keeps_its_mode_in_every_command_that_replaces(self) -> None:
        commands = [
            ("p.png", ["sample", "--model", "m.safetensors", *FAST_ONE]),
            ("d.png", ["test-image", "tower"]),
            ("c.safetensors", ["convert", "m.safetensors"]),
        ]
        for name, command in commands:
            self.ebb(*command, "-o", name)
            (self.dir / name).chmod(0o600)
            self.ebb(*command, "-o", name, "--force")
            self.assertEqual(mode(self.dir / name), 0o600, name)

    def test_links_are_followed_and_stay(self) -> None:
        (self.dir / "sub").mkdir()
        (self.dir / "link.png").symlink_to("sub/new.png")
        self.sample("--class", "3", "-o", "link.png", rc=4)
        self.sample("--class", "3", "-o", "link.png", "--force")
        self.assertTrue((self.dir / "link.png").is_symlink())
        self.assertTrue((self.dir / "sub" / "new.png").is_file())

    def test_the_longest_name_works_and_a_longer_one_is_refused_before_drawing(self) -> None:
        longest = "a" * 251 + ".png"
        self.sample("--class", "3", "-o", longest)
        self.assertTrue((self.dir / longest).is_file())
        done = self.sample("--class", "3", "-o", "a" + longest, rc=4)
        self.assertIn("File name too long. Use a shorter name.", done.stderr)

    def test_a_file_that_appears_while_it_is_drawn_is_kept(self) -> None:
        command = ["sample", "--model", "m.safetensors", "--steps", "300", "--threads", "1", "-b", "9",
                   "--grid", "-o", "late.png"]  # fmt: skip
        process = subprocess.Popen([program(), *command], cwd=self.dir, stderr=subprocess.PIPE,
                                   stdout=subprocess.DEVNULL, text=True)  # fmt: skip
        self.addCleanup(process.kill)
        time.sleep(0.3)
        late = self.dir / "late.png"
        if late.exists():
            self.skipTest("the drawing was done too soon")
        late.write_text("mine")
        _, message = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 4, message)
        self.assertIn("late.png: the file exists and is kept", message)
        self.assertEqual(late.read_text(), "mine")


class FileSystems(EbbTest):
    def setUp(self) -> None:
        super().setUp()
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None:
            self.skipTest("no C compiler")
        (self.dir / "shim.c").write_text(SHIM)
        shim = self.dir / "shim.so"
        subprocess.run([compiler, "-shared", "-fPIC", "-o", shim, "shim.c", "-ldl"], cwd=self.dir,
                       check=True)  # fmt: skip
        self.shim = {"LD_PRELOAD": str(shim)}
        if b"__asan" in Path(program()).read_bytes():
            self.skipTest("AddressSanitizer wants to be the first library")

    def draw(self, name: str, rc: int = 0, **errors) -> subprocess.CompletedProcess:
        return self.ebb("test-image", "tower", "-o", name, rc=rc,
                        env=self.shim | {k: str(v) for k, v in errors.items()})  # fmt: skip

    def test_locks_and_directory_syncs_that_are_not_there_are_no_errors(self) -> None:
        for error in (22, 37, 38, 95):  # EINVAL, ENOLCK, ENOSYS, ENOTSUP
            done = self.draw(f"s{error}.png", SHIM_DIRSYNC=error)
            self.assertEqual(done.stderr, "")
            self.draw(f"l{error}.png", SHIM_FLOCK=error)

    def test_a_disk_that_fails_is_an_error(self) -> None:
        done = self.draw("d.png", rc=4, SHIM_DIRSYNC=5)
        self.assertIn("its directory cannot be synced", done.stderr)
        done = self.draw("f.png", rc=4, SHIM_FSYNC=95)
        self.assertIn("cannot sync", done.stderr)
        self.assertFalse((self.dir / "f.png").exists())

    def test_without_locks_only_old_temporary_files_are_removed(self) -> None:
        young, old = (self.dir / f".ebb-{i:016x}.tmp" for i in (1, 2))
        for path in (young, old):
            path.write_text("x")
        day = 24 * 60 * 60
        os.utime(old, (time.time() - 2 * day, time.time() - 2 * day))
        self.draw("a.png", SHIM_FLOCK=37)
        self.assertTrue(young.exists())
        self.assertFalse(old.exists())
        self.draw("b.png")
        self.assertFalse(young.exists())


class Signals(EbbTest):
    def test_a_drawing_that_is_stopped_leaves_nothing(self) -> None:
        command = ["sample", "--model", "m.safetensors", "--steps", "300", "--threads", "1", "-b", "64",
                   "--grid", "-o", "s.png"]  # fmt: skip
        for number in (signal.SIGTERM, signal.SIGINT):
            process = subprocess.Popen([program(), *command], cwd=self.dir,
                                       stdout=subprocess.DEVNULL)  # fmt: skip
            time.sleep(0.2)
            process.send_signal(number)
            self.assertEqual(process.wait(timeout=PATIENCE), -number)
            self.assertEqual(self.names(), set())


class Models(EbbTest):
    def draw_with(self, model: str) -> list:
        self.ebb("sample", "--model", model, *FAST_ONE, "-o", "drawn.png", "--force")
        return pixels(self.dir / "drawn.png")

    def test_a_checkpoint_and_a_run_s_directory_are_models(self) -> None:
        expected = self.draw_with("m.safetensors")
        tensors, metadata = read_safetensors(self.dir / "m.safetensors")
        zeros = {name: stored._replace(data=bytes(len(stored.data))) for name, stored in tensors.items()}
        state = dict(zeros)
        for prefix, copy in (("ema.", tensors), ("adam_m.", zeros), ("adam_v.", zeros)):
            state |= {prefix + name: stored for name, stored in copy.items()}
        config = {"objective": json.loads(metadata["ebb.objective"])}
        (self.dir / "run").mkdir()
        write_safetensors(
            self.dir / "run" / "checkpoint-00000007.safetensors", state,
            {"format": "pt", "ebb.kind": "training checkpoint", "ebb.format": "1",
             "ebb.model": metadata["ebb.model"], "ebb.config": json.dumps(config),
             "ebb.dataset": "-", "ebb.progress": '{"step": 7}'},
        )  # fmt: skip
        (self.dir / "run" / "checkpoint-00000003.safetensors").write_text("older")
        self.assertEqual(self.draw_with("run/checkpoint-00000007.safetensors"), expected)
        for name in ("run", "./run", "run/"):
            self.assertEqual(self.draw_with(name), expected)
        self.ebb("convert", "run", "-o", "run/model.safetensors", "--dtype", "f32")
        _, converted = read_safetensors(self.dir / "run" / "model.safetensors")
        self.assertNotIn("ebb.kind", converted)
        self.assertEqual(converted["ebb.note"], "checkpoint of step 7")
        self.assertEqual(self.draw_with("run"), expected)
        (self.dir / "empty").mkdir()
        done = self.ebb("sample", "--model", "empty", *FAST_ONE, "-o", "x.png", rc=4)
        self.assertIn("is a directory without model.safetensors", done.stderr)

    def test_prefixes_of_pytorch_are_taken_off(self) -> None:
        expected = self.draw_with("m.safetensors")
        tensors, metadata = read_safetensors(self.dir / "m.safetensors")
        for prefix in ("module.", "_orig_mod.", "module._orig_mod."):
            renamed = {prefix + name: stored for name, stored in tensors.items()}
            write_safetensors(self.dir / "p.safetensors", renamed, metadata)
            self.assertEqual(self.draw_with("p.safetensors"), expected)

    def test_entries_of_metadata_are_stored_or_refused(self) -> None:
        convert = ["convert", "m.safetensors", "-o", "c.safetensors"]
        for entry, word in [(b"note=\xe9", "UTF-8"), (b"\xe9=x", "UTF-8"), (b"=x", "key=value"),
                            (b"note", "key=value")] + [
                                (key + b"=x", "written by ebb itself")
                                for key in (b"sha256", b"sha256.of", b"format", b"model", b"objective",
                                            b"training")]:  # fmt: skip
            done = subprocess.run([os.fsencode(program()), *convert, "--meta", entry], cwd=self.dir,
                                  capture_output=True, text=True)  # fmt: skip
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn("--meta", done.stderr)
            self.assertIn(word, done.stderr)
        self.assertIn("twice", self.ebb(*convert, "--meta", "a=1", "--meta", "a=2", rc=2).stderr)
        self.ebb(*convert, "--meta", "note=caf\u00e9\x1b[2J")
        _, metadata = read_safetensors(self.dir / "c.safetensors")
        self.assertEqual(metadata["ebb.note"], "caf\u00e9\x1b[2J")
        for flags in ([], ["--json"]):
            self.assertNotIn("\x1b", self.ebb("inspect", "c.safetensors", *flags).stdout)

    def test_names_of_files_never_reach_the_terminal_raw(self) -> None:
        name = "a\x1b[2J\u009b\u202e.safetensors"
        shutil.copy(self.dir / "m.safetensors", self.dir / name)
        for command in (["convert", name, "-o", "o\x1b.safetensors"], ["inspect", name],
                        ["inspect", name, "--json"], ["sample", "--model", name, *FAST_ONE, "-o", "x\x1b.png"]):  # fmt: skip
            done = self.ebb(*command)
            for character in "\x1b\u009b\u202e":
                self.assertNotIn(character, done.stdout + done.stderr)
        for command in (["convert", "no\x1b", "-o", "y"], ["eval", name, "--data", "no\x1b[2J"],
                        ["sample", "--model", "no\x1b/x", "-o", "x"], ["inspect", "no\x1b"]):  # fmt: skip
            done = subprocess.run([program(), *command], cwd=self.dir, capture_output=True, text=True)
            self.assertIn(done.returncode, (2, 3, 4))
            self.assertNotIn("\x1b", done.stdout + done.stderr)

    def test_an_unknown_key_of_the_objective_is_refused(self) -> None:
        write_model(self.dir / "o.safetensors", objective={"type": "flow", "step": 3})
        done = self.ebb("sample", "--model", "o.safetensors", *FAST_ONE, "-o", "x.png", rc=3)
        self.assertIn('key "step" is none of type flow', done.stderr)


class Data(EbbTest):
    def test_idx_files_of_any_size_and_labels_are_listed(self) -> None:
        images, labels = self.dir / "train-images-idx3-ubyte", self.dir / "train-labels-idx1-ubyte"
        images.write_bytes(idx_images(4, 32, 20))
        self.assertIn("4 IDX images of 32 x 20", self.ebb("inspect", images.name).stdout)
        labels.write_bytes(gzip.compress(idx_labels([1, 26, 26, 3])) + bytes(512))
        listed = self.ebb("inspect", images.name, labels.name).stdout
        self.assertIn("label 26: 2", listed)
        self.ebb("forward", "--model", "m.safetensors", "-i", "train-images-idx3-ubyte#1", "-t", "0", "-o", "o.png")

    def test_flags_without_meaning_are_refused(self) -> None:
        write_model(self.dir / "d.safetensors", "mnist_denoiser", {"type": "denoise", "sigma": 0.5})
        write_png(self.dir / "in.png", Image(28, 28, 1, bytes(28 * 28)))
        timed, one_step = ["--model", "m.safetensors"], ["--model", "d.safetensors"]
        for command, flags, named in [
            ("denoise", [*timed, "--one-step", "--sigma", "0.5"], "--sigma"),
            ("denoise", [*timed, "--sigma", "0.5"], "--sigma"),
            ("denoise", [*timed, "-t", "250"], "-t"),
            ("denoise", [*timed, "--one-step", "--steps", "5"], "--steps"),
            ("denoise", [*timed, "--one-step", "--sampler", "ddim"], "--sampler"),
            ("denoise", [*one_step, "-t", "250"], "-t"),
            ("denoise", [*one_step, "--one-step", "-t", "250"], "-t"),
            ("denoise", [*one_step, "--i-start", "3"], "--i-start"),
            ("denoise", [*one_step, "--show-every", "3"], "--show-every"),
            ("forward", [*timed, "--steps", "5"], "--steps"),
            ("forward", [*timed, "--cfg-scale", "2"], "--cfg-scale"),
            ("blur", [*timed, "--eta", "0"], "--eta"),
        ]:
            with self.subTest(command=command, flags=flags):
                done = self.ebb(command, "-i", "in.png", *flags, rc=2)
                self.assertIn(f"error: {named}: has no meaning", done.stderr)
        self.assertEqual(self.names(), {"d.safetensors", "in.png"})

    def test_few_images_are_no_internal_error_and_make_no_nan(self) -> None:
        write_model(self.dir / "classifier.safetensors", "mnist_judge", {"type": "classify"})
        for count in (1, 5):
            data = self.dir / f"d{count}"
            data.mkdir()
            for split in ("train", "t10k"):
                (data / f"{split}-images-idx3-ubyte").write_bytes(idx_images(count, 28, 28))
                (data / f"{split}-labels-idx1-ubyte").write_bytes(idx_labels(range(count)))
            few = ["--samples", 2, "--steps", 2, "--cfg-scales", 1, "--trials", 1, "--threads", 1]
            done = self.ebb("eval", "m.safetensors", "--classifier", "classifier.safetensors", "--data", data.name,
                            *few, "--plot", f"p{count}.png")  # fmt: skip
            self.assertNotIn("nan", done.stdout)
            self.assertEqual("Frechet is left out" in done.stdout, count == 1)
            done = self.ebb("eval", "classifier.safetensors", "--data", data.name, "--threads", 1)
            self.assertNotIn("nan", done.stdout)
            self.assertRegex(done.stdout, r"(?m)^  9 .* -$")


if __name__ == "__main__":
    main()
