"""Stands in for the peers' programs: answers at once, and writes down how it was called.

Called as a Python would be, with a script of bench/ and its arguments. The file that
EBB_FAKE_PEER_LOG names gets a line for each call. A step takes the milliseconds of STEP_MS, a
process of EBB_FAKE_PEER_SLEEP seconds and as many for each step.
"""

import json
import os
import sys
import time
from pathlib import Path

STEP_MS = {
    "--guidance batched --channels-last": 7.0,
    "--guidance graph": 5.0,
    "--guidance two-calls": 4.0,
}


def value_of(flag: str) -> str:
    words = sys.argv
    return words[words.index(flag) + 1] if flag in words else ""


def step_ms(arguments: str) -> float:
    best = {"openvino": "--guidance two-calls", "onnxruntime": "--guidance graph"}.get(
        value_of("--engine"), "--guidance batched --channels-last"
    )
    return STEP_MS[best] if arguments.endswith(best) else 50.0


def main() -> None:
    script, arguments = Path(sys.argv[1]).name, " ".join(sys.argv[2:])
    with open(os.environ["EBB_FAKE_PEER_LOG"], "a", encoding="utf-8") as log:
        log.write(f"{script} {arguments}\n")
    if os.environ.get("EBB_FAKE_PEER_FAILS", "none") in arguments:
        sys.exit("the pretended failure")
    if sys.argv[2] == "draw":
        return
    if sys.argv[2] == "train":
        time.sleep(float(os.environ.get("EBB_FAKE_PEER_SLEEP", "0")) * int(value_of("--steps")))
    line = {"version": "9.9", "median_step_seconds": step_ms(arguments) / 1e3, "peak_rss_mb": 100.0}
    print("progress that is no answer")
    print(json.dumps(line))


if __name__ == "__main__":
    main()
