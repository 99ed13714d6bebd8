#!/usr/bin/env python3
"""Seeds mistakes into the CUDA kernels one at a time and shows whether the emulated tests catch them.

  kernels.py [--build DIR] [--list] [NAME...]

Each mistake of kernel_bugs.py replaces one piece of text of one kernel file. The changed file is
compiled as the build compiles it, linked in front of the library into a copy of the test program, and
the program runs until its first failure; a finding of the checker is such a failure. The build must
be up to date (target test_conv_cuda). Prints a Markdown table. Exit code 1 when a mistake survives, 2
when the list no longer fits the sources or the tests fail without any mistake.
"""

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from kernel_bugs import BUGS, Bug  # noqa: E402

REPOSITORY = Path(__file__).resolve().parents[2]
TEST = "test_conv_cuda"
LIMIT_S = 900


class Build:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        entries = json.loads((folder / "compile_commands.json").read_text())
        # The emulated compilation of a .cu file, not nvcc's.
        self.compile = {e["file"]: e for e in entries if "-fsanitize=thread" in e["command"]}
        ninja = ["ninja", "-C", str(folder), "-t", "commands", f"bin/{TEST}"]
        commands = subprocess.run(ninja, check=True, capture_output=True, text=True).stdout.splitlines()
        self.link = next(c for c in reversed(commands) if f"-o bin/{TEST}" in c)

    def object_of(self, source: Path, text: str, scratch: Path) -> Path:
        """Compiles `text` in place of the source."""
        entry = self.compile[str(source)]
        changed, result = scratch / source.name, scratch / "changed.o"
        changed.write_text(text)
        words = shlex.split(entry["command"])
        words[words.index("-o") + 1] = str(result)
        words[words.index("-c") + 1] = str(changed)
        subprocess.run([w for w in words if not w.endswith("ccache")], cwd=entry["directory"], check=True,
                       capture_output=True, text=True)
        return result

    def program_with(self, changed: Path, scratch: Path) -> Path:
        """The test program with this object before the libraries, so that theirs is not taken."""
        program = scratch / TEST
        command = self.link.replace(f"-o bin/{TEST}", f"-o {program} {changed}")
        subprocess.run(command, shell=True, cwd=self.folder, check=True, capture_output=True, text=True)
        return program


def run(program: Path) -> str:
    """What caught the mistake; empty when nothing did."""
    try:
        done = subprocess.run([str(program), "--abort"], cwd=REPOSITORY, capture_output=True, text=True,
                              timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        return "no end"
    if done.returncode == 0:
        return ""
    if done.returncode < 0:
        return f"signal {-done.returncode}"
    text = " ".join(done.stdout.split())
    finding = re.search(r"(data race|out of bounds|read of uninitialised|misaligned|divergent|deadlock"
                        r"|still in flight|never waited|were never|overwrites)[^:]*", text)
    return f"checker: {finding.group(1)}" if finding else "wrong numbers"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=Path, default=REPOSITORY / "build-test")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    wanted = [b for b in BUGS if not arguments.names or b.name in arguments.names]
    if arguments.list:
        print("\n".join(f"{b.name}: {b.file}" for b in wanted))
        return 0
    for bug in BUGS:
        count = (REPOSITORY / bug.file).read_text().count(bug.old)
        if count != 1:
            print(f"{bug.name}: its text is {count} times in {bug.file}, must be there once", file=sys.stderr)
            return 2
    build = Build(arguments.build.resolve())
    caught = run(arguments.build.resolve() / "bin" / TEST)
    if caught:
        print(f"{TEST} fails without any mistake: {caught}", file=sys.stderr)
        return 2
    print("| mistake | file | caught by |\n|---|---|---|", flush=True)
    survivors = 0
    for bug in wanted:
        source = REPOSITORY / bug.file
        with tempfile.TemporaryDirectory() as folder:
            scratch = Path(folder)
            text = source.read_text().replace(bug.old, bug.new)
            program = build.program_with(build.object_of(source, text, scratch), scratch)
            caught = run(program)
        survivors += not caught
        print(f"| {bug.name} | {os.path.basename(bug.file)} | {caught or '**nothing**'} |", flush=True)
    print(f"\n{len(wanted) - survivors} of {len(wanted)} caught")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
