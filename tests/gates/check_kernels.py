#!/usr/bin/env python3
"""check_kernels.py --nvcc NVCC --cache DIR SOURCE...: what a GPU would trip over, asked of ptxas.

Compiles every kernel file for each architecture and fails when ptxas refuses it, spills registers,
serializes wgmma, or a kernel needs more registers or static shared memory than a block can have, or
when a kernel lacks the instructions it was written for. Results are kept in DIR by the content of
the sources, so that only what changed is compiled again. Prints one line per file and a table of
kernels into DIR/kernels.md. Exit code 77: no nvcc.
"""

import argparse
import concurrent.futures
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from typing import Dict, List, NamedTuple

SKIPPED = 77
ARCHITECTURES = ("80", "90a", "120")
REGISTERS_PER_SM = 65536
STATIC_SHARED_LIMIT = 48 * 1024

# Elsewhere than on sm_90a kernels with wgmma are compiled to a trap.
HOPPER = ("conv_wgmma_kernel",)
HOPPER_INSTRUCTIONS = ("wgmma.mma_async", "cp.async.bulk.tensor.4d", "mbarrier.try_wait", "setmaxnreg")

# Kernels whose name contains the key must have these instructions in their PTX.
EXPECTED = {
    "conv_mma_kernel": ("mma.sync", "ldmatrix", "cp.async"),
    "conv_wgrad_mma_kernel": ("mma.sync", "ldmatrix.sync.aligned.m8n8.x4.trans", "cp.async"),
    "conv_simt_kernel": ("fma.rn.f32",),
    "conv_wgrad_simt_kernel": ("fma.rn.f32",),
}
# No kernel may use these: results would depend on the order of threads.
FORBIDDEN = ("atom.global.add.f32", "atom.add.f32", "red.global.add.f32", "red.add.f32")

SERIALIZED = re.compile(r"wgmma\.mma_async instructions are serialized|'setmaxnreg' ignored")
COMPILING = re.compile(r"Compiling entry function '([^']+)' for 'sm_(\w+)'")
SPILLS = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
USED = re.compile(r"Used (\d+) registers(?:.*?(\d+) bytes smem)?")
ENTRY = re.compile(r"\.entry\s+(\w+)\s*\(.*?\)\s*(.*?)\{(.*?)\n\}", re.DOTALL)
THREADS = re.compile(r"\.maxntid\s+(\d+)(?:\s*,\s*(\d+))?(?:\s*,\s*(\d+))?")


class Kernel(NamedTuple):
    name: str
    architecture: str
    registers: int
    spilled: int  # bytes, loads and stores
    shared: int  # bytes, static
    threads: int  # of __launch_bounds__, 0 without


def parse_ptxas(text: str) -> Dict[str, List[int]]:
    """name -> [registers, spilled bytes, static shared bytes]"""
    kernels, current = {}, None
    for line in text.splitlines():
        if match := COMPILING.search(line):
            current = kernels.setdefault(match.group(1), [0, 0, 0])
        elif current is not None and (match := SPILLS.search(line)):
            current[1] = int(match.group(2)) + int(match.group(3))
        elif current is not None and (match := USED.search(line)):
            current[0] = int(match.group(1))
            current[2] = int(match.group(2) or 0)
    return kernels


def parse_ptx(text: str) -> Dict[str, List]:
    """name -> [threads of __launch_bounds__, body]"""
    kernels = {}
    for name, directives, body in ENTRY.findall(text):
        bound = THREADS.search(directives)
        threads = 1
        for part in bound.groups() if bound else ("0",):
            threads *= int(part or 1)
        kernels[name] = [threads, body]
    return kernels


def problems_of(kernel: Kernel, body: str) -> List[str]:
    found = []
    if kernel.spilled > 0:
        found.append(f"spills {kernel.spilled} bytes")
    if kernel.threads == 0:
        found.append("has no __launch_bounds__")
    # ptxas gives registers to warps in units of 8 per thread.
    if (kernel.registers + 7) // 8 * 8 * kernel.threads > REGISTERS_PER_SM:
        found.append(f"{kernel.registers} registers x {kernel.threads} threads do not fit an SM")
    if kernel.shared > STATIC_SHARED_LIMIT:
        found.append(f"{kernel.shared} bytes of static shared memory, at most {STATIC_SHARED_LIMIT}")
    for part, instructions in EXPECTED.items():
        if part in kernel.name:
            found += [f"no {i} in its PTX" for i in instructions if i not in body]
    if kernel.architecture == "90a" and any(part in kernel.name for part in HOPPER):
        found += [f"no {i} in its PTX" for i in HOPPER_INSTRUCTIONS if i not in body]
    found += [f"{i} in its PTX" for i in FORBIDDEN if i in body]
    return found


def compile_file(nvcc: str, root: str, source: str, architecture: str):
    """-> kernels as lists, problems"""
    with tempfile.TemporaryDirectory() as folder:
        target = f"arch=compute_{architecture},code=sm_{architecture}"
        command = [nvcc, "-std=c++20", "--expt-relaxed-constexpr", "-lineinfo", "-O3", "-I", root,
                   "-gencode", target, "-Xptxas", "-v", "--keep", "--keep-dir", folder,
                   "-Xcompiler=-Wno-unknown-pragmas", "-c", "-o", os.path.join(folder, "out.o"), source]
        run = subprocess.run(command, capture_output=True, text=True)
        if run.returncode != 0:
            return [], [f"does not compile for sm_{architecture}:\n{run.stdout}{run.stderr}"]
        ptx = {}
        for name in os.listdir(folder):
            if name.endswith(".ptx"):
                with open(os.path.join(folder, name)) as file:
                    ptx.update(parse_ptx(file.read()))
    text = run.stdout + run.stderr
    kernels, problems = [], []
    if SERIALIZED.search(text):
        problems.append(f"sm_{architecture}: wgmma will be slow: {SERIALIZED.search(text).string[:300]}")
    used = parse_ptxas(text)
    if set(used) != set(ptx):
        problems.append(f"sm_{architecture}: ptxas names {len(used)} kernels, the PTX has {len(ptx)}")
    for name in sorted(set(used) & set(ptx)):
        registers, spilled, shared = used[name]
        threads, body = ptx[name]
        kernel = Kernel(name, architecture, registers, spilled, shared, threads)
        kernels.append(list(kernel))
        problems += [f"sm_{architecture} {name}: {p}" for p in problems_of(kernel, body)]
    return kernels, problems


def digest_of(root: str, source: str, architecture: str, nvcc: str) -> str:
    """Of the file and all headers that kernels may include."""
    digest = hashlib.sha256(f"{architecture}\n{nvcc}\n".encode())
    paths = [source, os.path.abspath(__file__)]
    for folder in ("kernels", "engine/base"):
        for at, _, names in os.walk(os.path.join(root, folder)):
            paths += [os.path.join(at, name) for name in names if name.endswith(".h")]
    for path in sorted(paths):
        with open(path, "rb") as file:
            digest.update(path.encode() + b"\0" + file.read())
    return digest.hexdigest()


def check(nvcc: str, version: str, root: str, source: str, architecture: str, cache: str):
    name = os.path.relpath(source, root).replace("/", "_")
    path = os.path.join(cache, f"{name}.{architecture}.json")
    digest = digest_of(root, source, architecture, version)
    if os.path.exists(path):
        with open(path) as file:
            stored = json.load(file)
        if stored["digest"] == digest:
            return stored["kernels"], stored["problems"]
    kernels, problems = compile_file(nvcc, root, source, architecture)
    with open(path, "w") as file:
        json.dump({"digest": digest, "kernels": kernels, "problems": problems}, file)
    return kernels, problems


def readable(names: List[str]) -> Dict[str, str]:
    """Mangled -> demangled, where c++filt is installed."""
    try:
        run = subprocess.run(["c++filt", "-p"], input="\n".join(names), capture_output=True, text=True)
    except OSError:
        return {name: name for name in names}
    return dict(zip(names, run.stdout.splitlines()))


def write_table(path: str, rows: List[Kernel]):
    names = readable([row.name for row in rows])
    with open(path, "w") as file:
        file.write("| kernel | sm | registers | threads | static shared | spills |\n|---|---|---|---|---|---|\n")
        for row in rows:
            name = names[row.name].replace("|", "\\|").replace("(anonymous namespace)::", "")
            file.write(f"| `{name}` | {row.architecture} | {row.registers} | {row.threads} "
                       f"| {row.shared} | {row.spilled} |\n")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--nvcc", default="")
    parser.add_argument("--root", default=os.path.join(os.path.dirname(__file__), "..", ".."))
    parser.add_argument("--cache", required=True)
    parser.add_argument("sources", nargs="+")
    arguments = parser.parse_args()
    if not os.path.exists(arguments.nvcc):
        print("skipped: gates of the CUDA kernels (no nvcc)")
        return SKIPPED
    root = os.path.abspath(arguments.root)
    os.makedirs(arguments.cache, exist_ok=True)
    version = subprocess.run([arguments.nvcc, "--version"], capture_output=True, text=True).stdout
    jobs = [(os.path.abspath(s), a) for s in arguments.sources for a in ARCHITECTURES]
    rows, failed = [], 0
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        results = pool.map(
            lambda job: check(arguments.nvcc, version, root, job[0], job[1], arguments.cache), jobs)
        for (source, architecture), (kernels, problems) in zip(jobs, results):
            name = os.path.relpath(source, root)
            most = max((k[2] for k in kernels), default=0)
            print(f"{'FAIL' if problems else 'ok  '} {name} sm_{architecture}: {len(kernels)} kernels, "
                  f"at most {most} registers")
            for problem in problems:
                print(f"     {problem}")
            failed += bool(problems)
            rows += [Kernel(*k) for k in kernels]
    if not rows:
        print("FAIL: no kernel found; nothing was checked")
        return 1
    write_table(os.path.join(arguments.cache, "kernels.md"), rows)
    print(f"{len(rows)} kernels in {len(jobs)} compilations, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
