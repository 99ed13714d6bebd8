#!/usr/bin/env python3
"""lint.py --build DIR [--all] [--jobs N] [FILE...]: clang-tidy over FILEs, or over every source of the
build that is not tests/, which --all adds.

Files are read in groups (groups.py); those of a group that does not compile are read again one by one. A file
that was clean is not looked at again until its text, a header of this repository that it includes, its flags,
.clang-tidy or the version of clang-tidy changes: DIR/lint/clean.json keeps their digest.
"""

import argparse
import concurrent.futures
import glob
import hashlib
import json
import os
import re
import shlex
import subprocess
import sys

from groups import flags_of, plan_groups

TOOL = "clang-tidy-14"
FIRST_HEADER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "clang_14.h")
COMPILE_ERROR = "[clang-diagnostic-error"
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)


def text_of(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def with_headers(root: str, path: str, seen: dict) -> dict:
    """Path -> text of the file and of every header of the repository that it includes."""
    if path not in seen:
        seen[path] = text_of(os.path.join(root, path))
        for name in INCLUDE.findall(seen[path]):
            if os.path.isfile(os.path.join(root, name)):
                with_headers(root, name, seen)
    return seen


def without_precompiled_headers(command: list) -> list:
    """GCC's precompiled headers say nothing to clang; sources include what they use."""
    kept, skip = [], False
    for index, word in enumerate(command):
        if skip:
            skip = False
        elif word == "-include" and "cmake_pch" in command[index + 1]:
            skip = True
        elif word not in ("-Winvalid-pch", "-fpch-preprocess") and not word.endswith("ccache"):
            kept.append(word)
    return kept


def digest(root: str, path: str, command: list, settings: str) -> str:
    parts = [settings, *command]
    for name, text in sorted(with_headers(root, path, {}).items()):
        parts += [name, text]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def read_commands(root: str, build: str) -> dict:
    """Path from the root -> compile command, of the C++ sources of the repository."""
    commands = {}
    for entry in json.loads(text_of(os.path.join(build, "compile_commands.json"))):
        path = os.path.relpath(os.path.join(entry["directory"], entry["file"]), root)
        if path.endswith(".cc") and not path.startswith("..") and not path.startswith(os.path.relpath(build, root)):
            commands.setdefault(path, without_precompiled_headers(shlex.split(entry["command"])))
    return commands


def write_commands(root: str, build: str, commands: dict, groups: list) -> None:
    """The database for clang-tidy: every source alone, and every group as one file."""
    entries = [(os.path.join(root, path), [*command, "-include", FIRST_HEADER]) for path, command in commands.items()]
    for number, paths in enumerate(groups):
        file = group_file(build, number)
        with open(file, "w", encoding="utf-8") as out:
            out.writelines(f'#include "{os.path.join(root, path)}"\n' for path in paths)
        entries.append((file, [*flags_of(commands[paths[0]]), "-include", FIRST_HEADER, "-c", file]))
    with open(os.path.join(build, "lint", "compile_commands.json"), "w", encoding="utf-8") as out:
        json.dump([{"directory": build, "file": file, "arguments": command} for file, command in entries], out)


def group_file(build: str, number: int) -> str:
    return os.path.join(build, "lint", f"group_{number}.cc")


def check(tool: str, build: str, file: str) -> str:
    """What clang-tidy has to say; empty when the file is clean."""
    answer = subprocess.run(
        [tool, "--quiet", "-p", os.path.join(build, "lint"), file], capture_output=True, text=True, check=False
    )
    return "" if answer.returncode == 0 else answer.stdout or answer.stderr


def check_group(tool: str, root: str, build: str, number: int, paths: list) -> dict:
    """Path -> findings. Those of a header are the first file's."""
    if len(paths) > 1:
        found = check(tool, build, group_file(build, number))
        if COMPILE_ERROR not in found:
            named = [path for path in paths if os.path.join(root, path) in found] or paths[:1]
            return {path: found if path in named else "" for path in paths}
    return {path: check(tool, build, os.path.join(root, path)) for path in paths}


def check_all(options: argparse.Namespace, root: str, build: str, commands: dict):
    """Yields (path, findings) as groups are done."""
    groups = plan_groups(commands, {path: text_of(os.path.join(root, path)) for path in commands})
    write_commands(root, build, commands, groups)
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        runs = [pool.submit(check_group, options.tool, root, build, *group) for group in enumerate(groups)]
        for run in concurrent.futures.as_completed(runs):
            yield from run.result().items()


def save(record: str, clean: dict) -> None:
    with open(record + ".new", "w", encoding="utf-8") as file:
        json.dump(clean, file)
    os.replace(record + ".new", record)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True, help="a configured build directory")
    parser.add_argument("--all", action="store_true", help="with tests/")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--tool", default=TOOL)
    parser.add_argument("files", nargs="*")
    options = parser.parse_args()
    root = os.getcwd()
    build = os.path.abspath(options.build)
    os.makedirs(os.path.join(build, "lint"), exist_ok=True)

    commands = read_commands(root, build)
    wanted = options.files or [path for path in sorted(commands) if options.all or not path.startswith("tests/")]
    unknown = [path for path in wanted if path not in commands]
    if unknown:
        print(f"error: {' '.join(unknown)}: not compiled in {options.build}. Name a .cc file of the build.")
        return 2
    version = subprocess.run([options.tool, "--version"], capture_output=True, text=True, check=True).stdout
    settings = version + text_of(FIRST_HEADER)
    for pattern in (".clang-tidy", "*/.clang-tidy"):
        settings += "".join(text_of(path) for path in sorted(glob.glob(os.path.join(root, pattern))))
    digests = {path: digest(root, path, commands[path], settings) for path in wanted}
    record = os.path.join(build, "lint", "clean.json")
    clean = json.loads(text_of(record)) if os.path.isfile(record) else {}
    waiting = [path for path in wanted if clean.get(path) != digests[path]]

    failed, printed = 0, set()
    for path, found in check_all(options, root, build, {path: commands[path] for path in waiting}):
        if found:
            failed += 1
            print(found if found not in printed else "", end="", flush=True)
            printed.add(found)
        else:
            clean[path] = digests[path]
            save(record, {known: value for known, value in clean.items() if known in commands})
    print(f"lint: {len(wanted)} files, {len(waiting)} of them new or changed, {failed} with findings")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
