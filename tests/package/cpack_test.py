#!/usr/bin/env python3
"""cpack_test.py: packs a build as .deb and .tar.gz, unpacks both and draws from there.

The programs of the packages must find their models and give the pixels of the build. Exit code 77: not built.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from package_test import ROOT, SKIPPED, pixels, run

ARGS = None  # the command line
SAMPLE = ("sample", "--class", "3", "--steps", "2", "--seed", "1", "--threads", "1")


class PackTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temp = tempfile.TemporaryDirectory(prefix="ebb-packages-")
        cls.dir = Path(cls.temp.name)
        cls.environment = {k: v for k, v in os.environ.items() if not k.startswith(("EBB_", "LD_"))}
        # No package may have what the umask of its maker forbids.
        umask = os.umask(0o077)
        try:
            cls.pack()
        finally:
            os.umask(umask)
        cls.work = cls.dir / "work"
        cls.work.mkdir()
        cls.draw(Path(ARGS.build) / "bin/ebb", "build.png")

    @classmethod
    def tearDownClass(cls):
        cls.temp.cleanup()

    @classmethod
    def draw(cls, ebb, name):
        run(ebb, *SAMPLE, "-o", name, cwd=cls.work, env=cls.environment)
        return pixels(cls.work / name)

    def check_programs(self, bin_dir, name):
        self.assertEqual(run(bin_dir / "ebb", "--version"), run(Path(ARGS.build) / "bin/ebb", "--version"))
        for trainer in ("train_mnist", "train_text_to_image"):
            run(bin_dir / trainer, "--help")
        # Drawn with the models of the package: there are no others here.
        models = bin_dir.parent / "share/ebb/models"
        answer = subprocess.run(
            [bin_dir / "ebb", "sample", "--model", "nothere", "-o", "none.png"],
            cwd=self.work, env=self.environment, capture_output=True, text=True,
        )
        self.assertIn(str(models / "nothere"), answer.stderr)
        self.assertEqual(self.draw(bin_dir / "ebb", name), pixels(self.work / "build.png"))


class ArchiveTest(PackTest):
    @classmethod
    def pack(cls):
        run(ARGS.cpack, "--config", Path(ARGS.build) / "CPackConfig.cmake", "-G", "TGZ", "-B", cls.dir)

    def test_the_archive_runs_where_it_is_unpacked(self):
        (archive,) = self.dir.glob("*.tar.gz")
        self.assertRegex(archive.name, r"^ebb-[\d.]+-Linux-\w+\.tar\.gz$")
        anywhere = self.dir / "anywhere"
        anywhere.mkdir()
        run("tar", "xf", archive, "-C", anywhere)
        (top,) = anywhere.iterdir()
        self.assertEqual(f"{top.name}.tar.gz", archive.name)
        # The programs alone.
        self.assertEqual(sorted(path.name for path in top.iterdir()), ["bin", "share"])
        self.check_programs(top / "bin", "archive.png")


class DebianTest(PackTest):
    @classmethod
    def pack(cls):
        if not (shutil.which("dpkg-deb") and shutil.which("dpkg-shlibdeps")):
            print("skipped: the Debian packages (no dpkg-deb and dpkg-shlibdeps here)")
            raise unittest.SkipTest("no dpkg-deb and dpkg-shlibdeps")
        # Released packages take xz, and longer.
        run(ARGS.cpack, "--config", Path(ARGS.build) / "CPackConfig.cmake", "-G", "DEB", "-B", cls.dir,
            "-D", "CPACK_DEBIAN_COMPRESSION_TYPE=gzip")
        cls.packages = {path.name.split("_")[0]: path for path in cls.dir.glob("*.deb")}

    def fields(self, package):
        text = run("dpkg-deb", "-f", self.packages[package])
        return dict(re.findall(r"^([\w-]+): (.*(?:\n .*)*)", text, re.MULTILINE))

    def test_there_is_a_package_for_each_component(self):
        self.assertEqual(sorted(self.packages), ["ebb", "libebb-dev", "libebb0"])
        self.assertRegex(self.packages["ebb"].name, r"^ebb_[\d.]+-\d+_\w+\.deb$")

    def test_control_fields(self):
        architecture = run("dpkg", "--print-architecture").strip()
        synopses = set()
        for package, section in (("ebb", "science"), ("libebb0", "libs"), ("libebb-dev", "libdevel")):
            fields = self.fields(package)
            self.assertEqual(fields["Package"], package)
            self.assertRegex(fields["Version"], r"^\d+\.\d+\.\d+-\d+$")
            self.assertEqual(fields["Architecture"], architecture)
            self.assertEqual((fields["Section"], fields["Priority"]), (section, "optional"))
            self.assertRegex(fields["Maintainer"], r"^[^<>]+ <[^@<>\s]+@[^@<>\s]+>$")
            self.assertGreater(int(fields["Installed-Size"]), 20)
            synopsis, *lines = fields["Description"].split("\n")
            synopses.add(synopsis)
            self.assertTrue(lines)
            self.assertNotIn(synopsis, " ".join(lines))
            self.assertLess(max(map(len, lines)), 81)
        self.assertEqual(len(synopses), 3)

    def test_what_they_depend_on(self):
        depends = {package: self.fields(package)["Depends"].split(", ") for package in self.packages}
        self.assertEqual(depends["libebb-dev"], [f"libebb0 (= {self.fields('libebb0')['Version']})"])
        for package in ("ebb", "libebb0"):
            names = [name.split()[0] for name in depends[package]]
            for name in ("libc6", "libstdc++6", "libspng0"):
                self.assertIn(name, names)
            self.assertEqual([name for name in names if name.startswith("libebb")], [])
        self.assertIn("fonts-dejavu-core", depends["ebb"])
        self.assertNotIn("fonts-dejavu-core", depends["libebb0"])
        self.assertEqual(self.fields("libebb0")["Recommends"], "ebb")

    def test_files_belong_to_root_and_are_readable(self):
        for package in self.packages.values():
            for line in run("dpkg-deb", "-c", package).splitlines():
                mode, owner, *_, name = line.split(" -> ")[0].split()
                self.assertEqual(owner, "root/root", line)
                expected = r"l.*" if mode[0] == "l" else r"drwxr-xr-x|-rw-r--r--|-rwxr-xr-x"
                self.assertRegex(mode, f"^({expected})$", line)
                self.assertTrue(name.startswith("./usr/"), line)

    def test_unpacked_the_programs_run_and_the_library_is_whole(self):
        root = self.dir / "root"
        for package in self.packages.values():
            run("dpkg-deb", "-x", package, root)
        self.check_programs(root / "usr/bin", "debian.png")
        (link,) = (root / "usr/lib").rglob("libebb.so")
        self.assertTrue(link.exists())
        for binary in (root / "usr/bin/ebb", link):
            self.assertNotIn(".symtab", run("readelf", "-SW", binary))  # stripped
        for package in self.packages:
            self.assertTrue((root / f"usr/share/doc/{package}/copyright").exists())

    def test_lintian_finds_no_errors(self):
        if shutil.which("lintian") is None:
            print("skipped: lintian over the Debian packages (not installed)")
            self.skipTest("lintian is not installed")
        found = run("lintian", "--no-cfg", "--allow-root", "--fail-on", "none", *self.packages.values())
        self.assertEqual([line for line in found.splitlines() if line.startswith("E:")], [])


def main() -> int:
    global ARGS
    parser = argparse.ArgumentParser()
    for name in ("cpack", "build"):
        parser.add_argument(f"--{name}", required=True)
    ARGS = parser.parse_args()
    for name in ("bin/ebb", "bin/train_mnist", "bin/train_text_to_image", "lib/libebb.so"):
        if not (Path(ARGS.build) / name).exists():
            print(f"skipped: {name} is not built")
            return SKIPPED
    return 0 if unittest.main(argv=sys.argv[:1], verbosity=2, exit=False).result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
