"""Words: those of the field instead of former private ones, and how comments open."""

import re
from typing import Iterable

from tree import Tree, Violation, is_source, lines_of

# Words of this project's past for which the field has others, and one spelling. Brackets keep the
# patterns from matching themselves.
FORMER_WORDS = {
    "p[i]ctures?": "image",
    "g[r]ey": "gray",
    "c[o]lou(?:r|rs|red)": "color",
    "c[e]ntr(?:e|es|ed)": "center",
    "(?:un)?in[i]tialis(?:e|es|ed|ing|ation)": "initialize",
    "n[o]rmalis(?:e|es|ed|ing|ation)": "normalize",
    "l[a]belled": "labeled",
    "n[e]ighbour(?:s|ing)?": "neighbor",
    "b[e]haviour": "behavior",
    "f[o]lders?": "directory",
    "v[e]rdicts?": "predictions",
    "w[i]sh(?:es)?": "prompt, or request",
    "n[o]ised": "noisy",
    "r[e]cipes?": "guidance",
    "w[a]lk(?:s|ed)?": "schedule, trajectory, iterator",
    "(?:s[o]me|a[n]y)body": "a noun, or the passive",
    "w[h]oever": "a noun",
    "for e[v]er": "forever",
    "D[e]viceQueue": "Stream",
    "S[t]reamHandle": "KernelStream",
    "R[e]cordedWork": "CapturedGraph",
    "C[o]nvUnits": "ConvMath",
    "K[n]ownPixels": "InpaintConstraint",
    "(?:full|course|clipped)_w[a]lk": "..._schedule",
    "copy_(?:i[n]|o[u]t)": "copy_to_device, copy_to_host",
    "k(?:M[o]st|F[e]west)[A-Z][A-Za-z]*": "kMax..., kMin...",
}
FORMER_WORD = re.compile(r"(?<![A-Za-z0-9])(?:" + "|".join(FORMER_WORDS) + r")(?![A-Za-z0-9])", re.IGNORECASE)
# Goldens keep the names of their tensors; the change log tells of what was.
FORMER_WORD_PLACES = ("tests/golden/", "bench/results/", "tests/fuzz/corpus/", "weights/pretrained/", "CHANGELOG.md")
# What files that users hold are made of, and names of goldens.
FORMER_WORDS_KEPT = {
    ("apps/cli/provenance.cc", "p[i]cture"),
    ("apps/cli/provenance.h", "p[i]cture"),
    ("tests/apps/ebb/ebb_rerun_test.py", "p[i]cture"),
    ("tests/image/image_golden_test.cc", "g[r]ey"),
    ("tests/diffusion/applications_golden_test.cc", "l[a]belled"),
    ("tests/diffusion/schedule_golden_test.cc", "w[a]lks"),
    ("tests/rules/check_tree.py", "w[a]lk"),
}


# A comment names the thing that it describes: no clause ("W[h]at the kernel reads") or lone genitive in its place.
FREE_CLAUSE = re.compile(r"^\s*//+ (What|Who|W[h]oever|Whose|Of|How|Where|Which)\b")


def comments_open_with_a_noun(tree: Tree) -> Iterable[Violation]:
    for path, text in tree.items():
        if not path.endswith((".h", ".cc", ".cu")):
            continue
        before = ""
        for number, line in enumerate(text.splitlines(), start=1):
            opens = not before.lstrip().startswith("//") or before.rstrip().endswith((".", ":", ";", "//"))
            if opens and (word := FREE_CLAUSE.match(line)):
                yield Violation(path, number, f"opens with '{word[1]}'; name the thing instead")
            before = line


def former_words_stay_away(tree: Tree) -> Iterable[Violation]:
    kept = {(path, word.replace("[", "").replace("]", "")) for path, word in FORMER_WORDS_KEPT}
    for path, number, line in lines_of(tree, lambda path, text: is_source(path, text) or path.endswith(".md")):
        if path.startswith(FORMER_WORD_PLACES):
            continue
        for word in FORMER_WORD.findall(line):
            if (path, word.lower()) not in kept:
                better = next(b for a, b in FORMER_WORDS.items() if re.fullmatch(a, word, re.IGNORECASE))
                yield Violation(path, number, f"'{word}' is not a word of the field; here: {better}")
