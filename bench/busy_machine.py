#!/usr/bin/env python3
"""Times guided sampling steps of one digit alone and beside busy loops, for one or more builds of ebb.

  bench/busy_machine.py --ebb build-test/bin/ebb [--ebb OTHER/ebb]...

A figure is the wall time of 60 steps less that of 10, process start to end, so that loading the model
does not count. All cases of a round follow each other closely, and builds take turns, because other
work on the machine comes and goes: compare within a run. Ends with 1 when a median beside the loops
is more than --limit times the median alone.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FEW, MANY = 10, 60
MODEL = Path(__file__).resolve().parent.parent / "weights/pretrained/mnist-class.safetensors"


class BusyLoops:
    """Processes that compute for as long as the object is entered."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> None:
        loop = [sys.executable, "-S", "-c", "while True: pass"]
        self.processes = [subprocess.Popen(loop) for _ in range(self.count)]
        if self.count:
            time.sleep(0.3)  # until Python has started

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            process.kill()
            process.wait()


def run_seconds(ebb: Path, steps: int, threads: int, directory: str) -> tuple[float, float]:
    """Wall and CPU seconds of drawing one digit."""
    command = [
        ebb, "sample", "--model", MODEL, "--class", "3", "-b", "1", "--sampler", "ddim",
        "--steps", str(steps), "--threads", str(threads), "--device", "cpu", "--force",
        "-o", os.path.join(directory, "digit.png"),
    ]  # fmt: skip
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    message = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"error: {ebb}: {message.decode(errors='replace').strip()}")
    return seconds, usage.ru_utime + usage.ru_stime


def steps_seconds(ebb: Path, threads: int, directory: str) -> tuple[float, float]:
    few = run_seconds(ebb, FEW, threads, directory)
    many = run_seconds(ebb, MANY, threads, directory)
    return many[0] - few[0], many[1] - few[1]


def main() -> int:
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    flags.add_argument("--ebb", type=Path, action="append", required=True, help="program to time")
    flags.add_argument("--loops", type=int, default=4, help="busy loops (4)")
    flags.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    flags.add_argument("--rounds", type=int, default=7)
    flags.add_argument("--limit", type=float, default=4, help="largest factor that passes (4)")
    args = flags.parse_args()
    args.ebb = [ebb.absolute() for ebb in args.ebb]

    times: dict[tuple[Path, int], list[tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory() as directory:
        for _ in range(args.rounds):
            for loops in (0, args.loops):
                with BusyLoops(loops):
                    for ebb in args.ebb:
                        taken = steps_seconds(ebb, args.threads, directory)
                        times.setdefault((ebb, loops), []).append(taken)

    load = os.getloadavg()[0]
    print(f"{MANY - FEW} guided steps of one digit, {args.threads} threads, medians (smallest) of "
          f"{args.rounds} rounds; load of the machine {load:.1f}\n")  # fmt: skip
    print(f"| ebb | alone, s | CPU, s | beside {args.loops} loops, s | CPU, s | times |")
    print("|---|---:|---:|---:|---:|---:|")
    passed = True
    for ebb in args.ebb:
        cells, medians = [], []
        for loops in (0, args.loops):
            wall, cpu = zip(*times[ebb, loops], strict=True)
            medians.append(statistics.median(wall))
            cells.append(f"{medians[-1]:.3f} ({min(wall):.3f})")
            cells.append(f"{statistics.median(cpu):.2f}")
        factor = medians[1] / medians[0]
        passed = passed and factor <= args.limit
        print(f"| {ebb} | {' | '.join(cells)} | {factor:.2f} |")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
