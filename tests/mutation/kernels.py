#!/usr/bin/env python3
"""Seeds mutants into the CUDA kernels one at a time and shows whether the emulated tests catch them.

  kernels.py [--build DIR] [--jobs N] [-o FILE [--continue]] [NAME...]
  kernels.py --list

Each mutant of conv_mutants.py and op_mutants.py replaces one piece of text of one kernel file or header.
The changed file is compiled as the build compiles it, linked in front of the library into a copy of
the test program, and the tests of its op run until the first failure; a finding of the checker is such
a failure. The build must be up to date (targets test_conv_cuda and test_kernels). Prints a Markdown
table, also into FILE, which is written after every mutant; with NAMEs, FILE keeps its rows of the others.
A pass over all takes hours: --continue leaves out the mutants that FILE has a row of. Exit code 1 when a
mutant survives, 2 when the list no longer fits the sources or the tests fail without any mutant.
"""

import argparse
import concurrent.futures
import json
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Dict, List

sys.path.insert(0, str(Path(__file__).resolve().parent))

from conv_mutants import CONV_MUTANTS  # noqa: E402
from kernel_mutants import REPOSITORY, Mutant  # noqa: E402
from op_mutants import OP_MUTANTS  # noqa: E402

MUTANTS = CONV_MUTANTS + OP_MUTANTS
LIMIT_S = 900
TITLE = """# Mutants of the CUDA kernels

Made by `tests/mutation/kernels.py`, which says how. *Caught by*: what failed first, a finding of the emulator's
checker, results that depend on the order of threads, or results beyond the tolerance.

"""
NOT_RUN = "**not run**"
HEADER = "| mutant | kernel | caught by |\n|---|---|---|"


class Build:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        entries = json.loads((directory / "compile_commands.json").read_text())
        # The emulated compilation of a .cu file, not nvcc's.
        self.compile = {e["file"]: e for e in entries if "-fsanitize=thread" in e["command"]}
        self.link = {program: self.link_command(program) for program in {b.place.program for b in MUTANTS}}

    def link_command(self, program: str) -> str:
        ninja = ["ninja", "-C", str(self.directory), "-t", "commands", f"bin/{program}"]
        commands = subprocess.run(ninja, check=True, capture_output=True, text=True).stdout.splitlines()
        return next(c for c in reversed(commands) if f"-o bin/{program}" in c)

    def object_of(self, mutant: Mutant, scratch: Path) -> Path:
        """Compiles the file of the mutant, or the file that includes it."""
        entry = self.compile[str(REPOSITORY / mutant.place.source)]
        changed, result = scratch / mutant.place.file, scratch / "changed.o"
        changed.parent.mkdir(parents=True)
        changed.write_text((REPOSITORY / mutant.place.file).read_text().replace(mutant.old, mutant.new))
        words = [w for w in shlex.split(entry["command"]) if not w.endswith("ccache")]
        words[words.index("-o") + 1] = str(result)
        if not mutant.place.compiled:
            words[words.index("-c") + 1] = str(changed)
        words.insert(1, f"-I{scratch}")  # a changed header hides its original
        done = subprocess.run(words, cwd=entry["directory"], capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"{mutant.name}: does not compile:\n{done.stderr[:2000]}")
        return result

    def program_with(self, mutant: Mutant, scratch: Path) -> Path:
        """The test program with this object before the libraries, so that theirs is not taken."""
        name = mutant.place.program
        program = scratch / name
        command = self.link[name].replace(f"-o bin/{name}", f"-o {program} {self.object_of(mutant, scratch)}")
        subprocess.run(command, shell=True, cwd=self.directory, check=True, capture_output=True, text=True)
        return program


def run(program: Path, tests: str) -> str:
    """What caught the mutant; empty when nothing did."""
    try:
        done = subprocess.run([str(program), tests, "--abort"], cwd=REPOSITORY, capture_output=True,
                              text=True, timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        return "no end"
    if done.returncode == 0:
        if "No test" in done.stdout:
            raise RuntimeError(f"{program.name}: no test is called {tests}")
        return ""
    if done.returncode < 0:
        return f"signal {-done.returncode}"
    text = " ".join(done.stdout.split())
    finding = re.search(r"(data race|out of bounds|read of uninitialized|misaligned|divergent|deadlock"
                        r"|integer overflow|still in flight|never waited|were never|overwrites|no wgmma_fence)[^:]*", text)
    if finding:
        return f"checker: {finding.group(1)}"
    return "order of threads" if "order in which threads" in text else "wrong numbers"


def outcome(build: Build, mutant: Mutant) -> str:
    with tempfile.TemporaryDirectory() as directory:
        return run(build.program_with(mutant, Path(directory)), mutant.place.tests)


def misfits(mutants: List[Mutant]) -> List[str]:
    counts = [(mutant, (REPOSITORY / mutant.place.file).read_text().count(mutant.old)) for mutant in mutants]
    return [f"{mutant.name}: its text is {count} times in {mutant.place.file}, must be there once"
            for mutant, count in counts if count != 1]


def table_of(caught_by: Dict[str, str]) -> str:
    """All mutants in their order; empty where nothing caught one."""
    rows = [f"| {b.name} | `{b.place.kernel}` | {caught_by.get(b.name, NOT_RUN) or '**nothing**'} |" for b in MUTANTS]
    caught = sum(caught_by.get(b.name, "") not in ("", NOT_RUN) for b in MUTANTS)
    return TITLE + "\n".join([HEADER, *rows]) + f"\n\n{caught} of {len(MUTANTS)} mutants are caught.\n"


def read_table(path: Path) -> Dict[str, str]:
    """What table_of() was given; empty when there is no file yet."""
    rows = re.findall(r"^\| (.*) \| `\w+` \| (.*) \|$", path.read_text(), re.MULTILINE) if path.exists() else []
    return {name: "" if caught == "**nothing**" else caught for name, caught in rows}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=REPOSITORY / "build-test")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--continue", action="store_true", dest="goes_on", help="keeps the rows of FILE")
    parser.add_argument("--list", action="store_true", help="only checks that the list fits the sources")
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    kept = read_table(arguments.output) if arguments.output and (arguments.names or arguments.goes_on) else {}
    done = {name for name, caught in kept.items() if arguments.goes_on and caught != NOT_RUN}
    wanted = [b for b in MUTANTS if (not arguments.names or b.name in arguments.names) and b.name not in done]
    wrong = misfits(wanted)
    if arguments.list or wrong:
        print("\n".join(wrong or [f"{b.name}: {b.place.file}" for b in wanted]))
        return 2 if wrong else 0
    build = Build(arguments.build.resolve())
    print(HEADER, flush=True)
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        suites = sorted({(b.place.program, b.place.tests) for b in wanted})
        for suite, caught in zip(suites, pool.map(lambda s: run(build.directory / "bin" / s[0], s[1]), suites)):
            if caught:
                print(f"{suite} fails without any mutant: {caught}", file=sys.stderr)
                return 2
        caught_by = dict()
        for mutant, caught in zip(wanted, pool.map(lambda b: outcome(build, b), wanted)):
            caught_by[mutant.name] = caught
            if arguments.output:
                arguments.output.write_text(table_of({**kept, **caught_by}))
            print(f"| {mutant.name} | `{mutant.place.kernel}` | {caught or '**nothing**'} |", flush=True)
    survivors = list(caught_by.values()).count("")
    print(f"\n{len(wanted) - survivors} of {len(wanted)} mutants are caught.")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
