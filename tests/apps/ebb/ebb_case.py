"""What the tests of ebb share: a directory with a model, running the program, reading images.

A test file is a program: <file> EBB runs its tests on the program EBB.
"""

import json
import os
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from model_files import write_model

FAST = ["--steps", "3", "--threads", "1"]


def program() -> str:
    return os.path.abspath(sys.argv[1])


def main() -> None:
    """Runs the tests of the calling file; names what was skipped, for scripts/test."""
    result = unittest.main(argv=[sys.argv[0], *sys.argv[2:]], exit=False).result
    for test, reason in result.skipped:
        print(f"skipped: {test.id()}: {reason}")
    sys.exit(not result.wasSuccessful())


def png_chunks(path: Path, kind: bytes) -> list:
    """The data of every chunk of one kind."""
    content, at, found = path.read_bytes(), 8, []
    while at < len(content):
        length = struct.unpack(">I", content[at : at + 4])[0]
        if content[at + 4 : at + 8] == kind:
            found.append(content[at + 8 : at + 8 + length])
        at += 12 + length
    return found


def pixels(path: Path) -> list:
    return png_chunks(path, b"IDAT")


def provenance(path: Path) -> dict:
    for text in png_chunks(path, b"tEXt"):
        keyword, value = text.split(b"\0", 1)
        if keyword == b"ebb":
            return json.loads(value)
    raise AssertionError(f"{path} does not say how it was made")


class EbbTest(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory(prefix="ebb-cli-")
        self.addCleanup(directory.cleanup)
        self.dir = Path(directory.name)
        write_model(self.dir / "m.safetensors")

    def ebb(self, *arguments, rc: int = 0, env: dict = None) -> subprocess.CompletedProcess:
        """rc None: the caller looks at the exit code."""
        done = subprocess.run(
            [program(), *map(str, arguments)],
            cwd=self.dir,
            capture_output=True,
            text=True,
            # Busy machines may take so long that lines of progress come between.
            env={**os.environ, "EBB_PROGRESS": "none", **(env or {})},
        )
        if rc is None:
            return done
        self.assertEqual(done.returncode, rc, f"{arguments}\n{done.stdout}{done.stderr}")
        if rc > 1:
            self.assertRegex(done.stderr, r"\A(warning: .*\n)*error: [^\n]+\n\Z")
        return done

    def sample(self, *arguments, rc: int = 0) -> subprocess.CompletedProcess:
        return self.ebb("sample", "--model", "m.safetensors", *FAST, *arguments, rc=rc)

    def names(self) -> set:
        return {path.name for path in self.dir.iterdir()} - {"m.safetensors"}
