#!/usr/bin/env python3
"""check_kernels.py --nvcc NVCC --results DIR SOURCE...: what a GPU would trip over, asked of ptxas.

Compiles every kernel file for each architecture and fails when ptxas refuses it, spills registers,
serializes wgmma, or a kernel needs more registers or static shared memory than a block can have, or
when a kernel lacks the instructions it was written for, or when host code calls a function of the
device alone, for which nvcc puts an exit(1) without a word; also when dynamic shared memory is not
aligned as swizzled tiles want it, when GPUs that have no code of their own cannot run the PTX, and when
a Debug build of a kernel that waits for mbarriers would wait forever. Prints one line per compilation and
leaves its figures in DIR, of which tests/kernels/list_kernels.py makes a table.

What passed is kept by the content of the files that were read, for all checkouts alike, in
EBB_GATES_CACHE (default ~/.cache/ebb/gates), so that only what changed is compiled again.
"""

import argparse
import concurrent.futures
import contextlib
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional

ARCHITECTURES = ("80", "90a", "120")
WITH_HOST = "80"  # compiled with the host's half
# GPUs whose driver compiles the PTX of WITH_HOST (cmake/cuda.cmake): one of compute capability 10.x.
BY_PTX = "100"
OUTPUT = "out"
REGISTERS_PER_SM = 65536
STATIC_SHARED_LIMIT = 48 * 1024
# kernels/simt/shared_memory.h: kMaxStaticBesideDynamic, kDynamicSharedAlignment
STATIC_BESIDE_DYNAMIC, DYNAMIC_ALIGNMENT = 16 * 1024, 1024
DYNAMIC_SHARED = "ebb_simt_dynamic_shared"

# Elsewhere than on sm_90a kernels with wgmma are compiled to a trap.
WGMMA = ("wgmma.mma_async", "cp.async.bulk.tensor.4d", "mbarrier.try_wait")
HOPPER = {"conv_wgmma_kernel": WGMMA, "conv_wgrad_wgmma_kernel": (*WGMMA, "setmaxnreg")}

# What only a Debug build of them has: a limit for waits, and a report.
DEVICE_CHECKS, CHECKS = "-DEBB_DEVICE_CHECKS", ("%globaltimer", "vprintf", "trap;")

# What the PTX of a kernel must have; where | stands, one of them.
EXPECTED = {
    "attention_mma_kernel": ("mma.sync", "ldmatrix", "ldmatrix.sync.aligned.m8n8.x4.trans", "cp.async", "ex2.approx"),
    "conv_mma_kernel": ("mma.sync", "ldmatrix", "cp.async"),
    "conv_wgrad_mma_kernel": ("mma.sync", "ldmatrix.sync.aligned.m8n8.x4.trans|tf32.tf32", "cp.async"),
    "conv_simt_kernel": ("fma.rn.f32",),
    "conv_wgrad_simt_kernel": ("fma.rn.f32",),
    "conv_wgrad_narrow_kernel": ("fma.rn.f32",),
}
# No kernel may use these: results would depend on the order of threads.
FORBIDDEN = ("atom.global.add.f32", "atom.add.f32", "red.global.add.f32", "red.add.f32")

# "wgmma.mma_async instructions are serialized", "'setmaxnreg' ignored" and all else that nvcc and
# ptxas find worth a word.
WARNING = re.compile(r"\bwarning\b|Potential Performance Loss|are serialized|'setmaxnreg' ignored")
COMPILING = re.compile(r"Compiling entry function '([^']+)' for 'sm_(\w+)'")
SPILLS = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
USED = re.compile(r"Used (\d+) registers(?:.*?(\d+) bytes smem)?")
# A body reaches to the next function: blocks of inline PTX have braces of their own.
ENTRY = re.compile(r"\.entry\s+(\w+)\s*\(.*?\)\s*(.*?)\{(.*?)(?=\.entry\s|\.func\s|\Z)", re.DOTALL)
DYNAMIC = re.compile(r"\.extern\s+\.shared\s+\.align\s+(\d+)\s+\.b8\s+(\w+)")
THREADS = re.compile(r"\.maxntid\s+(\d+)(?:\s*,\s*(\d+))?(?:\s*,\s*(\d+))?")


class Kernel(NamedTuple):
    name: str  # without namespaces and template arguments
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


def short_name(mangled: str) -> str:
    """conv_mma_kernel of _ZN3ebb4cuda<anonymous namespace>15conv_mma_kernelI6__half..."""
    at, name = mangled.index("_ZN") + 3 if "_ZN" in mangled else 2, mangled
    while length := re.match(r"\d+", mangled[at:]):
        at += length.end()
        name = mangled[at : at + int(length.group())]
        at += int(length.group())
    return name


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
    elif kernel.shared > STATIC_BESIDE_DYNAMIC and DYNAMIC_SHARED in body:
        found.append(f"{kernel.shared} bytes of static shared memory beside dynamic, at most {STATIC_BESIDE_DYNAMIC}")
    found += [f"no {i} in its PTX" for i in EXPECTED.get(kernel.name, ())
              if not any(one in body for one in i.split("|"))]
    if kernel.architecture == "90a":
        found += [f"no {i} in its PTX" for i in HOPPER.get(kernel.name, ()) if i not in body]
        found += [f"{i} in its PTX, which is for Debug builds" for i in CHECKS if i in body]
    found += [f"{i} in its PTX" for i in FORBIDDEN if i in body]
    return found


def problems_of_file(ptx: str) -> List[str]:
    return [f"{name} is aligned to {alignment} bytes, must be to {DYNAMIC_ALIGNMENT}: swizzled tiles would lie "
            f"elsewhere than TMA and wgmma look for them"
            for alignment, name in DYNAMIC.findall(ptx) if int(alignment) < DYNAMIC_ALIGNMENT]


def problems_of_debug(ptx: str) -> List[str]:
    """Of a file with kernels that wait for mbarriers, compiled with DEVICE_CHECKS for sm_90a."""
    return [f"{short_name(name)} has no {i} in the PTX of a Debug build"
            for name, (_, body) in parse_ptx(ptx).items() for i in CHECKS
            if short_name(name) in HOPPER and i not in body]


def calls_exit(object_file: str) -> bool:
    undefined = subprocess.run(["nm", "-u", object_file], check=True, capture_output=True, text=True).stdout
    return re.search(r"\bU exit\b", undefined) is not None


def run_nvcc(nvcc: str, root: str, source: str, architecture: str, directory: str, *flags: str):
    """-> finished process, PTX, files that were read"""
    dependencies = os.path.join(directory, "dependencies")
    # The host's half is the same for all.
    kind = "-c" if architecture == WITH_HOST else "-cubin"
    command = [nvcc, "-std=c++20", "--expt-relaxed-constexpr", "-O3", "-I", root, "-I", os.path.join(root, "include"),
               "-gencode", f"arch=compute_{architecture},code=sm_{architecture}",
               "-Xptxas", "-v", "--keep", "--keep-dir", directory, "-MD", "-MF", dependencies,
               *flags, kind, "-o", os.path.join(directory, OUTPUT), source]
    done = subprocess.run(command, capture_output=True, text=True)
    ptx = "".join(path.read_text() for path in sorted(Path(directory).glob("*.ptx")))
    with open(dependencies if done.returncode == 0 else os.devnull) as file:
        words = [os.path.abspath(word) for word in file.read().split()]
    return done, ptx, sorted({w for w in words if w.startswith(root) and os.path.isfile(w)})


def problems_of_ptx_alone(nvcc: str, directory: str) -> List[str]:
    """What the driver of a GPU without code of its own would say to the PTX in the directory."""
    ptxas = str(Path(nvcc).with_name("ptxas"))
    problems = []
    for ptx in sorted(Path(directory).glob("*.ptx")):
        made = os.path.join(directory, "by_ptx.cubin")
        done = subprocess.run([ptxas, f"-arch=sm_{BY_PTX}", "-o", made, ptx], capture_output=True, text=True)
        if done.returncode != 0:
            problems.append(f"its PTX does not compile for sm_{BY_PTX}:\n{done.stdout + done.stderr}")
    return problems


def problems_of_debug_build(nvcc: str, root: str, source: str) -> List[str]:
    with tempfile.TemporaryDirectory() as directory:
        done, ptx, _ = run_nvcc(nvcc, root, source, "90a", directory, DEVICE_CHECKS)
    if done.returncode != 0:
        return [f"does not compile with {DEVICE_CHECKS}:\n{done.stdout + done.stderr}"]
    return problems_of_debug(ptx)


def compile_file(nvcc: str, root: str, source: str, architecture: str):
    """-> kernels as lists, problems, files of the tree that were read"""
    with tempfile.TemporaryDirectory() as directory:
        done, ptx_text, files = run_nvcc(nvcc, root, source, architecture, directory)
        text = done.stdout + done.stderr
        if done.returncode != 0:
            return [], [f"does not compile for sm_{architecture}:\n{text}"], files
        problems = [f"sm_{architecture}: {line}" for line in text.splitlines() if WARNING.search(line)]
        problems += [f"sm_{architecture}: {problem}" for problem in problems_of_file(ptx_text)]
        if architecture == WITH_HOST:
            if calls_exit(os.path.join(directory, OUTPUT)):
                problems.append("host code calls a __device__ function: mark it EBB_HOST_DEVICE")
            problems += problems_of_ptx_alone(nvcc, directory)
    kernels, ptx, used = [], parse_ptx(ptx_text), parse_ptxas(text)
    if architecture == "90a" and any(short_name(name) in HOPPER for name in ptx):
        problems += problems_of_debug_build(nvcc, root, source)
    if set(used) != set(ptx):
        problems.append(f"sm_{architecture}: ptxas names {len(used)} kernels, the PTX has {len(ptx)}")
    for name in sorted(set(used) & set(ptx)):
        registers, spilled, shared = used[name]
        threads, body = ptx[name]
        kernel = Kernel(short_name(name), architecture, registers, spilled, shared, threads)
        kernels.append(list(kernel))
        problems += [f"sm_{architecture} {name}: {p}" for p in problems_of(kernel, body)]
    return kernels, problems, files


class Cache:
    """Figures of compilations that passed. What failed is compiled again: no record says which
    files it read."""

    KEPT = 16  # of one file and architecture

    def __init__(self, directory: Path, root: str, version: str) -> None:
        self.directory, self.root, self.version = directory, root, version

    def digest(self, files: List[str]) -> str:
        digest = hashlib.sha256(self.version.encode())
        for name in files:
            path = Path(self.root, name)
            digest.update(name.encode() + b"\0" + (path.read_bytes() if path.exists() else b""))
        return digest.hexdigest()

    def files_of(self, name: str) -> Path:
        """The list of files that the last compilation read."""
        return self.directory / f"{name}.files"

    def find(self, name: str) -> Optional[List]:
        with contextlib.suppress(OSError, ValueError):
            digest = self.digest(json.loads(self.files_of(name).read_text()))
            return json.loads((self.directory / f"{name}.{digest}.json").read_text())
        return None

    def keep(self, name: str, files: List[str], kernels: List) -> None:
        with contextlib.suppress(OSError):  # a cache that cannot be written costs time alone
            self.directory.mkdir(parents=True, exist_ok=True)
            relative = sorted(os.path.relpath(file, self.root) for file in files)
            (self.directory / f"{name}.{self.digest(relative)}.json").write_text(json.dumps(kernels))
            self.files_of(name).write_text(json.dumps(relative))
            kept = sorted(self.directory.glob(f"{name}.*.json"), key=os.path.getmtime)
            for old in kept[: -self.KEPT]:
                old.unlink()


def check(nvcc: str, root: str, source: str, architecture: str, cache: Cache, results: Path):
    """-> kernels, problems, whether it was compiled"""
    name = os.path.relpath(source, root).replace("/", "_") + f".{architecture}"
    kernels, problems = cache.find(name), []
    is_new = kernels is None
    if is_new:
        kernels, problems, files = compile_file(nvcc, root, source, architecture)
        if not problems:
            cache.keep(name, [source, os.path.abspath(__file__), *files], kernels)
    (results / f"{name}.json").write_text(json.dumps({"kernels": kernels}))
    return kernels, problems, is_new


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--nvcc", required=True)
    parser.add_argument("--root", default=os.path.join(os.path.dirname(__file__), "..", ".."))
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("sources", nargs="+")
    arguments = parser.parse_args()
    root = os.path.abspath(arguments.root)
    arguments.results.mkdir(parents=True, exist_ok=True)
    for old in arguments.results.glob("*.json"):  # of a kernel file that is no more
        old.unlink()
    version = subprocess.run([arguments.nvcc, "--version"], capture_output=True, text=True).stdout
    directory = Path(os.environ.get("EBB_GATES_CACHE") or Path.home() / ".cache" / "ebb" / "gates")
    cache = Cache(directory, root, version)
    # Long files first, so that none is left alone at the end.
    sources = sorted((os.path.abspath(s) for s in arguments.sources), key=os.path.getsize, reverse=True)
    jobs = [(source, architecture) for source in sources for architecture in ARCHITECTURES]
    rows, failed, compiled = [], 0, 0
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        results = pool.map(lambda job: check(arguments.nvcc, root, *job, cache, arguments.results), jobs)
        for (source, architecture), (kernels, problems, is_new) in zip(jobs, results):
            most = max((k[2] for k in kernels), default=0)
            print(f"{'FAIL' if problems else 'ok  '} {os.path.relpath(source, root)} sm_{architecture}: "
                  f"{len(kernels)} kernels, at most {most} registers")
            for problem in problems:
                print(f"     {problem}")
            failed += bool(problems)
            compiled += is_new
            rows += [Kernel(*k) for k in kernels]
    if not rows:
        print("FAIL: no kernel found; nothing was checked")
        return 1
    print(f"{len(rows)} instances of {len({row.name for row in rows})} kernels in {len(jobs)} compilations, "
          f"{len(jobs) - compiled} of them kept from an earlier run, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
