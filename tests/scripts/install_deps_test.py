#!/usr/bin/env python3
"""scripts/install_deps with stand-ins for the package managers and sudo in front of PATH."""

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
RPM = """#!/bin/sh
[ "$1 $2" = "-q --whatprovides" ] || exit 9
case " $EBB_TEST_MISSING " in *" $3 "*) exit 1 ;; esac
"""
DNF = APT_GET.replace("apt-get", "dnf")
PACMAN = """#!/bin/sh
if [ "$1" = -T ]; then
  case " $EBB_TEST_MISSING " in *" $2 "*) exit 127 ;; esac
  exit 0
fi
""" + APT_GET.replace("#!/bin/sh\n", "").replace("apt-get", "pacman")
PROGRAMS = {"dpkg-query": DPKG_QUERY, "apt-get": APT_GET, "rpm": RPM, "dnf": DNF, "pacman": PACMAN}
SUDO = """#!/bin/sh
[ "$1" = -n ] && shift
exec "$@"
"""


class InstallDepsTest(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.root)
        self.log = os.path.join(self.root, "log")
        for name, text in {**PROGRAMS, "sudo": SUDO}.items():
            path = os.path.join(self.root, name)
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            os.chmod(path, 0o755)

    def install(self, *groups, missing=(), fails="nothing", system="ID=debian"):
        release = os.path.join(self.root, "os-release")
        with open(release, "w", encoding="utf-8") as file:
            file.write(system + "\n")
        environment = dict(
            os.environ,
            PATH=f"{self.root}:{os.environ['PATH']}",
            EBB_TEST_MISSING=" ".join(missing),
            EBB_TEST_FAILS=fails,
            EBB_TEST_LOG=self.log,
            EBB_OS_RELEASE=release,
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

    def test_every_system_has_its_own_names_and_manager(self):
        for system, missing, install in (
            ("ID=ubuntu\nID_LIKE=debian", "libhwy-dev libjpeg-turbo8-dev", "apt-get -q -y install --no-install-recommends"),
            ("ID=linuxmint\nID_LIKE='ubuntu debian'", "libjpeg-turbo8-dev", "apt-get -q -y install --no-install-recommends"),
            ("ID=fedora", "gcc-c++ cmake highway-devel", "dnf -q -y --setopt=install_weak_deps=False install"),
            ("ID=rocky\nID_LIKE=\"rhel centos fedora\"", "nettle-devel", "dnf -q -y --setopt=install_weak_deps=False install"),
            ("ID=arch", "gcc cmake highway", "pacman -S --needed --noconfirm"),
        ):
            with self.subTest(system=system):
                # Names of another system's column are not asked for.
                answer = self.install(system=system, missing=[*missing.split(), "libjpeg62-turbo-dev"])
                self.assertEqual((answer.returncode, answer.stderr), (0, ""))
                self.assertEqual(self.calls()[-1], f"{install} {missing}")
                os.remove(self.log)

    def test_what_a_system_does_not_have_is_left_out(self):
        for system, lacks in (("ubuntu", "chromium"), ("fedora", "clang-format-14"), ("arch", "lintian")):
            answer = self.install("test", system=f"ID={system}", missing=(lacks, "-", "="))
            self.assertEqual((answer.returncode, answer.stdout, answer.stderr), (0, "", ""))
        self.assertEqual(self.calls(), [])

    def test_offline_every_manager_is_named_in_the_advice(self):
        for system, by_hand in (("fedora", "dnf install gcc-c++"), ("arch", "pacman -Syu --needed gcc")):
            answer = self.install(system=f"ID={system}", missing=("gcc-c++", "gcc"), fails="install" if system == "fedora" else "-S")
            self.assertEqual(answer.returncode, 4)
            self.assertIn("offline", answer.stderr)
            self.assertIn(f"{by_hand}\n", answer.stderr)

    def test_without_the_manager_of_the_system_it_says_what_is_needed(self):
        os.remove(os.path.join(self.root, "rpm"))
        os.remove(os.path.join(self.root, "dnf"))
        answer = self.install(system="ID=fedora")
        self.assertEqual(answer.returncode, 0)
        self.assertIn("warning: no dnf here", answer.stderr)
        self.assertIn("highway-devel", answer.stderr)

    def test_every_row_of_the_list_is_complete(self):
        with open(SCRIPT, encoding="utf-8") as file:
            rows = file.read().split("<<'LIST'\n")[1].split("LIST\n")[0].splitlines()
        self.assertGreater(len(rows), 25)
        for row in rows:
            self.assertGreater(len(row.split()), 5, row)

    def test_an_unknown_group_is_refused(self):
        answer = self.install("everything")
        self.assertEqual(answer.returncode, 2)
        self.assertIn("no group 'everything'", answer.stderr)


if __name__ == "__main__":
    unittest.main()
