#!/usr/bin/env python3
"""Runs bench_unet and bench_train beside a pretended peer: what they ask it, and their tables."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
BIN = Path()
PEERS = ["torch", "onnxruntime", "openvino"]


class Programs(unittest.TestCase):
    def setUp(self) -> None:
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.log = Path(self.directory.name) / "calls"
        self.json = Path(self.directory.name) / "table.json"

    def run_bench(self, program: str, *flags: str, **environment: str):
        return subprocess.run(
            [
                BIN / program,
                *("--device", "cpu", "--threads", "1", "--rounds", "2"),
                *(() if "--steps" in flags else ("--steps", "1")),
                *("--python", f"{sys.executable} {HERE / 'fake_peer.py'}", "--json", self.json),
                *flags,
            ],
            capture_output=True,
            text=True,
            env={
                **os.environ,
                **environment,
                "EBB_FAKE_PEER_LOG": str(self.log),
                "OMP_WAIT_POLICY": "passive",
                "TMPDIR": self.directory.name,
            },
        )

    def table(self, program: str, *flags: str, **environment: str) -> dict:
        done = self.run_bench(program, *flags, **environment)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.markdown = done.stdout
        return json.loads(self.json.read_text())

    def calls(self, start: str) -> list[str]:
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [line for line in lines if line.startswith(start)]

    def rows(self, table: dict, case: str) -> dict[str, dict]:
        return {row["peer"]: row for row in table["rows"] if row["case"].startswith(case)}

    def test_all_peers_have_a_row_of_each_case(self) -> None:
        table = self.table("bench_unet", "--peer", "all", "--ebb", "true")
        for case in ("guided step, 10 ", "guided step, 1 "):
            rows = self.rows(table, case)
            self.assertEqual(list(rows), PEERS)
            self.assertEqual({"7", "5", "4"}, {f"{row['peer_ms']:.0f}" for row in rows.values()})
            self.assertEqual(len({row["ours_ms"] for row in rows.values()}), 1)
            self.assertEqual(rows["openvino"]["peer_variant"], "--guidance two-calls")
            self.assertEqual(rows["onnxruntime"]["target"], "ratio > 1")
            for row in rows.values():
                self.assertAlmostEqual(row["ratio"], row["peer_ms"] / row["ours_ms"])
        cold = self.rows(table, "cold start")
        self.assertEqual(list(cold), PEERS)
        self.assertEqual(cold["torch"]["target"], "ratio >= 5")
        for peer in PEERS:
            self.assertIn(f"{peer} 9.9", table["header"]["peer"])
            self.assertIn(f"| {peer} |", self.markdown)
        self.assertEqual(list(Path(self.directory.name).glob("ebb-bench*")), [])

    def test_the_first_round_tries_all_variants_and_the_next_the_best(self) -> None:
        self.table("bench_unet", "--peer", "openvino,torch", "--ebb", "true")
        self.assertEqual(len(self.calls("baseline_onnx.py export ")), 1)
        asked = self.calls("baseline_onnx.py sample --engine openvino")
        self.assertEqual(len(asked), 2 * (4 + 1))
        self.assertTrue(asked[4].endswith("--threads 1 --steps 1 --guidance two-calls"), asked[4])
        self.assertEqual(len(self.calls("baseline_mnist.py sample ")), 2 * (5 + 1))
        self.assertEqual(len(self.calls("baseline_mnist.py draw ")), 2 + 1)
        order = [line.split()[0] for line in self.calls("baseline_") if " sample " in line][:9]
        self.assertEqual(order, ["baseline_onnx.py"] * 4 + ["baseline_mnist.py"] * 5)

    def test_torch_alone_exports_nothing(self) -> None:
        table = self.table("bench_unet", "--peer", "torch", "--ebb", "true")
        self.assertEqual(self.calls("baseline_onnx.py"), [])
        self.assertEqual(len(table["rows"]), 3)

    def test_no_peer_is_asked_for_nothing(self) -> None:
        table = self.table("bench_unet", "--ebb", "true")
        self.assertFalse(self.log.exists())
        self.assertEqual(len(table["rows"]), 3)
        self.assertNotIn("ratio", table["rows"][0])

    def test_wrong_peers_are_refused(self) -> None:
        for program, peers, part in [
            ("bench_unet", "tensorflow", "'tensorflow' is no peer here"),
            ("bench_unet", "torch,torch", "names torch twice"),
            ("bench_unet", "torch,", "'' is no peer here"),
            ("bench_train", "openvino", "Use none or torch"),
            ("bench_train", "all", "Use none or torch"),
        ]:
            with self.subTest(peers=peers):
                done = self.run_bench(program, "--peer", peers)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertIn(f"--peer {peers}: ", done.stderr)
                self.assertIn(part, done.stderr)

    def test_a_peer_that_fails_ends_the_run(self) -> None:
        done = self.run_bench(
            "bench_unet", "--peer", "onnxruntime", "--ebb", "true", EBB_FAKE_PEER_FAILS="export"
        )
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("the pretended failure", done.stderr)
        self.assertIn("--peer onnxruntime: '", done.stderr)

    def test_whole_processes_are_compared_by_their_difference(self) -> None:
        flags = ("--hidden", "4", "--batch-size", "8", "--peer", "torch", "--whole-process")
        table = self.table("bench_train", *flags, "--steps", "4", EBB_FAKE_PEER_SLEEP="0.05")
        calls = self.calls("baseline_mnist.py train ")
        steps = [call.split("--steps ")[1] for call in calls]
        # Four variants in the first round, two processes each.
        self.assertEqual([text.split()[0] for text in steps], ["2", "6"] * (4 + 1))
        row = table["rows"][0]
        # A step sleeps for 50 ms, whatever a process costs to start.
        self.assertGreater(row["peer_ms"], 25)
        self.assertLess(row["peer CPU ms"], 25)
        self.assertEqual(row["target"], "ratio >= 2.4")
        self.assertIn("nice", table["header"])
        self.assertEqual(table["header"]["steps"], "2 and 6")
        self.assertGreater(row["ours ms inside"], 0)

    def test_only_steps_trains_and_prints_a_line(self) -> None:
        flags = ("--hidden", "4", "--batch-size", "8", "--only-steps", "3")
        done = self.run_bench("bench_train", *flags)
        self.assertEqual(done.returncode, 0, done.stderr)
        line = json.loads(done.stdout)
        self.assertEqual(line["steps"], 3)
        self.assertLessEqual(line["min_step_seconds"], line["median_step_seconds"])


def main() -> None:
    global BIN
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", type=Path, required=True)
    arguments, rest = parser.parse_known_args()
    BIN = arguments.bin.resolve()
    unittest.main(argv=[sys.argv[0], *rest])


if __name__ == "__main__":
    main()
