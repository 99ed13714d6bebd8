#!/usr/bin/env python3
"""check_reference.py --ebb FILE --train-mnist FILE REFERENCE [--write]: whether docs/reference.md is
what the programs print of their flags. Exit code 77: not built.
"""

import argparse
import os
import subprocess
import sys

SKIPPED = 77
HEAD = """# Reference

Every command and flag, printed by the programs themselves; `tests/rules/check_reference.py --write` makes
this page again. What values of a flag are allowed stands behind its name, its default in parentheses.

"""


def printed(program: str, *arguments: str) -> str:
    env = {key: value for key, value in os.environ.items() if not key.startswith("EBB_")}
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=True, env=env).stdout


def current(ebb: str, *trainers: str) -> str:
    text = HEAD + printed(ebb, "man", "--reference")
    text += "".join(printed(trainer, "--reference", "markdown") for trainer in trainers)
    return text.rstrip("\n") + "\n"


def first_difference(stored: str, wanted: str) -> str:
    """Empty when there is none."""
    if stored == wanted:
        return ""
    for number, (old, new) in enumerate(zip(stored.splitlines(), wanted.splitlines()), start=1):
        if old != new:
            return f"line {number}: {old!r}, the programs print {new!r}"
    return "one is longer than the other"


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--ebb", required=True)
    parser.add_argument("--train-mnist", required=True)
    parser.add_argument("--train-text-to-image", required=True)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("reference")
    arguments = parser.parse_args()
    programs = (arguments.ebb, arguments.train_mnist, arguments.train_text_to_image)
    for program in programs:
        if not os.path.exists(program):
            print(f"skipped: {program} is not built")
            return SKIPPED
    wanted = current(*programs)
    if arguments.write:
        with open(arguments.reference, "w", encoding="utf-8") as file:
            file.write(wanted)
        return 0
    with open(arguments.reference, encoding="utf-8") as file:
        stored = file.read()
    difference = first_difference(stored, wanted)
    if difference:
        print(f"{arguments.reference}: stale, {difference}. Run this with --write.")
    return 1 if difference else 0


if __name__ == "__main__":
    sys.exit(main())
