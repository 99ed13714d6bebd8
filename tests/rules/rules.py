"""The project rules as functions.

A rule takes a Tree (path from the repository root -> text) and yields Violations. RULES lists them
all; rules_test.py holds a violating example of each.
"""

import re
from typing import Dict, Iterable, Optional

from tree import Tree, Violation, cpp_lines, is_header, is_cpp, is_source, lines_of
from words import comments_open_with_a_noun, former_words_stay_away

MAX_LINES = 450  # fails
LONG_LINES = 400  # reported, does not fail
MAX_FUNCTION_LINES = 45  # of 99 in 100 functions


# --- includes ------------------------------------------------------------------------------------

# Layer -> prefix of its files and the layers it may include besides itself. A file belongs to the
# layer with the longest prefix of its path.
_ENGINE = {"include", "base", "kernels", "engine"}
_LIBRARY = _ENGINE | {"image", "text", "weights", "nn", "diffusion"}
_PRODUCT = _LIBRARY | {"nn/autograd", "api", "apps/cli", "apps/report", "apps/ebb", "apps/training",
                       "apps/train_mnist", "apps/train_text_to_image", "apps/emoji"}
MAY_INCLUDE = {
    "include": set(),
    "base": {"include"},
    "image": {"base"},
    "text": {"base"},
    "kernels": {"base"},
    "engine": {"base", "kernels"},
    "weights": _ENGINE,
    "nn": _ENGINE,
    "nn/autograd": _ENGINE | {"nn"},
    "diffusion": _ENGINE | {"image", "text", "weights", "nn"},
    "api": _LIBRARY | {"nn/autograd"},
    "apps/cli": _LIBRARY,
    "apps/report": _LIBRARY | {"apps/cli"},
    "apps/ebb": _LIBRARY | {"apps/cli", "apps/report"},
    "apps/training": _LIBRARY | {"nn/autograd", "apps/cli"},
    "apps/train_mnist": _LIBRARY | {"nn/autograd", "apps/cli", "apps/training"},
    "apps/train_text_to_image": _LIBRARY | {"nn/autograd", "apps/cli", "apps/training"},
    "apps/emoji": _LIBRARY | {"apps/cli"},
    "examples": {"include"},
    "emulator": _ENGINE,
    "testing": _LIBRARY | {"nn/autograd", "emulator"},
    "tests": _PRODUCT | {"emulator", "testing", "bench", "bench/bench_train"},
    "bench": _LIBRARY | {"apps/cli", "testing"},
    "bench/bench_train": _LIBRARY | {"nn/autograd", "apps/cli", "apps/training", "apps/train_mnist", "testing", "bench"},
}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
PUBLIC_HEADER = "include/"  # before "ebb/x.h", included as users do: <ebb/x.h>


def included_file(match, tree: Tree) -> str:
    """What an #include names: a path from the root when it is a file of this repository."""
    bracket, included = match.groups()
    return PUBLIC_HEADER + included if bracket == "<" and PUBLIC_HEADER + included in tree else included


def layer_of(path: str) -> Optional[str]:
    fitting = [layer for layer in MAY_INCLUDE if path.startswith(layer)]
    return max(fitting, key=len, default=None)


def include_direction(tree: Tree) -> Iterable[Violation]:
    for path, number, line in cpp_lines(tree):
        match = INCLUDE.match(line)
        if not match:
            continue
        bracket, included = match.group(1), included_file(match, tree)
        if bracket == '"' and included.startswith(PUBLIC_HEADER):
            yield Violation(path, number, f"write <{included[len(PUBLIC_HEADER):]}>: it is a public header")
            continue
        if bracket == "<" and not included.startswith(PUBLIC_HEADER):
            if included in tree:
                yield Violation(path, number, f'write "{included}": it is a file of this repository')
            continue
        if included not in tree:
            yield Violation(
                path, number, f'"{included}" is no file of this repository (paths start at its root)'
            )
            continue
        source, target = layer_of(path), layer_of(included)
        if source is None or target is None:
            yield Violation(path, number, "this directory has no layer; give it one in tests/rules/rules.py")
        elif target != source and target not in MAY_INCLUDE[source]:
            yield Violation(path, number, f'{source} must not include {target} ("{included}")')


def directory_of(path: str) -> str:
    """The directory whose name tells a reader what is in it: engine/ops, kernels/conv, apps/ebb.

    Sources for one kind of processor count as part of what they implement: kernels/conv/cuda, engine/cuda.
    """
    parts = path.split("/")[:-1]
    return parts[0] if parts[:2] == ["engine", "cuda"] else "/".join(parts[:2])


def no_circle_between_directories(tree: Tree) -> Iterable[Violation]:
    """Headers of two directories do not need each other, directly or through others."""
    needs: Dict[str, Dict[str, tuple]] = {}
    for path, number, line in cpp_lines(tree):
        match = INCLUDE.match(line)
        included = included_file(match, tree) if match else ""
        if included not in tree or path.startswith(("tests/", "bench/")):
            continue
        source, target = directory_of(path), directory_of(included)
        if source != target:
            needs.setdefault(source, {}).setdefault(target, (path, number, included))
    for source, targets in sorted(needs.items()):
        for target, (path, number, included) in sorted(targets.items()):
            if source in reachable(needs, target):
                yield Violation(path, number, f'"{included}" closes a circle: {target} needs {source}, too')


def reachable(needs: Dict[str, Dict[str, tuple]], start: str) -> set:
    found, waiting = set(), [start]
    while waiting:
        for target in needs.get(waiting.pop(), ()):
            if target not in found:
                found.add(target)
                waiting.append(target)
    return found


# A program that embeds the engine should not have to link what only the command line needs.
HEAVY_HEADER = re.compile(r"^\s*#\s*include\s*<(CLI/|cairo|jpeglib|gif_lib|spng|stb/|webp/)")
HEAVY_PLACES = ("apps/", "image/", "tests/", "bench/")


def the_library_links_no_command_line_and_no_codec(tree: Tree) -> Iterable[Violation]:
    for path, number, line in cpp_lines(tree):
        match = HEAVY_HEADER.match(line)
        if match and not path.startswith(HEAVY_PLACES):
            yield Violation(path, number, f"{match.group(1)}: only apps/ and image/ may use it")


CUDA_HEADER = re.compile(
    r'^\s*#\s*include\s*[<"](cuda|cub/|cooperative_groups|curand|cublas|cudnn|nccl|nvtx|nvrtc|mma\.h'
    r"|device_launch_parameters|driver_types|thrust/)"
)
CUDA_PLACES = ("kernels/simt/simt.h", "kernels/simt/", "engine/cuda/", "emulator/", "testing/", "tests/", "bench/")


def cuda_headers_stay_in_cuda_files(tree: Tree) -> Iterable[Violation]:
    for path, number, line in cpp_lines(tree):
        name = path.rsplit("/", 1)[-1]
        in_kernels = path.startswith("kernels/") and "/cuda/" in path
        allowed = path.startswith(CUDA_PLACES) or in_kernels or "_cuda." in name
        if not allowed and CUDA_HEADER.match(line):
            yield Violation(
                path, number, "CUDA headers belong in *_cuda.*, kernels/simt/, kernels/**/cuda/ and engine/cuda/"
            )


# cuDNN and cuBLAS are what ebb is compared with, never what it is made of: their names, also as
# libraries to open, stay with the bench programs and the tests.
VENDOR_NAME = re.compile(r"\b(?:cudnn|cublas)(?:_v2)?\.h\b|\blib(?:cudnn|cublas)\b|\b(?:cudnn|cublas)[A-Z]\w+")
VENDOR_PLACES = ("bench/", "testing/", "tests/", "scripts/", "docs/")


def vendor_libraries_stay_in_bench(tree: Tree) -> Iterable[Violation]:
    for path, number, line in lines_of(tree, is_source):
        match = None if path.startswith(VENDOR_PLACES) else VENDOR_NAME.search(line)
        if match:
            yield Violation(path, number, f"{match.group(0)}: only bench/ and tests/ may use vendor kernels")


CUDA_CONDITION = re.compile(r"^\s*#\s*(if|ifdef|ifndef|elif)\b.*\bEBB_CUDA\b")
BACKEND_SEAM = "engine/backend.cc"


def one_cuda_switch(tree: Tree) -> Iterable[Violation]:
    for path, number, line in cpp_lines(tree):
        if path != BACKEND_SEAM and CUDA_CONDITION.match(line):
            yield Violation(path, number, f"only {BACKEND_SEAM} may ask for EBB_CUDA")


# --- text ----------------------------------------------------------------------------------------

# Highway compiles a *-inl.h once per SIMD target, so it has a guard that toggles.
TOGGLE_GUARD = re.compile(r"^#if defined\(\w+\) == defined\(HWY_TARGET_TOGGLE\)$", re.MULTILINE)
PRAGMA_ONCE = re.compile(r"^#pragma once$", re.MULTILINE)


def headers_are_guarded(tree: Tree) -> Iterable[Violation]:
    for path, text in sorted(tree.items()):
        if path.endswith("-inl.h"):
            if not TOGGLE_GUARD.search(text):
                yield Violation(path, 1, "the header lacks Highway's toggle guard (HWY_TARGET_TOGGLE)")
        elif is_header(path) and not PRAGMA_ONCE.search(text):
            yield Violation(path, 1, "the header lacks #pragma once")


# Brackets in the patterns keep this file from matching itself.
MACHINE_PATH = re.compile(
    r"(?<![\w.$}{)~*/-])/(?:[h]ome/[a-z]|[U]sers/\w|[r]oot\b|[w]ork\b|[t]mp/build|[o]pt/ebb)"
)


def no_machine_paths(tree: Tree) -> Iterable[Violation]:
    for path, number, line in lines_of(tree, lambda path, text: True):
        match = MACHINE_PATH.search(line)
        if match:
            yield Violation(path, number, f"'{match.group(0)}...' names one machine's directory")


UNFINISHED = re.compile(r"\b(?:T[O]DO|F[I]XME|X[X]X|H[A]CK)\b")


def no_unfinished_markers(tree: Tree) -> Iterable[Violation]:
    for path, number, line in lines_of(tree, is_source):
        match = UNFINISHED.search(line)
        if match:
            yield Violation(path, number, f"{match.group(0)}: finish it or file an issue")


ASSERT = re.compile(r"(?<![\w.])assert\s*\(|#\s*include\s*<(?:cassert|assert\.h)>")


def no_assert(tree: Tree) -> Iterable[Violation]:
    for path, number, line in cpp_lines(tree):
        if ASSERT.search(line):
            yield Violation(path, number, "assert is gone in a release build; use EBB_CHECK")


MARCH_NATIVE = re.compile(r"-(?:march|mtune)=[n]ative")


def no_native_code_generation(tree: Tree) -> Iterable[Violation]:
    for path, number, line in lines_of(tree, is_source):
        if MARCH_NATIVE.search(line):
            yield Violation(path, number, "the SIMD level is chosen at run time, not by the build machine")


def files_stay_short(tree: Tree) -> Iterable[Violation]:
    for path, text in sorted(tree.items()):
        count = text.count("\n")
        if is_source(path, text) and count > MAX_LINES:
            yield Violation(path, count, f"{count} lines, at most {MAX_LINES}: split it")


def long_files(tree: Tree) -> Dict[str, int]:
    """Sources worth a second look; no violation."""
    counts = {path: text.count("\n") for path, text in tree.items() if is_source(path, text)}
    return {path: count for path, count in sorted(counts.items()) if count > LONG_LINES}


PRODUCT = ("api/", "apps/", "base/", "diffusion/", "engine/", "image/", "include/", "kernels/", "nn/", "weights/")
COMMENT_OR_LITERAL = re.compile(
    r"//[^\n]*|/\*.*?\*/|R\"(\w*)\(.*?\)\1\"|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])'", re.DOTALL
)
NO_FUNCTION = re.compile(r"\b(?:namespace|struct|class|union|enum)\b[^()]*$|=\s*$|\bextern\s*$")
CONTROL = re.compile(r"^(?:if|else|for|while|do|switch|try|catch)\b")


def function_lengths(text: str) -> Iterable[tuple]:
    """(line, lines) of every function with a body, from the line of its name to its closing brace.

    Measured by braces: a function is the outermost braced block that follows a parameter list.
    """
    plain = COMMENT_OR_LITERAL.sub(lambda match: re.sub(r"[^\n]", " ", match.group(0)), text)
    plain = re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", lambda m: re.sub(r"[^\n]", " ", m.group(0)), plain,
                   flags=re.MULTILINE)
    start, depth, line = 0, 0, 1
    scopes = []  # of open braces: the line where a function starts, or None
    in_function = False
    for at, character in enumerate(plain):
        if character == "\n":
            line += 1
        elif character == "{":
            head = plain[start:at].strip()
            is_function = (
                not in_function
                and "(" in head
                and not NO_FUNCTION.search(head)
                and not CONTROL.match(head)
                and depth == 0
            )
            scopes.append(line - plain[start:at].lstrip().count("\n") if is_function else None)
            in_function = in_function or is_function
            start = at + 1
        elif character == "}":
            first = scopes.pop() if scopes else None
            if first is not None:
                in_function = False
                yield first, line - first + 1
            start = at + 1
        elif character in "()":
            depth += 1 if character == "(" else -1
        elif character == ";" and depth == 0:
            start = at + 1


def functions_stay_short(tree: Tree) -> Iterable[Violation]:
    """At most one function in a hundred of the product is longer than MAX_FUNCTION_LINES."""
    functions = [
        (lines, path, line)
        for path, text in sorted(tree.items())
        if is_cpp(path) and path.startswith(PRODUCT)
        for line, lines in function_lengths(text)
    ]
    too_long = sorted((f for f in functions if f[0] > MAX_FUNCTION_LINES), reverse=True)
    if len(too_long) > len(functions) // 100:
        for lines, path, line in too_long:
            yield Violation(
                path, line,
                f"a function of {lines} lines; {len(too_long)} of {len(functions)} are longer than "
                f"{MAX_FUNCTION_LINES}, at most {len(functions) // 100} may be",
            )


# --- documents -----------------------------------------------------------------------------------

ERROR_HEADER = "include/ebb/error.h"
EXIT_CODE = re.compile(r"^\s*(k\w+)\s*=\s*(\d+)\s*,")
EXIT_CODE_TABLES = ("docs/errors.md", "README.md")


def exit_codes_are_documented(tree: Tree) -> Iterable[Violation]:
    codes = []
    for number, line in enumerate(tree.get(ERROR_HEADER, "").splitlines(), start=1):
        match = EXIT_CODE.match(line)
        if match:
            codes.append((number, match.group(1), match.group(2)))
    if not codes:
        yield Violation(ERROR_HEADER, 1, "no exit code found in it; has enum class ExitCode moved?")
    for document in EXIT_CODE_TABLES:
        rows = re.findall(r"^\|\s*`?(\d+)`?\s*\|", tree.get(document, ""), re.MULTILINE)
        for number, name, value in codes:
            if value not in rows:
                yield Violation(ERROR_HEADER, number, f"{name} = {value} has no row '| {value} |' in {document}")


RULES = (
    include_direction,
    no_circle_between_directories,
    the_library_links_no_command_line_and_no_codec,
    cuda_headers_stay_in_cuda_files,
    vendor_libraries_stay_in_bench,
    one_cuda_switch,
    headers_are_guarded,
    no_machine_paths,
    no_unfinished_markers,
    no_assert,
    no_native_code_generation,
    former_words_stay_away,
    comments_open_with_a_noun,
    files_stay_short,
    functions_stay_short,
    exit_codes_are_documented,
)
