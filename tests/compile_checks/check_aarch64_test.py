#!/usr/bin/env python3
"""check_aarch64.py must be able to fail, on whatever compiler there is."""

import contextlib
import io
import os
import shutil
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import check_aarch64

COMPILER = shutil.which("c++") or "g++"
SETTING = f"'{check_aarch64.SIMD}=(A|B)'"


class AArch64Test(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.root = Path(temporary.name, "tree").resolve()
        self.root.mkdir()
        environment = {"EBB_GATES_CACHE": str(Path(temporary.name, "kept"))}
        patch = mock.patch.dict(os.environ, environment)
        patch.start()
        self.addCleanup(patch.stop)

    def check(self, text: str, flags: str = "", version: str = "12"):
        """-> exit code, what was printed"""
        source = self.root / "x.cc"
        source.write_text(text)
        command = f"{COMPILER} -Wall {flags} -O3 -I{self.root} -o x.o -c {source}"
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            rc = check_aarch64.check_all([{"file": str(source), "command": command}], str(self.root), 1, version)
        return rc, printed.getvalue()

    def test_what_another_processor_lacks_fails(self):
        rc, printed = self.check("#include <no_such_intrinsics.h>\n")
        self.assertEqual(rc, 1)
        self.assertIn("FAIL x.cc", printed)
        self.assertIn("no_such_intrinsics.h", printed)
        self.assertIn("1 failed", printed)

    def test_a_warning_fails_every_time(self):
        for _ in range(2):
            rc, printed = self.check("int f() { int unused; return 1; }\n")
            self.assertEqual(rc, 1)
            self.assertIn("unused", printed)

    def test_what_cannot_be_inlined_fails_in_sources_with_simd(self):
        # Found by code generation alone.
        text = '__attribute__((error("no code"))) void f();\nvoid g() { f(); }\n'
        self.assertEqual(self.check(text, SETTING)[0], 1)
        self.assertEqual(self.check(text)[0], 0)

    def test_only_what_changed_is_compiled_again(self):
        header = self.root / "x.h"
        text = '#include "x.h"\n'
        for line, flags, version, kept in (
            ("", "", "12", 0),
            ("", "", "12", 1),
            ("int a;", "", "12", 0),
            ("int a;", "-DB", "12", 0),
            ("int a;", "-DB", "13", 0),
            ("int a;", "-DB", "13", 1),
        ):
            header.write_text(line)
            rc, printed = self.check(text, flags, version)
            self.assertEqual(rc, 0)
            self.assertIn(f"1 sources for AArch64, {kept} of them kept", printed)

    def test_no_source_is_a_failure(self):
        with contextlib.redirect_stdout(io.StringIO()):
            self.assertEqual(check_aarch64.check_all([], str(self.root), 1, ""), 1)


if __name__ == "__main__":
    unittest.main()
