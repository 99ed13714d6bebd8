#!/usr/bin/env python3
"""Called as a program that scripts/gpu_run starts: runs the real one of EBB_REAL_BIN, but small and on the
emulator or the CPU. As `python` it answers as PyTorch on a GPU would, as `ebb devices` like a machine with one.
"""

import json
import os
import sys
from pathlib import Path
from typing import List

NAME, ARGUMENTS = Path(sys.argv[0]).name, sys.argv[1:]

# Flag -> its value in a rehearsal; None leaves the flag out, a missing flag is added.
TINY = {"--steps": "1", "--hidden": "4", "--batch-size": "2"}
CHANGES = {
    "simt_conformance": {"--device": "emu"},
    "gpu_parity": {"--device": "cpu", "--precision": None, "--sampler-steps": "2", **TINY},
    "bench_train": {"--device": "cpu", "--precision": None, "--kernels": None, **TINY},
    "bench_unet": {"--device": "cpu", "--precision": None, "--kernels": None, "--steps": "1"},
}
# By --cases: edge shapes fit on the emulator.
TABLES = {
    "edge": {"--device": "emu", "--filter": "1x1"},
    "public": {"--device": "cpu", "--filter": "P-C4"},
    "unet": {"--device": "cpu", "--batch-size": "1", "--filter": "7x7"},
}


def changed(arguments: List[str], changes: dict) -> List[str]:
    result, left = [], dict(changes)
    words = iter(arguments)
    for word in words:
        if word not in changes:
            result.append(word)
            continue
        next(words)
        if (value := left.pop(word)) is not None:
            result += [word, value]
    return result + [word for flag, value in left.items() if value is not None for word in (flag, value)]


def predict_as_torch() -> None:
    if ARGUMENTS[0] == "-c":  # its version
        print("0.0 pretended")
    elif ARGUMENTS[0] == "-":  # the directory of its cuDNN
        print("/pretended")
    else:
        known = {"version": "0.0", "cpu_capability": "pretended", "variant": "eager", "peak_rss_mb": 1.0}
        cases = [{}]
        if "--cases" in ARGUMENTS:
            cases = json.loads(Path(ARGUMENTS[ARGUMENTS.index("--cases") + 1]).read_text())
        for case in cases:
            print(json.dumps(case | known | {"precision": "f32", "median_step_seconds": 1.0}))


def main() -> None:
    if NAME == "python":
        predict_as_torch()
        return
    if NAME == "compute-sanitizer":  # --tool TOOL --error-exitcode 1 PROGRAM...
        os.execv(ARGUMENTS[4], ARGUMENTS[4:])
    if NAME == "timeout":  # --kill-after=5 SECONDS PROGRAM...
        os.execvp(ARGUMENTS[2], ARGUMENTS[2:])
    if NAME == "ebb" and ARGUMENTS == ["devices"]:
        print("cuda:0  Pretended GPU, sm_90, 1 GiB free of 1 GiB")
        return
    arguments = ARGUMENTS
    if NAME == "bench_kernels":
        arguments = changed(ARGUMENTS, TABLES[ARGUMENTS[ARGUMENTS.index("--cases") + 1]])
    elif NAME == "test_kernels":
        os.environ.pop("EBB_TEST_DEVICE")
        arguments = ["philox:*" + ARGUMENTS[0], *ARGUMENTS[1:]]
    elif NAME in CHANGES:
        arguments = changed(ARGUMENTS, CHANGES[NAME])
    program = os.path.join(os.environ["EBB_REAL_BIN"], NAME)
    os.execv(program, [program, *arguments])


if __name__ == "__main__":
    main()
