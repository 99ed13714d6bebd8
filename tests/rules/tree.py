"""The tree that rules read: path from the repository root -> text."""

from typing import Dict, Iterable, NamedTuple

Tree = Dict[str, str]


class Violation(NamedTuple):
    path: str
    line: int
    message: str

    def __str__(self):
        return f"{self.path}:{self.line}: {self.message}"


# --- what kind of file ---------------------------------------------------------------------------

CPP_SUFFIXES = (".h", ".cc", ".cu", ".cuh", ".inl")
EXAMPLES = "tests/rules/rules_test.py"  # holds violating snippets on purpose


def is_cpp(path: str) -> bool:
    return path.endswith(CPP_SUFFIXES)


def is_header(path: str) -> bool:
    return path.endswith((".h", ".cuh"))


def is_source(path: str, text: str) -> bool:
    """Anything written by hand to be compiled or run, so not prose, data or goldens."""
    return (
        is_cpp(path)
        or path.endswith((".py", ".cmake", "CMakeLists.txt"))
        or text.startswith("#!")
    )


def lines_of(tree: Tree, wanted) -> Iterable:
    for path, text in sorted(tree.items()):
        if path != EXAMPLES and wanted(path, text):
            for number, line in enumerate(text.splitlines(), start=1):
                yield path, number, line


def cpp_lines(tree: Tree) -> Iterable:
    return lines_of(tree, lambda path, text: is_cpp(path))
