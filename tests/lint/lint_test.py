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
for file; do :; done
parts=$(sed -n 's/^#include "\\(\\/.*\\)"/\\1/p' "$file")
echo $file $parts >>calls
if grep -q CLASH $parts; then echo "[clang-diagnostic-error]"; exit 1; fi
grep -l BAD "$file" $parts && exit 1
exit 0
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
        self.sources = ["nn/a.cc", "tests/t.cc"]

    def write(self, name: str, text: str) -> None:
        path = os.path.join(self.root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    def lint(self, *arguments):
        """Exit code, and the sources that each call of the tool read."""
        build = os.path.join(self.root, "build")
        entries = [
            {
                "directory": build,
                "file": os.path.join(self.root, path),
                "command": f"ccache g++ {self.flags} -Winvalid-pch -include {build}/cmake_pch.hxx -c {path}",
            }
            for path in self.sources
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
            paths = [[os.path.relpath(path, self.root) for path in line.split()] for line in file]
        return answer.returncode, sorted(" ".join(p for p in call if not p.startswith("build")) for call in paths)

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
            self.assertIn("tests/t.cc", self.output)
        self.write("tests/t.cc", "\n")
        self.assertEqual(self.lint("--all")[0], 0)

    def test_precompiled_headers_of_gcc_are_left_out(self):
        self.lint()
        with open(os.path.join(self.root, "build/lint/compile_commands.json"), encoding="utf-8") as file:
            commands = json.load(file)
        self.assertEqual(commands[0]["arguments"][:4], ["g++", "-O1", "-c", "nn/a.cc"])

    def test_files_are_read_together_unless_a_private_name_would_mean_two_things(self):
        private = "namespace {\nint twice(int x) { return 2 * x; }\n}  // namespace\n"
        self.write("nn/b.cc", private)
        self.write("nn/c.cc", "int twice(int x);\n")
        self.write("nn/d.cc", private)
        self.write("nn/e.cc", "// twice\n")
        self.sources = ["nn/a.cc", "nn/b.cc", "nn/c.cc", "nn/d.cc", "nn/e.cc"]
        self.assertEqual(self.lint(), (0, ["nn/a.cc nn/b.cc nn/e.cc", "nn/c.cc", "nn/d.cc"]), self.output)

    def test_a_finding_in_a_group_names_its_file_alone(self):
        self.write("nn/b.cc", "BAD\n")
        self.sources = ["nn/a.cc", "nn/b.cc"]
        self.assertEqual(self.lint(), (1, ["nn/a.cc nn/b.cc"]), self.output)
        self.assertNotIn("nn/a.cc", self.output)
        self.assertEqual(self.lint(), (1, ["nn/b.cc"]))

    def test_a_group_that_does_not_compile_is_read_file_by_file(self):
        self.write("nn/b.cc", "CLASH\n")
        self.sources = ["nn/a.cc", "nn/b.cc"]
        self.assertEqual(self.lint(), (0, ["nn/a.cc", "nn/a.cc nn/b.cc", "nn/b.cc"]), self.output)

    def test_a_finding_in_a_header_fails(self):
        self.write("nn/b.h", "BAD\n")
        self.write("tool", TOOL.replace('"$file" $parts &&', "nn/b.h &&"))
        os.chmod(os.path.join(self.root, "tool"), 0o755)
        self.sources = ["nn/a.cc", "nn/c.cc"]
        self.write("nn/c.cc", "\n")
        for _ in range(2):
            self.assertEqual(self.lint()[0], 1, self.output)

    def test_programs_are_read_alone(self):
        self.write("nn/b.cc", "int main() {}\n")
        self.write("nn/c.cc", "int main() {}\n")
        self.sources = ["nn/b.cc", "nn/c.cc"]
        self.assertEqual(self.lint(), (0, ["nn/b.cc", "nn/c.cc"]), self.output)

    def test_a_file_that_is_not_compiled_is_refused(self):
        self.assertEqual(self.lint("nn/none.cc")[0], 2)


if __name__ == "__main__":
    unittest.main()
