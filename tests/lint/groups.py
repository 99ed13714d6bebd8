"""Which sources one run of clang-tidy reads together, so that it parses and matches their headers once."""

import re

# Sections of an anonymous namespace; all other names mean the same in the whole program.
ANONYMOUS = re.compile(r"^namespace \{$(.*?)^\}  // namespace$", re.MULTILINE | re.DOTALL)
# Definitions start in the first column; their name is the last word before the first of these characters.
DEFINED = re.compile(r"^(?!template|using namespace|extern)[A-Za-z_][^(={\[;\n]*", re.MULTILINE)
MACRO = re.compile(r"^\s*#\s*define\s+(\w+)", re.MULTILINE)
COMMENT_OR_STRING = re.compile(r'//.*|"(?:[^"\\\n]|\\.)*"')
# Highway reads such a file once per instruction set, and only one file of a translation unit can be read so.
ALONE = '"hwy/foreach_target.h"'
MAX_FILES = 24


def flags_of(command: list) -> tuple:
    """The command without its input and outputs."""
    flags, skip = [], False
    for word in command:
        takes_value = word in ("-c", "-o", "-MF", "-MT")
        if not skip and not takes_value:
            flags.append(word)
        skip = takes_value
    return tuple(flags)


def private_names(text: str) -> set:
    """Names that may mean something else in another file."""
    names = {"main"} & words(text) | set(MACRO.findall(text))
    for section in ANONYMOUS.findall(text):
        for line in DEFINED.findall(section):
            names.update(re.findall(r"\w+", line)[-1:])
    return names


def words(text: str) -> set:
    return set(re.findall(r"\w+", COMMENT_OR_STRING.sub("", text)))


def plan_groups(commands: dict, texts: dict) -> list:
    """Lists of paths: each with one set of flags, and no private name that another of its files mentions."""
    groups = []  # (flags, private names, words, paths)
    for path in sorted(commands):
        flags, names, used = flags_of(commands[path]), private_names(texts[path]), words(texts[path])
        alone = ALONE in texts[path]
        for other, private, mentioned, paths in groups:
            if not alone and other == flags and len(paths) < MAX_FILES and not private & used and not names & mentioned:
                private |= names
                mentioned |= used
                paths.append(path)
                break
        else:
            groups.append((None if alone else flags, names, used, [path]))
    return [paths for *_, paths in groups]
