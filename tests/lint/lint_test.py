#!/usr/bin/env python3
"""lint.py with a stand-in for clang-tidy that refuses files with the word BAD."""

import json
import os
import subprocess
import sys
import tempfile
import unittest

LINT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "lint.py")
TOOL = """#!/bin/sh
if [ "$1" = --version ]; then echo 14; exit 0; fi
echo "$4" >>calls
if grep -q BAD "$4"; then echo "$4: found BAD"; exit 1; fi
"""


class LintTest(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.root = self.directory.name
        for name, text in {
            ".clang-tidy": "Checks: x\n",
            "nn/a.cc": '#include "nn/a.h"\n',
            "nn/a.h": '#include "nn/b.h"\n',
            "nn/b.h": "\n",
            "tests/t.cc": "BAD\n",
            "tool": TOOL,
        }.items():
            self.write(name, text)
        os.chmod(os.path.join(self.root, "tool"), 0o755)
        self.flags = "-O1"

    def write(self, name: str, text: str) -> None:
        path = os.path.join(self.root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    def lint(self, *arguments):
        """Exit code and the files that the tool was called with."""
        build = os.path.join(self.root, "build")
        entries = [
            {
                "directory": build,
                "file": os.path.join(self.root, path),
                "command": f"ccache g++ {self.flags} -Winvalid-pch -include {build}/cmake_pch.hxx -c {path}",
            }
            for path in ("nn/a.cc", "tests/t.cc")
        ]
        self.write("build/compile_commands.json", json.dumps(entries))
        calls = os.path.join(self.root, "calls")
        if os.path.exists(calls):
            os.remove(calls)
        answer = subprocess.run(
            [sys.executable, LINT, "--build", "build", "--tool", os.path.join(self.root, "tool"), *arguments],
            cwd=self.root, capture_output=True, text=True, check=False,
        )
        self.output = answer.stdout + answer.stderr
        if not os.path.exists(calls):
            return answer.returncode, []
        with open(calls, encoding="utf-8") as file:
            return answer.returncode, sorted(os.path.relpath(line.strip(), self.root) for line in file)

    def test_a_clean_file_is_looked_at_once(self):
        self.assertEqual(self.lint(), (0, ["nn/a.cc"]), self.output)
        self.assertEqual(self.lint(), (0, []))

    def test_a_change_of_the_file_its_headers_its_flags_or_the_settings_counts(self):
        self.lint()
        for name in ("nn/a.cc", "nn/a.h", "nn/b.h", ".clang-tidy"):
            with self.subTest(name):
                with open(os.path.join(self.root, name), "a", encoding="utf-8") as file:
                    file.write("\n")
                self.assertEqual(self.lint(), (0, ["nn/a.cc"]))
                self.assertEqual(self.lint(), (0, []))
        self.flags = "-O2"
        self.assertEqual(self.lint(), (0, ["nn/a.cc"]))

    def test_findings_fail_until_they_are_gone(self):
        for _ in range(2):
            self.assertEqual(self.lint("--all")[0], 1)
            self.assertIn("found BAD", self.output)
        self.write("tests/t.cc", "\n")
        self.assertEqual(self.lint("--all")[0], 0)

    def test_precompiled_headers_of_gcc_are_left_out(self):
        self.lint()
        with open(os.path.join(self.root, "build/lint/compile_commands.json"), encoding="utf-8") as file:
            commands = json.load(file)
        self.assertEqual(commands[0]["arguments"], ["g++", "-O1", "-c", "nn/a.cc"])

    def test_a_file_that_is_not_compiled_is_refused(self):
        self.assertEqual(self.lint("nn/none.cc")[0], 2)


if __name__ == "__main__":
    unittest.main()
