#!/usr/bin/env python3
"""list_kernels.py --logs DIR --compile-checks DIR --mutants FILE [-o docs/kernels.md]   lists every CUDA kernel
   list_kernels.py --logs DIR --compile-checks DIR --check docs/kernels.md

--logs     what the test programs wrote with EBB_EMULATOR_LOG: the launches of each kernel on the
           emulator. A launch that the checker objects to fails its test, so what is counted is clean.
--compile-checks  results of tests/compile_checks/check_kernels.py: registers and spills by architecture
--mutants  the table of tests/mutation/kernels.py
--check    whether the committed list names the kernels of the tree, each of them was launched under the
           checker, has a seeded mistake and fits every GPU and its own launch bounds (where the compile checks
           have run), and the emulated cases are as many as promised. Exit code 1 when not.
"""

import argparse
import collections
import json
import pathlib
import re
import sys
from typing import Dict, List, NamedTuple, Set

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/mutation"))

from conv_mutants import CONV_MUTANTS  # noqa: E402
from op_mutants import OP_MUTANTS  # noqa: E402

KERNEL = re.compile(r"__global__\s+void\s+(?:__launch_bounds__\([^)]*(?:\([^)]*\))?[^)]*\)\s*)?(\w+)\s*\(")
ARCHITECTURES = ("80", "90a", "120")
MIN_CASES = 300
# Shared memory that a block may have, static and dynamic: CUDA C++ Programming Guide, "Technical
# Specifications per Compute Capability". The least of all architectures, and sm_90's.
SHARED_LIMIT, HOPPER_SHARED_LIMIT = 99 << 10, 227 << 10
HOPPER = ("conv_wgmma_kernel", "conv_wgrad_wgmma_kernel")

# Kernels that helpers launch under the name of the op that calls them.
NAMED_BY_CALLER = {
    "map_kernel": r'\bmap<\w+>\(\s*"(\w+)"',
    "random_fill_kernel": r'\bfill<[\w:]+>\(\s*"(\w+)"',
    "sum_terms_kernel": r'\bsum_terms\(\s*"(\w+)"',
    "sum_partials_kernel": r'\bsum_terms\(\s*"(\w+)"',
}


class Kernel(NamedTuple):
    name: str
    file: str


class Launches:
    def __init__(self) -> None:
        self.checked = self.others = self.threads = self.shared = 0

    def add(self, checked: int, others: int, threads: int, shared: int) -> None:
        self.checked += checked
        self.others += others
        self.threads = max(self.threads, threads)
        self.shared = max(self.shared, shared)


def sources() -> List[pathlib.Path]:
    directory = ROOT / "kernels"
    return [*sorted(directory.rglob("*.cu")), *sorted(directory.glob("**/cuda/*.h"))]


def untested_entries() -> List[str]:
    """Launches of kernels.def that no test of kernels calls, by the table's entry."""
    entries = re.findall(r"^EBB_KERNEL\((\w+),", (ROOT / "kernels/kernels.def").read_text(), re.MULTILINE)
    tests = "".join(path.read_text() for path in sorted((ROOT / "tests/kernels").rglob("*_test.cc")))
    tests += "".join(path.read_text() for path in sorted((ROOT / "tests/kernels").rglob("*_case.h")))
    return [name for name in entries if not re.search(rf"KernelTable::{name}\b|\.{name}\.fn\(|->{name}\.fn\(", tests)]


def kernels_of_the_tree() -> List[Kernel]:
    return [Kernel(name, str(path.relative_to(ROOT)))
            for path in sources() for name in KERNEL.findall(path.read_text())]


def launched_names() -> Dict[str, Set[str]]:
    """kernel function -> names of its launches: the first string and every *_kernel of a statement."""
    names = collections.defaultdict(set)
    for text in (path.read_text() for path in sources()):
        for start in (m.start() for m in re.finditer(r"\b(?:simt::)?launch\(", text)):
            statement = text[start : text.find(";", start)]
            name = re.search(r'"(\w+)"', statement)
            for kernel in re.findall(r"\b(\w+_kernel)\b", statement):
                names[kernel].add(name.group(1) if name else kernel.removesuffix("_kernel"))
        for kernel, call in NAMED_BY_CALLER.items():
            names[kernel].update(re.findall(call, text))
    return names


def read_logs(directory: pathlib.Path):
    """-> launches of every kernel function, emulated cases"""
    by_name, cases = collections.defaultdict(Launches), 0
    for path in sorted(directory.glob("*.log")):
        for line in path.read_text().splitlines():
            word, *rest = line.split()
            if word == "cases":
                cases += int(rest[0])
            else:
                by_name[rest[0]].add(*map(int, rest[1:]))
    names, launches = launched_names(), {}
    for kernel, _ in kernels_of_the_tree():
        launches[kernel] = Launches()
        for name in names.get(kernel) or {kernel.removesuffix("_kernel")}:
            found = by_name[name]
            launches[kernel].add(found.checked, found.others, found.threads, found.shared)
    return launches, cases


def read_compile_checks(directory: pathlib.Path):
    """(kernel function, architecture) -> [registers, spilled bytes, threads], the most of its instances"""
    figures = collections.defaultdict(lambda: [0, 0, 0])
    for path in sorted(directory.glob("*.json")):
        for name, architecture, registers, spilled, _, threads in json.loads(path.read_text())["kernels"]:
            figures[name, architecture] = list(map(max, figures[name, architecture], (registers, spilled, threads)))
    return figures


def read_mutants(path: pathlib.Path):
    """kernel function -> [caught, seeded]"""
    counts = collections.defaultdict(lambda: [0, 0])
    for kernel, caught in re.findall(r"^\| .* \| `(\w+)` \| (.*) \|$", path.read_text(), re.MULTILINE):
        counts[kernel][0] += caught not in ("**nothing**", "**not run**")
        counts[kernel][1] += 1
    return counts


def row_of(kernel: Kernel, launches, figures, mutants) -> str:
    gated = all((kernel.name, a) in figures for a in ARCHITECTURES)
    registers = ", ".join(str(figures[kernel.name, a][0]) for a in ARCHITECTURES) if gated else "-"
    spilled = sum(figures[kernel.name, a][1] for a in ARCHITECTURES) if gated else "-"
    ran = launches[kernel.name]
    caught, seeded = mutants[kernel.name]
    return (f"| `{kernel.name}` | {kernel.file} | {ran.checked} | {ran.others} | {caught}/{seeded} | {spilled} "
            f"| {registers} | {ran.threads} | {ran.shared} |")


def write_list(path: pathlib.Path, launches, cases: int, figures, mutants) -> None:
    kernels = kernels_of_the_tree()
    total = [sum(counts[i] for counts in mutants.values()) for i in (0, 1)]
    path.write_text(f"""# The CUDA kernels

Made by `tests/kernels/list_kernels.py`: {len(kernels)} kernels, counted without the instances of their
templates, and {cases} emulated cases. A case is one call of an op that the emulator checks for races, bounds,
uninitialized reads and barriers in forward order and repeats in reverse and in shuffled order, with results
equal bit for bit. No figure here says anything about speed.

- *checked*, *other orders*: launches of the kernel under the checker, and without it in other orders; every
  checked launch was clean, or its test would have failed
- *mistakes*: caught of seeded ({total[0]} of {total[1]}; [mutation_results.md](mutation_results.md))
- *spills*: bytes, over all instances and architectures
- *registers*: the most of all instances for sm_80, sm_90a, sm_120; a dash where the compile checks have not run
- *threads*, *shared*: the largest block launched, and its shared memory, static and dynamic, in bytes

| kernel | file | checked | other orders | mistakes | spills | registers | threads | shared |
|---|---|---:|---:|---:|---:|---|---:|---:|
""" + "\n".join(row_of(kernel, launches, figures, mutants) for kernel in kernels) + "\n")
    print(f"{path}: {len(kernels)} kernels, {cases} cases")


def problems(text: str, launches, cases: int, figures) -> List[str]:
    kernels = kernels_of_the_tree()
    listed = {Kernel(*row) for row in re.findall(r"^\| `(\w+)` \| (\S+) \|", text, re.MULTILINE)}
    seeded = {bug.place.kernel for bug in CONV_MUTANTS + OP_MUTANTS}
    found = [f"{k.name} of {k.file} is not in the list" for k in kernels if k not in listed]
    found += [f"{k.name} of {k.file} is in the list but not in the tree" for k in sorted(listed - set(kernels))]
    found += [f"{k.name} has no seeded mistake in tests/mutation" for k in kernels if k.name not in seeded]
    for kernel in kernels:
        ran = launches[kernel.name]
        limit = HOPPER_SHARED_LIMIT if kernel.name in HOPPER else SHARED_LIMIT
        if ran.checked == 0:
            found.append(f"{kernel.name} never ran under the checker")
        if ran.shared > limit:
            found.append(f"{kernel.name} takes {ran.shared} bytes of shared memory, at most {limit} fit everywhere")
        found += [f"{kernel.name} is launched with {ran.threads} threads, its bounds for sm_{a} are {bound}"
                  for a in ARCHITECTURES if ran.threads > (bound := figures[kernel.name, a][2]) > 0]
    found += [f"{name} of kernels/kernels.def is called by no test in tests/kernels" for name in untested_entries()]
    if cases < MIN_CASES:
        found.append(f"{cases} emulated cases, expected at least {MIN_CASES}")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--logs", type=pathlib.Path, required=True)
    parser.add_argument("--compile-checks", type=pathlib.Path, required=True)
    parser.add_argument("--mutants", type=pathlib.Path)
    parser.add_argument("--check", type=pathlib.Path)
    parser.add_argument("-o", "--output", type=pathlib.Path, default=ROOT / "docs/kernels.md")
    arguments = parser.parse_args()
    launches, cases = read_logs(arguments.logs)
    figures = read_compile_checks(arguments.compile_checks)
    if arguments.check is None:
        write_list(arguments.output, launches, cases, figures, read_mutants(arguments.mutants))
        return 0
    found = problems(arguments.check.read_text(), launches, cases, figures)
    print("\n".join(found))
    if found:
        print("Make the list again: docs/testing.md says how.")
        return 1
    checked = sum(ran.checked for ran in launches.values())
    print(f"emulated: {cases} cases, {checked} checked launches of {len(launches)} kernels, all clean")
    return 0


if __name__ == "__main__":
    sys.exit(main())
