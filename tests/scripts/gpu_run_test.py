#!/usr/bin/env python3
"""scripts/gpu_run with programs that only pretend: what it reports, and what a cut leaves."""

import json
import os
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "gpu_run"
PROGRAMS = (
    "ebb",
    "bench_kernels",
    "bench_train",
    "bench_unet",
    "test_kernels",
    "simt_conformance",
    "gpu_parity",
)
GPU = "cuda:0  NVIDIA Pretended \"90\", sm_90, 78.2 GiB free of 79.1 GiB"


class GpuRun(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        self.out = self.directory / "out"
        for name in PROGRAMS:
            self.pretend(name, "echo did it")
        self.pretend("ebb", f"echo '{GPU}'")

    def pretend(self, name: str, script: str) -> None:
        program = self.directory / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text("#!/bin/sh\n" + script + "\n")
        program.chmod(0o755)

    def environment(self, seconds: int) -> dict:
        # No Python: a real PyTorch would be looked for.
        return {
            "PATH": os.environ["PATH"],
            "EBB_GPU_BIN": str(self.directory / "bin"),
            "EBB_GPU_SECONDS": str(seconds),
            "EBB_PEER_PYTHON": "false",
        }

    def run_script(self, *arguments: str, seconds: int = 60) -> subprocess.CompletedProcess:
        return subprocess.run(
            ["bash", SCRIPT, *(arguments or (str(self.out),))],
            env=self.environment(seconds),
            capture_output=True,
            text=True,
        )

    def summary(self) -> dict:
        return json.loads((self.out / "summary.json").read_text())

    def steps(self) -> dict:
        return {step["name"]: step for step in self.summary()["steps"]}

    def test_all_steps_pass(self) -> None:
        done = self.run_script()
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        summary = self.summary()
        self.assertTrue(summary["complete"])
        self.assertEqual(summary["failures"], 0)
        self.assertEqual(summary["gpu"], GPU.removeprefix("cuda:0  "))
        steps = self.steps()
        self.assertEqual(steps["conformance-tensor-cores"]["status"], "passed")
        self.assertEqual(steps["table-public"]["status"], "passed")
        self.assertEqual(steps["torch"]["status"], "skipped")
        self.assertEqual((self.out / "parity.log").read_text(), "did it\n")
        # Right before fast: what is cut off is the least worth.
        names = list(steps)
        self.assertLess(names.index("conformance-wgmma"), names.index("kernels"))
        self.assertLess(names.index("parity"), names.index("train-f32"))

    def test_without_a_gpu_it_says_why_and_measures_nothing(self) -> None:
        self.pretend("ebb", "echo 'cuda    not available: no NVIDIA driver'")
        done = self.run_script()
        self.assertEqual(done.returncode, 5)
        self.assertIn("no usable GPU: no NVIDIA driver", done.stderr)
        summary = self.summary()
        self.assertEqual((summary["gpu"], summary["reason"]), (None, "no NVIDIA driver"))
        self.assertEqual(summary["steps"], [])

    def test_a_gpu_that_is_there_but_unusable_counts_as_none(self) -> None:
        self.pretend("ebb", "echo 'cuda:0  not available: built for sm_80; X is sm_61'")
        self.assertEqual(self.run_script().returncode, 5)
        self.assertEqual(self.summary()["reason"], "built for sm_80; X is sm_61")

    def test_a_failure_does_not_end_the_run(self) -> None:
        self.pretend("simt_conformance", 'echo "different: x"; exit 1')
        done = self.run_script()
        self.assertEqual(done.returncode, 1)
        steps = self.steps()
        self.assertEqual(steps["conformance-tma"]["status"], "failed")
        self.assertEqual(steps["conformance-tma"]["exit_code"], 1)
        self.assertEqual(steps["table-unet"]["status"], "passed")
        self.assertIn("different: x", done.stdout)

    def test_a_crash_does_not_end_the_run(self) -> None:
        self.pretend("test_kernels", "echo so far; kill -SEGV $$")
        done = self.run_script()
        self.assertEqual(done.returncode, 1)
        self.assertEqual(self.summary()["failures"], 1)
        self.assertTrue(self.summary()["complete"])
        steps = self.steps()
        self.assertEqual(steps["kernels"]["status"], "crashed with signal 11")
        self.assertEqual(steps["table-unet"]["status"], "passed")
        self.assertIn("so far", (self.out / "kernels.log").read_text())

    def test_a_step_that_hangs_is_ended_with_the_time(self) -> None:
        self.pretend("bench_kernels", "sleep 1000")
        done = self.run_script(seconds=8)
        self.assertEqual(done.returncode, 1)
        steps = self.steps()
        self.assertEqual(steps["convolutions"]["status"], "out of time")
        self.assertEqual(steps["kernels"]["detail"], "no time left")
        self.assertTrue(self.summary()["complete"])

    def test_a_run_that_is_killed_leaves_what_it_had(self) -> None:
        self.pretend("test_kernels", "sleep 1000")
        process = subprocess.Popen(
            ["bash", SCRIPT, str(self.out)],
            env=self.environment(60),
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            time.sleep(0.1)
            if (self.out / "summary.json").exists() and "kernels" in self.steps():
                break
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        self.assertFalse(self.summary()["complete"])
        self.assertEqual(self.steps()["convolutions"]["status"], "passed")
        self.assertEqual(self.steps()["kernels"]["status"], "running")

    def test_wrong_usage(self) -> None:
        for arguments in (("a", "b"), ("--help",)):
            done = self.run_script(*arguments)
            self.assertEqual(done.returncode, 2)
            self.assertTrue(done.stderr.startswith("usage: run OUT"))


if __name__ == "__main__":
    unittest.main()
