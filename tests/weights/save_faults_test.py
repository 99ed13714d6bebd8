#!/usr/bin/env python3
"""A save under faults: whatever call fails and wherever the process dies, the file is old or new.

Usage: save_faults_test.py SAVE_ONCE   (the program of save_once_main.cc)
"""

import collections
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

SAVE_ONCE = ""
SKIPPED = 77
# Every call by which a save may touch a file system.
CALLS = "openat,write,pwrite64,writev,fsync,fdatasync,ftruncate,rename,renameat,renameat2,close,flock,dup"
IO_FAILED = 4


def save(path, value, *strace):
    return subprocess.run([*strace, SAVE_ONCE, path, str(value)], capture_output=True, text=True)


def content(path):
    with open(path, "rb") as file:
        return file.read()


class SaveTest(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="ebb-faults-")
        self.addCleanup(shutil.rmtree, self.directory)
        self.path = os.path.join(self.directory, "m.safetensors")
        self.versions = {}
        for value in (1, 2):
            self.assertEqual(save(self.path, value).returncode, 0)
            self.versions[value] = content(self.path)

    def trace(self):
        log = os.path.join(self.directory, "log")
        done = save(self.path, 2, "strace", "-f", "-qq", "-o", log, "-e", f"trace={CALLS}")
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(log, encoding="utf-8") as file:
            lines = file.read().splitlines()
        os.remove(log)
        return [re.sub(r"^\d+\s+", "", line) for line in lines]

    def test_data_is_synced_before_the_name_and_the_directory_after_it(self):
        calls = self.trace()
        created = next(i for i, c in enumerate(calls) if "O_EXCL" in c)
        renamed = next(i for i, c in enumerate(calls) if c.startswith("rename"))
        syncs = [i for i, c in enumerate(calls) if c.startswith(("fsync", "fdatasync"))]
        writes = [i for i, c in enumerate(calls) if c.startswith("write(") and i > created]
        self.assertEqual(len(syncs), 2)
        self.assertLess(max(i for i in writes if i < renamed), syncs[0])
        self.assertLess(syncs[0], renamed)
        self.assertLess(renamed, syncs[1])
        self.assertIn("O_DIRECTORY", " ".join(calls[renamed:syncs[1]]))

    def check(self, done, fault):
        found = content(self.path)
        self.assertIn(found, self.versions.values(), f"{fault}: the file is neither old nor new")
        if done.returncode == 0:
            self.assertEqual(found, self.versions[2], f"{fault}: success without the new file")
        left = sorted(os.listdir(self.directory))
        if done.returncode == IO_FAILED:
            self.assertEqual(left, ["m.safetensors"], f"{fault}: a temporary file was left")
            self.assertRegex(done.stderr, r"\Aerror: .*m\.safetensors: .*\.\n\Z", fault)
        # The next save removes what a killed one left.
        self.assertEqual(save(self.path, 1).returncode, 0)
        self.assertEqual(sorted(os.listdir(self.directory)), ["m.safetensors"], fault)

    def test_every_call_may_fail_or_be_the_last(self):
        counts = collections.Counter(call.split("(", 1)[0] for call in self.trace())
        outcomes = collections.Counter()
        for call, count in counts.items():
            for when in range(1, count + 1):
                for fault in ("error=ENOSPC", "error=EIO", "signal=KILL"):
                    self.assertEqual(save(self.path, 1).returncode, 0)
                    done = save(
                        self.path, 2, "strace", "-f", "-qq", "-o", os.devnull, "-e",
                        f"trace={call}", "-e", f"inject={call}:{fault}:when={when}",
                    )  # fmt: skip
                    outcomes[done.returncode] += 1
                    self.check(done, f"{call} {when} {fault}")
        print(f"{sum(outcomes.values())} faults, exit codes {dict(outcomes)}")
        self.assertGreaterEqual(outcomes[IO_FAILED], 10)
        self.assertGreaterEqual(outcomes[-9] + outcomes[137], 10)


def can_trace():
    if shutil.which("strace") is None:
        return False
    return subprocess.run(["strace", "-o", os.devnull, "true"], capture_output=True).returncode == 0


if __name__ == "__main__":
    SAVE_ONCE = os.path.abspath(sys.argv.pop(1))
    if not can_trace():
        print("skipped: strace is missing or may not trace here")
        sys.exit(SKIPPED)
    unittest.main()
