#!/usr/bin/env python3
"""docker_test.py: docker/Dockerfile without docker.

Its steps are read, and the tree that .dockerignore leaves is configured as they say.
"""

import argparse
import fnmatch
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from package_test import ROOT, run

DIRECTORIES = (
    "api apps base cmake diffusion docs emulator engine examples image include kernels nn scripts text weights".split()
)
ARGS = None  # the command line


def instructions():
    """-> [(word, rest)], one for each line, continued ones joined"""
    text = (ROOT / "docker/Dockerfile").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [tuple(line.split(maxsplit=1)) for line in lines]


def ignored():
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def is_ignored(path: str) -> bool:
    parts = path.split("/")
    for pattern in ignored():
        if pattern.startswith("**/") and any(fnmatch.fnmatch(part, pattern[3:]) for part in parts):
            return True
        if fnmatch.fnmatch(parts[0], pattern):
            return True
    return False


class DockerTest(unittest.TestCase):
    def test_two_stages_that_end_as_a_user_with_ebb_as_the_entry_point(self):
        words = [word for word, _ in instructions()]
        self.assertEqual(words.count("FROM"), 2)
        last = dict(instructions()[len(words) - words[::-1].index("FROM") :])
        self.assertEqual(last["ENTRYPOINT"], '["ebb"]')
        self.assertNotIn(last["USER"], ("root", "0"))
        images = [rest for word, rest in instructions() if word == "ARG"]
        self.assertEqual([image.split("=")[1] for image in images], ["debian:12-slim"] * 2)
        self.assertTrue(re.search(r"/packages/ebb_\*\.deb", " ".join(rest for _, rest in instructions())))

    def test_the_user_is_made_before_it_is_used(self):
        words = [f"{word} {rest}" for word, rest in instructions()]
        made = next(i for i, line in enumerate(words) if "useradd" in line and line.rstrip().split()[3] == "ebb")
        self.assertLess(made, words.index("USER ebb"))

    def test_what_is_copied_is_there(self):
        for word, rest in instructions():
            if word == "COPY":
                for source in rest.split()[:-1]:
                    self.assertTrue((ROOT / source).exists(), source)
                    self.assertFalse(source != "." and is_ignored(source), source)

    def test_the_tree_that_it_gets_configures_and_packs_for_debian(self):
        configure = next(rest for word, rest in instructions() if word == "RUN" and rest.startswith("cmake --preset"))
        with tempfile.TemporaryDirectory(prefix="ebb-docker-") as temporary:
            source = Path(temporary, "src")
            source.mkdir()
            for path in ROOT.iterdir():
                if path.is_file() and not is_ignored(path.name):
                    shutil.copy(path, source)
            for name in DIRECTORIES:
                self.assertFalse(is_ignored(name), name)
                (source / name).symlink_to(ROOT / name)
            words = [ARGS.cmake if word == "cmake" else word for word in shlex.split(configure)]
            run(*words, "-DEBB_CUDA=OFF", cwd=source)
            config = (source / "build/CPackConfig.cmake").read_text()
            self.assertIn("TGZ;DEB" if shutil.which("dpkg-shlibdeps") else "TGZ", config)
            # Debian's directory of this machine's libraries, which it has under /usr alone.
            cache = (source / "build/CMakeCache.txt").read_text()
            if shutil.which("dpkg-architecture"):
                triplet = subprocess.run(
                    ["dpkg-architecture", "-qDEB_HOST_MULTIARCH"], capture_output=True, text=True
                ).stdout.strip()
                self.assertIn(f"CMAKE_INSTALL_LIBDIR:PATH=lib/{triplet}\n", cache)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--cmake", required=True)
    ARGS = parser.parse_args()
    sys.exit(0 if unittest.main(argv=sys.argv[:1], verbosity=2, exit=False).result.wasSuccessful() else 1)
