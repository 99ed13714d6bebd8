#!/usr/bin/env python3
"""check_tree.py ROOT: reads the sources under ROOT and prints every violated rule."""

import os
import subprocess
import sys

from rules import RULES, long_files
from tree import Tree

SKIPPED_DIRECTORIES = (".git", "build", "demo", ".venv", "__pycache__")  # when there is no git


def listed_by_git(root: str):
    """Tracked files and new ones that git does not ignore; None outside a checkout."""
    command = ["git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        answer = subprocess.run(command, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return [name for name in os.fsdecode(answer.stdout).split("\0") if name]


def listed_by_walking(root: str):
    for directory, directories, files in os.walk(root):
        directories[:] = [
            name for name in directories if name not in SKIPPED_DIRECTORIES and not name.startswith("build-")
        ]
        for name in files:
            yield os.path.relpath(os.path.join(directory, name), root)


def read_tree(root: str) -> Tree:
    """Every text file; a file that is not UTF-8 or holds a NUL counts as data."""
    tree = {}
    for path in listed_by_git(root) or listed_by_walking(root):
        full = os.path.join(root, path)
        if os.path.islink(full) or not os.path.isfile(full):
            continue
        with open(full, "rb") as file:
            content = file.read()
        if b"\0" in content:
            continue
        try:
            tree[path] = content.decode("utf-8")
        except UnicodeDecodeError:
            continue
    return tree


def main() -> int:
    if len(sys.argv) != 2:
        print("usage: check_tree.py ROOT", file=sys.stderr)
        return 2
    tree = read_tree(sys.argv[1])
    if "CMakeLists.txt" not in tree:
        print(f"error: {sys.argv[1]}: no CMakeLists.txt there. Name the root of the repository.")
        return 2
    failed = 0
    for rule in RULES:
        violations = list(rule(tree))
        print(f"{'FAIL' if violations else 'ok  '} {rule.__name__}")
        for violation in violations:
            print(f"     {violation}")
        failed += bool(violations)
    for path, count in long_files(tree).items():
        print(f"note {path}: {count} lines, worth a second look")
    print(f"{len(tree)} files, {len(RULES)} rules, {failed} violated")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
