#!/usr/bin/env python3
"""Seeds known faults of the diffusion applications one at a time and shows which tests catch each.

  applications.py [--tree DIR] [--jobs N] [--all] [--list] [--check] [NAME...]

Each mutant of applications_mutants.py replaces one piece of text in a scratch copy of the repository, whose
programs are then built and tested until one fails (--all: all of them). Prints a Markdown table.
Exit code 1 when a mutant survives, 2 when the list no longer fits the sources or the tests fail
without any mutant.

--check only checks that every mutant still applies to the sources of this tree.

--tree DIR keeps the scratch copy (a git worktree of HEAD) and its build there for the next run; without
it both are made in a temporary directory and removed.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from applications_mutants import MUTANTS, Mutant  # noqa: E402

REPOSITORY = Path(__file__).resolve().parents[2]
PRESET, BUILD = "test", "build-test"
# The tests in the order in which they are tried, the quick ones first: a program, those of the
# command line, another program.
FIRST_PROGRAM, LAST_PROGRAMS = "test_diffusion", ("test_image", "test_kernels")
CLI_TESTS = ("golden", "sample_flags", "combine", "rerun", "sample")
SHOWN = 2  # names of tests in a row of the table


def seeded(mutant: Mutant, tree: Path) -> str:
    """The text of its file with the fault in it."""
    path = tree / mutant.file
    text = path.read_text() if path.exists() else ""
    if text.count(mutant.find) != 1:
        raise LookupError(
            f"{mutant.name}: {mutant.file} holds the text {text.count(mutant.find)} times, expected once. "
            "Renew tests/mutation/applications_mutants.py."
        )
    return text.replace(mutant.find, mutant.put)


class Scratch:
    """A copy of the repository with a build of its own."""

    def __init__(self, tree: Path, jobs: int) -> None:
        self.tree, self.jobs = tree, jobs
        if not (tree / ".git").exists():
            self.git("worktree", "add", "--detach", str(tree), "HEAD", where=REPOSITORY)
        else:
            head = self.git("rev-parse", "HEAD", where=REPOSITORY).strip()
            self.git("checkout", "--force", "--detach", head)
        self.call(["cmake", "--preset", PRESET], "configure")

    def remove(self) -> None:
        self.git("worktree", "remove", "--force", str(self.tree), where=REPOSITORY)

    def git(self, *arguments: str, where: Path | None = None) -> str:
        command = ["git", "-C", str(where or self.tree), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def call(self, command: list[str], what: str) -> None:
        done = subprocess.run(command, cwd=self.tree, capture_output=True, text=True)
        if done.returncode != 0:
            sys.stderr.write(done.stdout[-3000:] + done.stderr[-3000:])
            raise RuntimeError(f"{what} failed")

    def build(self, target: str) -> None:
        self.call(
            ["cmake", "--build", BUILD, "--parallel", str(self.jobs), "--target", target], "build"
        )

    def failing_tests(self) -> Iterator[list[str]]:
        """The names of the tests that fail, program by program."""
        self.build(FIRST_PROGRAM)
        yield self.failing_cases(FIRST_PROGRAM)
        self.build("ebb")
        for part in CLI_TESTS:
            yield self.failing_methods(f"ebb_{part}_test")
        for program in LAST_PROGRAMS:
            self.build(program)
            yield self.failing_cases(program)

    def failing_cases(self, program: str) -> list[str]:
        """Of a Catch2 program, from its JUnit report."""
        done = subprocess.run(
            [f"{BUILD}/bin/{program}", "-r", "junit"], cwd=self.tree, capture_output=True, text=True
        )
        if done.returncode == 0:
            return []
        try:
            cases = ElementTree.fromstring(done.stdout).iter("testcase")
        except ElementTree.ParseError:  # ended by a signal
            return [f"{program} (ended with {done.returncode})"]
        names = [
            case.get("name", "?")
            for case in cases
            if case.find("failure") is not None or case.find("error") is not None
        ]
        return list(dict.fromkeys(name.split("/")[0] for name in names)) or [program]

    def failing_methods(self, test: str) -> list[str]:
        """Of a Python test of the command line."""
        script = self.tree / "tests" / "apps" / "ebb" / f"{test}.py"
        done = subprocess.run(
            [sys.executable, str(script), str(self.tree / BUILD / "bin" / "ebb")],
            cwd=self.tree, capture_output=True, text=True,
        )  # fmt: skip
        if done.returncode == 0:
            return []
        found = re.findall(r"^(?:FAIL|ERROR): (\w+)", done.stderr, re.MULTILINE)
        return [f"{test}.{name}" for name in dict.fromkeys(found)] or [test]

    def seed(self, mutant: Mutant) -> None:
        path = self.tree / mutant.file
        path.write_text(seeded(mutant, self.tree))

    def restore(self, mutant: Mutant) -> None:
        self.git("checkout", "--", mutant.file)


def row(mutant: Mutant, caught: list[str]) -> str:
    shown = "; ".join(caught[:SHOWN])
    more = f"; and {len(caught) - SHOWN} more" if len(caught) > SHOWN else ""
    return f"| {mutant.name} | `{mutant.file}` | {(shown + more) if caught else '**none**'} |"


def run(scratch: Scratch, mutants: list[Mutant], is_thorough: bool) -> int:
    for mutant in mutants:  # before hours are spent
        scratch.seed(mutant)
        scratch.restore(mutant)
    broken = sum(scratch.failing_tests(), [])
    if broken:
        print("fails without any mutant: " + "; ".join(broken), file=sys.stderr)
        return 2
    print("| mutant | in | caught by |\n|---|---|---|", flush=True)
    survivors = 0
    for mutant in mutants:
        scratch.seed(mutant)
        try:
            caught = []
            for failing in scratch.failing_tests():
                caught += failing
                if caught and not is_thorough:
                    break
        finally:
            scratch.restore(mutant)
        survivors += not caught
        print(row(mutant, caught), flush=True)
    print(f"\n{len(mutants) - survivors} of {len(mutants)} mutants caught")
    return 1 if survivors else 0


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tree", type=Path, metavar="DIR")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--all", action="store_true", help="do not stop at the first that fails")
    parser.add_argument("--list", action="store_true", help="print the mutants and stop")
    parser.add_argument("--check", action="store_true", help="check that the mutants apply and stop")
    parser.add_argument("names", nargs="*", metavar="NAME")
    options = parser.parse_args()
    unknown = set(options.names) - {mutant.name for mutant in MUTANTS}
    if unknown:
        parser.error(f"no such mutant: {', '.join(sorted(unknown))}")
    if options.list:
        print("\n".join(mutant.name for mutant in MUTANTS))
        return
    mutants = [mutant for mutant in MUTANTS if not options.names or mutant.name in options.names]
    try:
        if options.check:
            for mutant in mutants:
                seeded(mutant, REPOSITORY)
            print(f"{len(mutants)} mutants apply")
            return
        if options.tree:
            sys.exit(run(Scratch(options.tree, options.jobs), mutants, options.all))
        with tempfile.TemporaryDirectory(prefix="ebb-mutation-") as directory:
            scratch = Scratch(Path(directory) / "ebb", options.jobs)
            try:
                code = run(scratch, mutants, options.all)
            finally:
                scratch.remove()
            sys.exit(code)
    except (LookupError, RuntimeError) as error:
        print(error, file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
