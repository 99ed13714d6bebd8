#!/usr/bin/env python3
"""Seeds known mistakes of the diffusion toolbox one at a time and shows which tests catch each.

  toolbox.py [--tree DIR] [--jobs N] [--all] [--list] [NAME...]

Each mistake of toolbox_bugs.py replaces one piece of text in a scratch copy of the repository, whose
programs are then built and tested until one fails (--all: all of them). Prints a Markdown table.
Exit code 1 when a mistake survives, 2 when the list no longer fits the sources or the tests fail
without any mistake.

--tree DIR keeps the scratch copy (a git worktree of HEAD) and its build there for the next run; without
it both are made in a temporary folder and removed.
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

from toolbox_bugs import BUGS, Bug  # noqa: E402

REPOSITORY = Path(__file__).resolve().parents[2]
PRESET, BUILD = "test", "build-test"
# The tests in the order in which they are tried, the quick ones first: a program, those of the
# command line, another program.
FIRST_PROGRAM, LAST_PROGRAM = "test_diffusion", "test_kernels"
CLI_TESTS = ("golden", "drawing", "combine", "rerun", "sample")
SHOWN = 2  # names of tests in a row of the table


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
        self.build(LAST_PROGRAM)
        yield self.failing_cases(LAST_PROGRAM)

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
        script = self.tree / "tests" / "cli" / f"{test}.py"
        done = subprocess.run(
            [sys.executable, str(script), str(self.tree / BUILD / "bin" / "ebb")],
            cwd=self.tree, capture_output=True, text=True,
        )  # fmt: skip
        if done.returncode == 0:
            return []
        found = re.findall(r"^(?:FAIL|ERROR): (\w+)", done.stderr, re.MULTILINE)
        return [f"{test}.{name}" for name in dict.fromkeys(found)] or [test]

    def seed(self, bug: Bug) -> None:
        path = self.tree / bug.file
        text = path.read_text()
        if text.count(bug.find) != 1:
            raise LookupError(
                f"{bug.name}: {bug.file} holds the text {text.count(bug.find)} times, expected once. "
                "Renew tests/mutation/toolbox_bugs.py."
            )
        path.write_text(text.replace(bug.find, bug.put))

    def restore(self, bug: Bug) -> None:
        self.git("checkout", "--", bug.file)


def row(bug: Bug, caught: list[str]) -> str:
    shown = "; ".join(caught[:SHOWN])
    more = f"; and {len(caught) - SHOWN} more" if len(caught) > SHOWN else ""
    return f"| {bug.name} | `{bug.file}` | {(shown + more) if caught else '**none**'} |"


def run(scratch: Scratch, bugs: list[Bug], is_thorough: bool) -> int:
    for bug in bugs:  # before hours are spent
        scratch.seed(bug)
        scratch.restore(bug)
    broken = sum(scratch.failing_tests(), [])
    if broken:
        print("fails without any mistake: " + "; ".join(broken), file=sys.stderr)
        return 2
    print("| mistake | in | caught by |\n|---|---|---|", flush=True)
    survivors = 0
    for bug in bugs:
        scratch.seed(bug)
        try:
            caught = []
            for failing in scratch.failing_tests():
                caught += failing
                if caught and not is_thorough:
                    break
        finally:
            scratch.restore(bug)
        survivors += not caught
        print(row(bug, caught), flush=True)
    print(f"\n{len(bugs) - survivors} of {len(bugs)} mistakes caught")
    return 1 if survivors else 0


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tree", type=Path, metavar="DIR")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--all", action="store_true", help="do not stop at the first that fails")
    parser.add_argument("--list", action="store_true", help="print the mistakes and stop")
    parser.add_argument("names", nargs="*", metavar="NAME")
    options = parser.parse_args()
    unknown = set(options.names) - {bug.name for bug in BUGS}
    if unknown:
        parser.error(f"no such mistake: {', '.join(sorted(unknown))}")
    if options.list:
        print("\n".join(bug.name for bug in BUGS))
        return
    bugs = [bug for bug in BUGS if not options.names or bug.name in options.names]
    try:
        if options.tree:
            sys.exit(run(Scratch(options.tree, options.jobs), bugs, options.all))
        with tempfile.TemporaryDirectory(prefix="ebb-mutation-") as folder:
            scratch = Scratch(Path(folder) / "ebb", options.jobs)
            try:
                code = run(scratch, bugs, options.all)
            finally:
                scratch.remove()
            sys.exit(code)
    except (LookupError, RuntimeError) as error:
        print(error, file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
