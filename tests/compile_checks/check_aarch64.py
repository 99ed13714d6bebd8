#!/usr/bin/env python3
"""check_aarch64.py --cmake CMAKE --build DIR: would the CPU library compile for AArch64?

Configures the library (base, image, kernels, engine, weights, nn, diffusion, api) with the toolchain file of
cmake/aarch64-linux-gnu.cmake in DIR and compiles every source as that says, optimized a little where it includes
Highway, whose functions must be inlined, and without code elsewhere. A warning is a failure, too. Nothing is linked, so
that the headers of this machine's libraries do.

What passed is kept as check_kernels.py keeps it.
"""

import argparse
import concurrent.futures
import json
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Dict, List, Tuple

from check_kernels import Cache

ROOT = Path(__file__).resolve().parents[2]
COMPILER = "aarch64-linux-gnu-g++"
SETTINGS = (
    *(f"-DEBB_{part}=OFF" for part in ("PROGRAMS", "TESTS", "BENCH", "INSTALL", "SHARED", "CUDA")),
    "-DCMAKE_BUILD_TYPE=Release",
    "-DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON",
    "-DEBB_CCACHE=OFF",
    "-DZLIB_INCLUDE_DIR=/usr/include",
    "-DZLIB_LIBRARY=z",
    "-DUNISTRING_INCLUDE_DIR=/usr/include",
    "-DUNISTRING_LIBRARY=unistring",
    # Of both: what this machine's directory has besides, the compiler finds in its own before.
    "-DCMAKE_CXX_FLAGS=-idirafter /usr/include/x86_64-linux-gnu",
)
SIMD = "-DHWY_DISABLED_TARGETS"


def configure(cmake: str, build: str) -> List[Dict]:
    """-> the entries of compile_commands.json"""
    toolchain = ROOT / "cmake/aarch64-linux-gnu.cmake"
    command = [cmake, "-S", str(ROOT), "-B", build, "-G", "Ninja", "--toolchain", str(toolchain), *SETTINGS]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise SystemExit(f"FAIL: the tree does not configure for AArch64:\n{done.stdout}")
    entries = json.loads(Path(build, "compile_commands.json").read_text())
    return list({entry["file"]: entry for entry in entries}.values())


def checking(command: str) -> List[str]:
    """The command without its output, optimized a little or not at all."""
    words = shlex.split(command)
    for option in ("-o", "-c"):
        at = words.index(option)
        del words[at : at + 2]
    if any(word.startswith(SIMD) for word in words):
        return [*(word for word in words if not word.startswith("-O")), "-O1", "-c"]
    return [*words, "-fsyntax-only"]


def compile_source(command: List[str], source: str, root: str) -> Tuple[List[str], List[str]]:
    """-> problems, files of the tree that were read"""
    with tempfile.TemporaryDirectory() as directory:
        dependencies = os.path.join(directory, "dependencies")
        output = ["-o", os.path.join(directory, "out.o")] if "-c" in command else []
        done = subprocess.run([*command, source, "-MD", "-MF", dependencies, *output], capture_output=True, text=True)
        if done.returncode != 0 or "warning:" in done.stderr:
            return [done.stderr or f"exit code {done.returncode}"], []
        words = [os.path.abspath(word) for word in Path(dependencies).read_text().split()]
    return [], sorted({word for word in words if word.startswith(root + os.sep) and os.path.isfile(word)})


def check(entry: Dict, root: str, directory: Path, version: str) -> Tuple[List[str], bool]:
    """-> problems, whether it was compiled"""
    source = entry["file"]
    command = checking(entry["command"])
    cache = Cache(directory, root, version + " ".join(command).replace(root, ""))
    name = os.path.relpath(source, root).replace("/", "_") + ".aarch64"
    if cache.find(name) is not None:
        return [], False
    problems, files = compile_source(command, source, root)
    if not problems:
        cache.keep(name, [source, os.path.abspath(__file__), *files], [])
    return problems, True


def first_line(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True).stdout.split("\n")[0]


def check_all(entries: List[Dict], root: str, jobs: int, version: str) -> int:
    directory = Path(os.environ.get("EBB_GATES_CACHE") or Path.home() / ".cache" / "ebb" / "gates")
    # Long files first, so that none is left alone at the end.
    entries = sorted(entries, key=lambda entry: os.path.getsize(entry["file"]), reverse=True)
    compiled = failed = 0
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        results = pool.map(lambda entry: check(entry, root, directory, version), entries)
        for entry, (problems, is_new) in zip(entries, results):
            compiled += is_new
            failed += bool(problems)
            for problem in problems:
                print(f"FAIL {os.path.relpath(entry['file'], root)} for AArch64:\n{problem}", flush=True)
    print(f"{len(entries)} sources for AArch64, {len(entries) - compiled} of them kept from an earlier run, "
          f"{failed} failed")
    return 1 if failed or not entries else 0


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--cmake", required=True)
    parser.add_argument("--build", required=True)
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    version = first_line(COMPILER, "--version") + first_line("pkg-config", "--modversion", "libhwy")
    return check_all(configure(arguments.cmake, arguments.build), str(ROOT), arguments.jobs, version)


if __name__ == "__main__":
    sys.exit(main())
