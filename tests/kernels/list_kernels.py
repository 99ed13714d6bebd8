#!/usr/bin/env python3
"""list_kernels.py --log FILE [--nvcc nvcc] [-o docs/kernels.md]   lists every CUDA kernel.

FILE is what the test programs write with EBB_EMULATOR_LOG=FILE: the launches of each kernel on the
emulator, with and without its checker. A launch that the checker objects to fails its test, so what
is counted is clean. Registers and spills are ptxas's, for sm_90a, the largest of all instances of a
template; they need nvcc.
"""

import argparse
import collections
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
KERNEL = re.compile(r"__global__\s+void\s+(?:__launch_bounds__\([^)]*(?:\([^)]*\))?[^)]*\)\s*)?(\w+)\s*\(")
USED = re.compile(r"Used (\d+) registers")
SPILLS = re.compile(r"(\d+) bytes spill stores, (\d+) bytes spill loads")

# Kernels that helpers launch under the name of the op that calls them.
NAMED_BY_CALLER = {
    "map_kernel": r'\bmap<\w+>\(\s*"(\w+)"',
    "random_fill_kernel": r'\bfill<[\w:]+>\(\s*"(\w+)"',
    "sum_terms_kernel": r'\bsum_terms\(\s*"(\w+)"',
    "sum_partials_kernel": r'\bsum_terms\(\s*"(\w+)"',
}


def sources():
    return sorted((ROOT / "kernels").rglob("*.cu")), sorted((ROOT / "kernels/cuda").glob("*.h"))


def kernels_in(path):
    return KERNEL.findall(path.read_text())


def launched_names(texts):
    """kernel function -> names of its launches: the first string and every *_kernel of a statement."""
    names = collections.defaultdict(set)
    for text in texts:
        for start in (m.start() for m in re.finditer(r"\b(?:simt::)?launch\(", text)):
            statement = text[start : text.find(";", start)]
            name = re.search(r'"(\w+)"', statement)
            for kernel in re.findall(r"\b(\w+_kernel)\b", statement):
                names[kernel].add(name.group(1) if name else kernel.removesuffix("_kernel"))
        for kernel, call in NAMED_BY_CALLER.items():
            names[kernel].update(re.findall(call, text))
    return names


def read_log(path):
    counts = collections.Counter(), collections.Counter()
    for line in pathlib.Path(path).read_text().splitlines():
        kernel, checked, unchecked = line.split()
        counts[0][kernel] += int(checked)
        counts[1][kernel] += int(unchecked)
    return counts


def ptxas_figures(nvcc, files):
    """kernel function -> (registers, spilled bytes), the largest of its instances."""
    figures = {}
    for path in files:
        with tempfile.TemporaryDirectory() as folder:
            command = [nvcc, "-std=c++20", "--expt-relaxed-constexpr", f"-I{ROOT}", "-Xptxas", "-v",
                       "-gencode", "arch=compute_90a,code=sm_90a", "-cubin", str(path),
                       "-o", f"{folder}/x.cubin"]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
        demangled = subprocess.run(["c++filt"], input=done.stderr, capture_output=True, text=True,
                                   check=True).stdout
        kernel, spilled = None, 0
        for line in demangled.splitlines():
            found = re.search(r"Compiling entry function '.*?(\w+_kernel)\b", line)
            if found:
                kernel = found.group(1)
            if SPILLS.search(line):
                spilled = sum(map(int, SPILLS.search(line).groups()))
            if USED.search(line) and kernel:
                old = figures.get(kernel, (0, 0))
                figures[kernel] = (max(old[0], int(USED.search(line).group(1))), max(old[1], spilled))
    return figures


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--log", required=True)
    parser.add_argument("--nvcc", default="")
    parser.add_argument("-o", "--output", default=str(ROOT / "docs/kernels.md"))
    arguments = parser.parse_args()
    cu_files, headers = sources()
    checked, unchecked = read_log(arguments.log)
    launches = launched_names(path.read_text() for path in [*cu_files, *headers])
    figures = ptxas_figures(arguments.nvcc, cu_files) if arguments.nvcc else {}
    rows, unlaunched = [], []
    for path in [*cu_files, *headers]:
        for kernel in kernels_in(path):
            names = launches.get(kernel) or {kernel.removesuffix("_kernel")}
            clean = sum(checked[name] for name in names)
            other = sum(unchecked[name] for name in names)
            registers, spilled = figures.get(kernel, ("", ""))
            rows.append(f"| `{kernel}` | {path.relative_to(ROOT)} | {clean} | {other} | {registers} | {spilled} |")
            if clean + other == 0:
                unlaunched.append(kernel)
    text = f"""# The CUDA kernels

Made by `tests/kernels/list_kernels.py`; {len(rows)} kernels, counted without the instances of their
templates. *Checked* and *other orders* are launches in the test programs on the emulator: checked for
races, bounds, uninitialised reads and barriers in forward order, and unchecked in reverse and shuffled
order with results equal bit for bit. *Registers* and *spilled bytes* are ptxas's for sm_90a, the largest
instance. No figure here says anything about speed.

| kernel | file | checked | other orders | registers | spilled bytes |
|---|---|---:|---:|---:|---:|
""" + "\n".join(rows) + "\n"
    pathlib.Path(arguments.output).write_text(text)
    print(f"{arguments.output}: {len(rows)} kernels")
    for kernel in unlaunched:
        print(f"warning: {kernel} was not launched in any test")
    return 1 if unlaunched else 0


if __name__ == "__main__":
    sys.exit(main())
