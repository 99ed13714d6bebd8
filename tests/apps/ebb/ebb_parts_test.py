#!/usr/bin/env python3
"""ebb sample on several processes: shares, files of all images, failures, and ebb eval of what was drawn.

Usage: ebb_parts_test.py EBB
"""

import json
import os
import shutil
import signal
import struct
import subprocess
import time
import zipfile
from pathlib import Path

from ebb_case import FAST, EbbTest, main, program
from ebb_eval_test import write_mnist
from model_files import write_model

# As root, on fewer cores than processes.
MPI = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMPI_MCA_rmaps_base_oversubscribe": "1",
    "OMPI_MCA_hwloc_base_binding_policy": "none",
    "OMP_WAIT_POLICY": "passive",
}


def array(content: bytes) -> tuple:
    """(type, shape, elements) of a .npy file of version 1."""
    assert content[:8] == b"\x93NUMPY\x01\x00", content[:8]
    (length,) = struct.unpack("<H", content[8:10])
    assert (10 + length) % 64 == 0
    header = eval(content[10 : 10 + length].decode())  # a literal that ebb wrote
    assert header["fortran_order"] is False
    return header["descr"], header["shape"], content[10 + length :]


def arrays(path: Path) -> dict:
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return {name: array(archive.read(name)) for name in archive.namelist()}


def tensors(path: Path) -> dict:
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    header.pop("__metadata__")
    data = content[8 + length :]
    return {name: (t["dtype"], t["shape"], data[slice(*t["data_offsets"])]) for name, t in header.items()}


class Parts(EbbTest):
    def part(self, part: str, *arguments, rc: int = 0) -> subprocess.CompletedProcess:
        return self.sample("--class", "all", *arguments, *(["--part", part] if part else []), rc=rc)

    def launched(self, rank: int, ranks: int, *arguments, rc: int = 0):
        command = ["sample", "--model", "m.safetensors", *FAST, "--class", "all", *arguments]
        return self.ebb(*command, rc=rc, env={"RANK": str(rank), "WORLD_SIZE": str(ranks)})

    def read(self, name: str) -> bytes:
        return (self.dir / name).read_bytes()

    def leftovers(self) -> list:
        return sorted(name for name in self.names() if ".block-" in name or ".joining" in name)

    def test_one_file_of_all_images_has_the_bytes_of_any_number_of_processes(self) -> None:
        for name in ("s.npz", "s.safetensors"):
            self.part("", "-b", 50, "-o", "one-" + name)
            for parts in (2, 3, 9):  # the last two of 9 have no block
                for part in reversed(range(parts)):
                    self.assertNotIn(name, self.names())
                    self.part(f"{part}/{parts}", "-b", 50, "-o", name)
                    if parts == 9 and part == 7:
                        self.assertEqual(self.leftovers(), [])
                self.assertEqual(self.read(name), self.read("one-" + name))
                self.assertEqual(self.leftovers(), [])
                (self.dir / name).unlink()

    def test_a_launchers_variables_say_the_part(self) -> None:
        self.part("", "-b", 20, "-o", "one.npz")
        for rank in range(3):
            self.launched(rank, 3, "-b", 20, "-o", "s.npz")
        self.assertEqual(self.read("s.npz"), self.read("one.npz"))
        self.launched(1, 3, "-b", 20, "-o", "all.npz", "--launcher", "none")
        self.assertEqual(self.read("all.npz"), self.read("one.npz"))
        self.launched(1, 3, "-b", 20, "-o", "p.npz", "--part", "0/1")
        self.assertEqual(self.read("p.npz"), self.read("one.npz"))
        message = self.launched(3, 3, "-b", 20, "-o", "x.npz", rc=2).stderr
        self.assertIn("RANK 3, WORLD_SIZE 3", message)

    def test_images_in_files_of_their_own_are_those_of_one_process(self) -> None:
        for name in ("one", "two"):
            (self.dir / name).mkdir()
        self.part("", "-b", 20, "-o", "one/%02d.png")
        for part in (1, 0):
            self.part(f"{part}/2", "-b", 20, "-o", "two/%02d.png")
        files = sorted(os.listdir(self.dir / "one"))
        self.assertEqual(len(files), 20)
        self.assertEqual(files, sorted(os.listdir(self.dir / "two")))
        for file in files:
            self.assertEqual(self.read(f"one/{file}"), self.read(f"two/{file}"), file)
        for lost in ("03", "04", "17"):
            (self.dir / f"two/{lost}.png").unlink()
        kept = (self.dir / "two/02.png").stat().st_mtime_ns
        self.part("1/2", "-b", 20, "-o", "two/%02d.png", rc=4)
        done = self.part("", "-b", 20, "-o", "two/%02d.png", "--missing")
        self.assertIn("3 images in", done.stdout)
        self.assertEqual((self.dir / "two/02.png").stat().st_mtime_ns, kept)
        for file in files:
            self.assertEqual(self.read(f"one/{file}"), self.read(f"two/{file}"), file)
        self.ebb("rerun", "two/17.png", "-o", "again.png")
        self.assertEqual(self.read("again.png"), self.read("one/17.png"))

    def test_what_the_files_hold_is_what_the_images_show(self) -> None:
        self.part("", "-b", 11, "-o", "s.npz")
        self.part("", "-b", 11, "-o", "gray.npz", "--gray")
        self.part("", "-b", 11, "-o", "s.safetensors")
        found, gray, stored = arrays(self.dir / "s.npz"), arrays(self.dir / "gray.npz"), tensors(
            self.dir / "s.safetensors")
        self.assertEqual(list(found), ["arr_0.npy", "arr_1.npy"])
        self.assertEqual(found["arr_0.npy"][:2], ("|u1", (11, 28, 28, 3)))
        self.assertEqual(gray["arr_0.npy"][:2], ("|u1", (11, 28, 28, 1)))
        self.assertEqual(stored["images"][:2], ("U8", [11, 28, 28, 1]))
        self.assertEqual(found["arr_1.npy"][:2], ("<i8", (11,)))
        labels = struct.pack("<11q", *(k % 10 for k in range(11)))
        self.assertEqual([found["arr_1.npy"][2], stored["labels"][2]], [labels, labels])
        pixels = stored["images"][2]
        self.assertEqual(gray["arr_0.npy"][2], pixels)
        for channel in range(3):
            self.assertEqual(found["arr_0.npy"][2][channel::3], pixels)
        self.assertGreater(len(set(pixels)), 20)
        # Image 5 has seed 42 + 5.
        self.sample("--class", "5", "--seed", 47, "-o", "five.safetensors")
        self.assertEqual(tensors(self.dir / "five.safetensors")["images"][2],
                         pixels[5 * 784 : 6 * 784])
        self.sample("--class", "none", "-b", 2, "-o", "none.npz")
        self.assertEqual(list(arrays(self.dir / "none.npz")), ["arr_0.npy"])

    def test_missing_goes_on_where_others_failed(self) -> None:
        self.part("", "-b", 40, "-o", "one.npz")
        self.part("0/3", "-b", 40, "-o", "s.npz")
        self.part("2/3", "-b", 40, "-o", "s.npz")
        self.assertEqual(len(self.leftovers()), 3)
        message = self.part("0/3", "-b", 40, "-o", "s.npz", rc=4).stderr
        self.assertIn("s.npz.block-000000: the file exists and is kept. Use --missing", message)
        (self.dir / "s.npz.joining").touch()  # left by a killed process
        self.assertIn("8 of 40 images", self.part("0/2", "-b", 40, "-o", "s.npz", "--missing").stdout)
        self.assertNotIn("s.npz", self.names())
        self.assertIn("8 of 40 images", self.part("1/2", "-b", 40, "-o", "s.npz", "--missing").stdout)
        self.assertEqual(self.read("s.npz"), self.read("one.npz"))
        self.assertEqual(self.leftovers(), [])
        done = self.part("1/2", "-b", 40, "-o", "s.npz", "--missing")
        self.assertIn("is there already", done.stdout)
        self.part("", "-b", 40, "-o", "s.npz", rc=4)
        self.part("", "-b", 40, "-o", "s.npz", "--force")
        self.assertEqual(self.read("s.npz"), self.read("one.npz"))

    def test_processes_that_finish_together_join_once(self) -> None:
        self.part("", "-b", 32, "-o", "one.npz")
        command = [program(), "sample", "--model", "m.safetensors", *FAST, "--class", "all", "-b", "32"]
        env = {**os.environ, "EBB_PROGRESS": "none"}
        for run in range(5):
            name = f"s{run}.npz"
            started = [subprocess.Popen([*command, "-o", name, "--part", f"{k}/4"], cwd=self.dir, env=env,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                       for k in range(4)]
            texts = [process.communicate() for process in started]
            self.assertEqual([process.returncode for process in started], [0] * 4, texts)
            self.assertEqual(sum(f"{name}  32 images" in out for out, _ in texts), 1, texts)
            self.assertEqual(self.read(name), self.read("one.npz"))
            self.assertEqual(self.leftovers(), [])

    def test_blocks_of_another_command_are_not_mixed_in(self) -> None:
        self.part("0/2", "-b", 20, "-o", "s.npz")
        for other in (["-b", 20, "--seed", 1], ["-b", 20, "--cfg-scale", 3], ["-b", 21]):
            message = self.part("0/1", "-o", "s.npz", "--missing", *other, rc=3).stderr
            self.assertIn("s.npz.block-000000: holds images of another command", message)
        self.part("1/2", "-b", 20, "-o", "s.npz", "--seed", 1)
        self.assertNotIn("s.npz", self.names())  # half of each is no set
        self.part("", "-b", 20, "-o", "s.npz", "--seed", 1, "--force")
        self.part("", "-b", 20, "-o", "s.npz", "--missing", rc=4)

    def test_flags_that_mean_nothing_end_with_2(self) -> None:
        for flags in (
            ["--part", "2/2"], ["--part", "-1/2"], ["--part", "1"], ["--part", "1/2/3"],
            ["--part", "a/2"], ["--part", "0/0"], ["--part", ""], ["--part", "0/2", "--grid"],
            ["--part", "0/2", "--gif"], ["--part", "0/2", "--seed", "-1"],
            ["--missing", "--grid"], ["--missing", "--force"], ["--gray"],
            ["--part", "0/1", "--launcher", "none"],
            ["-o", "s.npz", "--grid"], ["-o", "s.npz", "--scale", "2"],
        ):
            self.sample("-b", 4, *flags, rc=2)
        self.assertEqual(self.names(), set())

    def test_eval_reads_stored_samples(self) -> None:
        write_mnist(self.dir / "mnist")
        write_model(self.dir / "classifier.safetensors", "mnist_judge", {"type": "classify"})
        place = ["--data", "mnist", "--classifier", "classifier.safetensors", "--threads", 1]
        for name in ("s.npz", "gray.npz", "s.safetensors"):
            self.part("", "-b", 30, "-o", name, *(["--gray"] if name == "gray.npz" else []))
        found = [json.loads(self.ebb("eval", name, *place, "--json").stdout)
                 for name in ("s.npz", "gray.npz", "s.safetensors")]
        self.assertEqual(found[0]["samples"], found[1]["samples"])
        self.assertEqual(found[0]["samples"], found[2]["samples"])
        (self.dir / "pngs").mkdir()
        self.part("", "-b", 30, "-o", "pngs/%02d.png")
        listed = json.loads(self.ebb("eval", "pngs", *place, "--json").stdout)
        self.assertEqual([listed["samples"], listed["images_sha256"]],
                         [found[0]["samples"], found[0]["images_sha256"]])
        row = found[0]["samples"][2]
        self.assertEqual(row["images"], "the file")
        self.assertEqual(sum(found[0]["digits"][2][f"digit_{k}"] for k in range(10)), 30)
        # The same images, drawn by ebb eval itself.
        self.part("", "-b", 20, "--sampler", "ddim", "--seed", 0, "--cfg-scale", 2, "-o", "t.npz")
        drawn = json.loads(self.ebb("eval", "m.safetensors", *place, "--json", "--samples", 20, "--steps", 3,
                                    "--sampler", "ddim", "--cfg-scales", 2, "--images", 1, "--trials", 1).stdout)
        stored = json.loads(self.ebb("eval", "t.npz", *place, "--json").stdout)
        self.assertEqual(drawn["digits"][2]["digit_3"], stored["digits"][2]["digit_3"])
        self.assertEqual(drawn["samples"][2]["accuracy"], stored["samples"][2]["accuracy"])
        self.assertIn("--steps", self.ebb("eval", "s.npz", *place, "--steps", 3, rc=2).stderr)
        content = bytearray(self.read("s.npz"))
        content[1000] ^= 1
        (self.dir / "bad.npz").write_bytes(content)
        self.assertIn("CRC-32", self.ebb("eval", "bad.npz", *place, rc=3).stderr)
        with zipfile.ZipFile(self.dir / "other.npz", "w") as archive:
            archive.writestr("arr_0.npy", b"no array")
        self.assertIn("is no array", self.ebb("eval", "other.npz", *place, rc=3).stderr)

    def test_a_process_that_is_killed_under_mpirun_costs_its_blocks_alone(self) -> None:
        if shutil.which("mpirun") is None:
            self.skipTest("no mpirun")
        flags = ["sample", "--model", "m.safetensors", "--threads", "1", "--class", "all", "--steps", "40",
                 "-b", "100"]
        self.ebb(*flags, "-o", "one.npz")
        command = [program(), *flags, "-o", "s.npz"]
        env = {**os.environ, **MPI, "EBB_PROGRESS": "none"}

        def run(processes: int, *more) -> subprocess.Popen:
            return subprocess.Popen(["mpirun", "-n", str(processes), *command, *more], cwd=self.dir,
                                    env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

        first = run(3)
        deadline = time.monotonic() + 120
        while not self.leftovers() and first.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        children = Path(f"/proc/{first.pid}/task/{first.pid}/children").read_text().split()
        ours = [int(pid) for pid in children if os.path.samefile(f"/proc/{pid}/exe", program())]
        self.assertEqual(len(ours), 3)
        os.kill(ours[1], signal.SIGKILL)
        first.communicate(timeout=120)
        self.assertNotEqual(first.returncode, 0)
        self.assertNotIn("s.npz", self.names())
        kept = {name: (self.dir / name).stat().st_mtime_ns for name in self.leftovers()}
        self.assertTrue(0 < len(kept) < 13, kept)
        second = run(2, "--missing")
        output = second.communicate(timeout=120)[0].decode()
        self.assertEqual(second.returncode, 0, output)
        drawn = sum(int(line.split()[4]) for line in output.splitlines() if line.startswith("part "))
        self.assertLess(drawn, 100)
        self.assertEqual(self.read("s.npz"), self.read("one.npz"))
        self.assertEqual(self.leftovers(), [])


if __name__ == "__main__":
    main()
