#!/usr/bin/env python3
"""package_test.py: installs a build into a prefix, moves the prefix, and uses it from outside.

The examples are configured, built and run against the moved prefix with find_package(ebb), one of
them with pkg-config alone, and give the pixels of the installed programs. Exit code 77: not built.
"""

import argparse
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SKIPPED = 77
ARGS = None  # the command line

# What libebb.so may need: the C and C++ run time, and libraries without a command line, fonts or codecs
# beside PNG.
MAY_NEED = re.compile(
    r"^(libc|libm|libstdc\+\+|libgcc_s|libpthread|libdl|librt|ld-linux[\w-]*|libz|libspng|libnettle|libunistring|libhwy)\.so"
)
OWN_SYMBOL = re.compile(r"^(typeinfo (name )?for |vtable for )?ebb::")
PUBLIC_HEADERS = sorted(path.name for path in (ROOT / "include/ebb").iterdir())


PARENT = """cmake_minimum_required(VERSION 3.25)
project(parent LANGUAGES CXX)
add_subdirectory(${EBB} ebb)
foreach(target ebb::ebb ebb::base ebb::image ebb::engine ebb::nn ebb::diffusion)
  if(NOT TARGET ${target})
    message(FATAL_ERROR "no target ${target}")
  endif()
endforeach()
foreach(target ebb train_mnist train_text_to_image test_base bench_kernels)
  if(TARGET ${target})
    message(FATAL_ERROR "a target ${target} that nobody asked for")
  endif()
endforeach()
foreach(variable CMAKE_BUILD_TYPE CMAKE_RUNTIME_OUTPUT_DIRECTORY CMAKE_ARCHIVE_OUTPUT_DIRECTORY
    CMAKE_LIBRARY_OUTPUT_DIRECTORY CMAKE_CXX_FLAGS CMAKE_CXX_STANDARD CMAKE_CXX_COMPILER_LAUNCHER)
  if(${variable})
    message(FATAL_ERROR "${variable} is ${${variable}}")
  endif()
endforeach()
add_executable(mine mine.cc)
target_link_libraries(mine PRIVATE ebb::ebb)
"""


def run(*command, **options) -> str:
    done = subprocess.run(
        [str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options
    )
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))}: exit code {done.returncode}\n{done.stdout[-4000:]}")
    return done.stdout


def pixels(path: Path) -> bytes:
    """Size and compressed pixels of a PNG: one encoder wrote all files that are compared here."""
    data, at, found = path.read_bytes(), 8, b""
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        if kind in (b"IHDR", b"IDAT"):
            found += data[at + 8 : at + 8 + length]
        at += 12 + length
    assert len(found) > 13, f"{path} has no pixels"
    return found


class PackageTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temp = tempfile.TemporaryDirectory(prefix="ebb-package-")
        cls.dir = Path(cls.temp.name)
        first = cls.dir / "first"
        for component in ("programs", "library", "development"):
            run(ARGS.cmake, "--install", ARGS.build, "--prefix", first, "--component", component)
        cls.prefix = cls.dir / "elsewhere" / "prefix"
        cls.prefix.parent.mkdir()
        first.rename(cls.prefix)
        cls.lib = cls.prefix / ARGS.libdir
        # Nothing of the build or the source tree is in the way.
        cls.work = cls.dir / "work"
        cls.work.mkdir()
        cls.environment = {k: v for k, v in os.environ.items() if not k.startswith(("EBB_", "LD_", "CMAKE_", "PKG_"))}

    @classmethod
    def tearDownClass(cls):
        cls.temp.cleanup()

    def outside(self, *command, **environment) -> str:
        return run(*command, cwd=self.work, env={**self.environment, **environment})

    def test_what_is_installed(self):
        models = sorted(path.name for path in (ROOT / "weights/pretrained").glob("*.safetensors"))
        self.assertTrue(models)
        for name in (
            "bin/ebb",
            "bin/train_mnist",
            "bin/train_text_to_image",
            "share/doc/ebb/README.md",
            "share/doc/ebb/examples/sample.cc",
            "share/bash-completion/completions/ebb",
            "share/fish/vendor_completions.d/train_mnist.fish",
            "share/man/man1/ebb-sample.1.gz",
            "share/zsh/site-functions/_ebb",
            f"{ARGS.libdir}/libebb.so",
            f"{ARGS.libdir}/pkgconfig/ebb.pc",
            *(f"{ARGS.libdir}/cmake/ebb/ebb{part}.cmake" for part in ("Config", "ConfigVersion", "Targets")),
            *(f"share/ebb/models/{model}" for model in models),
            *(f"include/ebb/{header}" for header in PUBLIC_HEADERS),
        ):
            self.assertTrue((self.prefix / name).exists(), name)
        for path in self.prefix.rglob("*"):
            if path.is_file() and path.suffix in (".cmake", ".pc", ".h"):
                self.assertNotIn(str(ROOT), path.read_text(), path)
                self.assertNotIn(str(self.dir / "first"), path.read_text(), path)

    def test_components_do_not_mix(self):
        names = {}
        for component in ("programs", "library", "development"):
            prefix = self.dir / f"only-{component}"
            run(ARGS.cmake, "--install", ARGS.build, "--prefix", prefix, "--component", component)
            names[component] = {str(p.relative_to(prefix)) for p in prefix.rglob("*") if not p.is_dir()}
        self.assertFalse(names["programs"] & names["library"] | names["library"] & names["development"])
        self.assertTrue(all(re.fullmatch(r".*/libebb\.so\.[\d.]+", name) for name in names["library"]), names["library"])
        self.assertIn(f"{ARGS.libdir}/libebb.so", names["development"])

    def test_public_headers_stand_alone_and_name_no_others(self):
        for header in PUBLIC_HEADERS:
            text = (self.prefix / "include/ebb" / header).read_text()
            for included in re.findall(r'#include\s*([<"][^>"]+[>"])', text):
                self.assertRegex(included, r"<(ebb/\w+\.h|\w+)>")
            source = self.work / f"alone_{header}.cc"
            source.write_text(f"#include <ebb/{header}>\n")
            flags = ("-std=c++20", "-Wall", "-Wextra", "-Wpedantic", "-Werror")
            self.outside(ARGS.compiler, *flags, "-fsyntax-only", f"-I{self.prefix}/include", source)

    def test_the_library_exports_and_needs_little(self):
        library = self.lib / "libebb.so"
        symbols = [line.split(" ", 2)[2] for line in run("nm", "-DC", "--defined-only", library).splitlines()]
        foreign = [symbol for symbol in symbols if not OWN_SYMBOL.match(symbol)]
        self.assertEqual(foreign, [])
        inner = [s for s in symbols if "::Impl::" in s or not re.search(r"ebb::(api::|\w*Error)", s)]
        self.assertEqual(inner, [])
        self.assertTrue(any(s.startswith("ebb::api::Pipeline::generate") for s in symbols), symbols)
        self.assertIn("typeinfo for ebb::UsageError", symbols)
        needed = re.findall(r"\(NEEDED\)[^\[]*\[([^\]]+)\]", run("readelf", "-d", "-W", library))
        self.assertIn("libstdc++.so.6", needed)
        self.assertEqual([name for name in needed if not MAY_NEED.match(name)], [])
        self.assertIn("[libebb.so.0]", run("readelf", "-d", "-W", library))

    def test_installed_programs_find_their_models(self):
        self.outside(self.prefix / "bin/ebb", "sample", "--class", "3", "--steps", "2", "-o", "three.png")
        self.assertGreater(len(pixels(self.work / "three.png")), 100)
        with self.assertRaisesRegex(AssertionError, re.escape(f"{self.prefix}/share/ebb/models/nothere")):
            self.outside(self.prefix / "bin/ebb", "sample", "--model", "nothere", "-o", "none.png")

    def test_the_examples_give_the_pixels_of_the_programs(self):
        source, build = self.work / "examples", self.work / "build"
        shutil.copytree(self.prefix / "share/doc/ebb/examples", source)
        ebb = self.prefix / "bin/ebb"
        settings = (f"-DCMAKE_PREFIX_PATH={self.prefix}", f"-DCMAKE_CXX_COMPILER={ARGS.compiler}")
        self.outside(ARGS.cmake, "-S", source, "-B", build, *settings)
        self.outside(ARGS.cmake, "--build", build)
        self.assertIn(str(self.lib), run("ldd", build / "sample"))

        output = self.outside(build / "sample", "library.png")
        self.assertEqual(output.count("step "), 21)
        sampler = ("--sampler", "ddim", "--steps", "20", "--seed", "1")
        self.outside(ebb, "sample", "--class", "7", *sampler, "--scale", "1", "-o", "program.png")
        self.assertEqual(pixels(self.work / "library.png"), pixels(self.work / "program.png"))

        self.outside(build / "anagram", "six.png", "nine.png")
        self.outside(ebb, "anagram", "--prompts", "6", "9", *sampler, "--scale", "1", "-o", "anagram.png")
        self.assertEqual(pixels(self.work / "six.png"), pixels(self.work / "anagram.png"))
        self.assertNotEqual(pixels(self.work / "nine.png"), pixels(self.work / "six.png"))

        output = self.outside(build / "train", "small.safetensors")
        losses = [float(loss) for loss in re.findall(r"mean loss ([\d.]+)", output)]
        self.assertEqual(len(losses), 5)
        self.assertLess(losses[-1], losses[0])
        self.assertIn("2 images", output)
        self.outside(ebb, "sample", "--model", "./small.safetensors", "--class", "1", "--steps", "3", "-o", "bar.png")

        # Its errors are the library's, caught outside of it.
        failed = subprocess.run(
            [build / "sample", "library.png"], cwd=self.work, env=self.environment, stderr=subprocess.PIPE, text=True
        )
        self.assertEqual(failed.returncode, 4)
        self.assertIn("error: library.png", failed.stderr)

    def test_pkg_config_describes_the_same_library(self):
        if shutil.which("pkg-config") is None:
            self.skipTest("pkg-config is not installed")
        variables = {"PKG_CONFIG_PATH": str(self.lib / "pkgconfig")}
        flags = self.outside("pkg-config", "--cflags", "--libs", "ebb", **variables).split()
        version = self.outside("pkg-config", "--modversion", "ebb", **variables).strip()
        self.assertTrue(run(self.prefix / "bin/ebb", "--version").startswith(f"ebb {version}"))
        source = ROOT / "examples/sample.cc"
        self.outside(ARGS.compiler, "-std=c++20", source, *flags, "-o", "by_hand")
        # The library finds its models by where it is itself.
        self.outside(self.work / "by_hand", "by_hand.png", LD_LIBRARY_PATH=str(self.lib))
        self.assertGreater(len(pixels(self.work / "by_hand.png")), 100)

    def test_a_subproject_leaves_its_parent_alone(self):
        parent = self.work / "parent"
        parent.mkdir()
        (parent / "CMakeLists.txt").write_text(PARENT)
        (parent / "mine.cc").write_text("#include <ebb/ebb.h>\nint main() {}\n")
        for shared in ("ON", "OFF"):
            build = self.work / f"parent-{shared}"
            settings = (f"-DEBB={ROOT}", f"-DEBB_SHARED={shared}", "-DEBB_CUDA=OFF", f"-DCMAKE_CXX_COMPILER={ARGS.compiler}")
            self.outside(ARGS.cmake, "-S", parent, "-B", build, *settings)
            self.assertFalse((build / "ebb/tests").exists())


def main() -> int:
    global ARGS
    parser = argparse.ArgumentParser()
    for name in ("cmake", "build", "compiler", "libdir"):
        parser.add_argument(f"--{name}", required=True)
    ARGS = parser.parse_args()
    for name in ("bin/ebb", "bin/train_mnist", "bin/train_text_to_image", "lib/libebb.so"):
        if not (Path(ARGS.build) / name).exists():
            print(f"skipped: {name} is not built")
            return SKIPPED
    return 0 if unittest.main(argv=sys.argv[:1], verbosity=2, exit=False).result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
