#!/usr/bin/env python3
"""check_programs.py --ebb FILE --train-mnist FILE: what the finished programs link.

ebb holds no symbol of ebb::autograd, train_mnist does (else the check on ebb would prove nothing),
and neither needs a library of the CUDA toolkit or the driver at start-up, nor names cuDNN or cuBLAS to
open later. Exit code 77: not built.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from typing import List

SKIPPED = 77
AUTOGRAD = re.compile(r"\bebb::autograd::")
NEEDED = re.compile(r"\(NEEDED\)[^\[]*\[([^\]]+)\]")
FORBIDDEN_LIBRARY = re.compile(r"^lib(cuda|cudart|cublas|cublasLt|cudnn|nvrtc|curand|python[\d.]*|torch)\b")


def output_of(*command: str) -> str:
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout


def autograd_symbols(nm_output: str) -> List[str]:
    return [line for line in nm_output.splitlines() if AUTOGRAD.search(line)]


def forbidden_libraries(readelf_output: str) -> List[str]:
    return [name for name in NEEDED.findall(readelf_output) if FORBIDDEN_LIBRARY.match(name)]


def vendor_names(program: bytes) -> List[str]:
    return [name.decode() for name in (b"libcudnn", b"libcublas") if name in program]


def problems(ebb: str, train_mnist: str) -> List[str]:
    found = []
    ebb_symbols = output_of("nm", "-C", ebb)
    if " main" not in ebb_symbols:
        found.append(f"{ebb}: nm lists no main; a stripped program cannot be checked")
    for line in autograd_symbols(ebb_symbols)[:5]:
        found.append(f"{ebb}: links ebb::autograd: {line.strip()}")
    if not autograd_symbols(output_of("nm", "-C", train_mnist)):
        found.append(f"{train_mnist}: no symbol of ebb::autograd; has the namespace another name now?")
    for program in (ebb, train_mnist):
        for library in forbidden_libraries(output_of("readelf", "-d", "-W", program)):
            found.append(f"{program}: needs {library} at start-up")
        with open(program, "rb") as file:
            for name in vendor_names(file.read()):
                found.append(f"{program}: names {name}")
    return found


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--ebb", required=True)
    parser.add_argument("--train-mnist", required=True)
    arguments = parser.parse_args()
    for program in (arguments.ebb, arguments.train_mnist):
        if not os.path.exists(program):
            print(f"skipped: {program} is not built")
            return SKIPPED
    for tool in ("nm", "readelf"):
        if shutil.which(tool) is None:
            print(f"skipped: {tool} (package binutils) is not installed")
            return SKIPPED
    found = problems(arguments.ebb, arguments.train_mnist)
    print("\n".join(found) or "ebb is free of autograd; no program needs CUDA libraries")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
