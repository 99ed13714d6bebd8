"""The mistakes that kernels.py seeds into the CUDA kernels."""

from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).resolve().parents[2]


def path_of(name: str) -> str:
    """The file for GPUs of this name in kernels/, from the root of the repository."""
    found = [p for p in sorted(REPOSITORY.glob(f"kernels/**/{name}")) if p.parent.name != "cpu"]
    if len(found) != 1:
        raise ValueError(f"{name}: {len(found)} files of kernels/ have this name, must be one")
    return str(found[0].relative_to(REPOSITORY))


class Place(NamedTuple):
    kernel: str
    name: str  # of the file: conv_mma.cu
    tests: str  # which test cases are to notice, for Catch2
    compiled: str = ""  # name of the .cu that is compiled, where the file is a header

    @property
    def file(self) -> str:
        return path_of(self.name)

    @property
    def source(self) -> str:
        return path_of(self.compiled or self.name)

    @property
    def program(self) -> str:
        return "test_conv_cuda" if self.source.startswith("kernels/conv/") else "test_kernels"


class Mutant(NamedTuple):
    name: str
    place: Place
    old: str  # once in the file
    new: str
