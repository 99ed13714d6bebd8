#!/usr/bin/env python3
"""scripts/install_deps with stand-ins for dpkg-query, apt-get and sudo in front of PATH."""

import os
import shutil
import subprocess
import tempfile
import unittest

SCRIPT = os.path.join(os.path.dirname(__file__), "..", "..", "scripts", "install_deps")

DPKG_QUERY = """#!/bin/sh
for package; do :; done
case " $EBB_TEST_MISSING " in
  *" $package "*) exit 1 ;;
esac
printf 'install ok installed'
"""
APT_GET = """#!/bin/sh
echo "apt-get $*" >>"$EBB_TEST_LOG"
case "$*" in *"$EBB_TEST_FAILS"*) echo "E: Temporary failure resolving"; exit 100 ;; esac
"""
SUDO = """#!/bin/sh
[ "$1" = -n ] && shift
exec "$@"
"""


class InstallDepsTest(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.root)
        self.log = os.path.join(self.root, "log")
        for name, text in (("dpkg-query", DPKG_QUERY), ("apt-get", APT_GET), ("sudo", SUDO)):
            path = os.path.join(self.root, name)
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            os.chmod(path, 0o755)

    def install(self, *groups, missing=(), fails="nothing"):
        environment = dict(
            os.environ,
            PATH=f"{self.root}:{os.environ['PATH']}",
            EBB_TEST_MISSING=" ".join(missing),
            EBB_TEST_FAILS=fails,
            EBB_TEST_LOG=self.log,
        )
        return subprocess.run(
            ["bash", SCRIPT, *groups],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
        )

    def calls(self):
        if not os.path.exists(self.log):
            return []
        with open(self.log, encoding="utf-8") as file:
            return file.read().splitlines()

    def test_nothing_is_asked_of_apt_when_everything_is_there(self):
        answer = self.install("test", "lint")
        self.assertEqual((answer.returncode, answer.stdout, answer.stderr), (0, "", ""))
        self.assertEqual(self.calls(), [])

    def test_only_the_missing_packages_of_the_group_are_installed(self):
        answer = self.install("build", missing=("cmake", "libhwy-dev", "catch2"))
        self.assertEqual(answer.returncode, 0, answer.stderr)
        update, install = self.calls()
        self.assertIn("update", update)
        self.assertTrue(install.endswith(" cmake libhwy-dev"), install)

    def test_the_test_group_contains_build_and_data(self):
        answer = self.install("test", missing=("cmake", "catch2", "curl"))
        self.assertEqual(answer.returncode, 0, answer.stderr)
        self.assertIn("installing 3 packages: cmake catch2 curl", answer.stdout)

    def test_offline_it_names_the_packages_to_install_by_hand(self):
        for command in ("update", "install"):
            with self.subTest(fails=command):
                answer = self.install(missing=("cmake", "g++"), fails=command)
                self.assertEqual(answer.returncode, 4)
                self.assertIn("offline", answer.stderr)
                self.assertIn("apt-get install g++ cmake\n", answer.stderr)
                os.remove(self.log)

    def test_an_unknown_group_is_refused(self):
        answer = self.install("everything")
        self.assertEqual(answer.returncode, 2)
        self.assertIn("no group 'everything'", answer.stderr)


if __name__ == "__main__":
    unittest.main()
