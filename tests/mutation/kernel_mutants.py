"""The mistakes that kernels.py seeds into the CUDA kernels."""

from typing import NamedTuple


class Place(NamedTuple):
    kernel: str
    file: str
    tests: str  # which test cases are to notice, for Catch2
    compiled: str = ""  # the .cu that is compiled, where the file is a header

    @property
    def source(self) -> str:
        return self.compiled or self.file

    @property
    def program(self) -> str:
        return "test_conv_cuda" if "/conv_" in self.source else "test_kernels"


class Mutant(NamedTuple):
    name: str
    place: Place
    old: str  # once in the file
    new: str
