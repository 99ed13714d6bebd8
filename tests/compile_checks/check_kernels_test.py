#!/usr/bin/env python3
"""check_kernels.py must be able to fail: every gate against an example that violates it."""

import re
import subprocess
import tempfile
import unittest
from pathlib import Path
from typing import List

import check_kernels
from check_kernels import Cache, Kernel, parse_ptx, parse_ptxas, problems_of, short_name

PTXAS = """\
ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function '_Z4goodv' for 'sm_80'
ptxas info    : Function properties for _Z4goodv
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 40 registers, used 1 barriers, 9472 bytes smem, 400 bytes cmem[0]
ptxas info    : Compiling entry function '_Z3badv' for 'sm_80'
ptxas info    : Function properties for _Z3badv
    16 bytes stack frame, 12 bytes spill stores, 8 bytes spill loads
ptxas info    : Used 255 registers, used 0 barriers
"""

PTX = """\
.visible .entry _Z4goodv(
\t.param .u64 _Z4goodv_param_0
)
.maxntid 128, 1, 1
{
{
.reg .pred p;
}
\tmma.sync.aligned;
}
.entry _Z3badv()
{
\tatom.global.add.f32 %f1, [%rd1], %f2;
}
"""

FINE = Kernel("conv_simt_kernel", "80", 128, 0, 1024, 256)

ROOT = Path(__file__).resolve().parents[2]
# Of GPUs that ebb supports: A100, RTX 30, Orin, RTX 40, H100, B200, B300, Thor (10.1, since CUDA 13 11.0), RTX 50, Spark.
CAPABILITIES = (80, 86, 87, 89, 90, 100, 103, 101, 110, 120, 121)


def can_run(architecture: str, capability: int) -> bool:
    """Whether an entry of CMAKE_CUDA_ARCHITECTURES is code for a GPU: SASS serves later minor versions, PTX
    all later ones, what is compiled for the features of one architecture (90a) that alone."""
    number = int(re.match(r"\d+", architecture).group())
    if re.match(r"\d+a", architecture):
        return number == capability
    sass = not architecture.endswith("-virtual") and number // 10 == capability // 10 and number <= capability
    return sass or (not architecture.endswith("-real") and number <= capability)


def not_served(architectures: List[str]) -> List[int]:
    return [c for c in CAPABILITIES if not any(can_run(a, c) for a in architectures)]


class CompileChecks(unittest.TestCase):
    def test_ptxas_output_is_read(self):
        self.assertEqual(parse_ptxas(PTXAS), {"_Z4goodv": [40, 0, 9472], "_Z3badv": [255, 20, 0]})

    def test_ptx_is_read(self):
        kernels = parse_ptx(PTX)
        self.assertEqual(kernels["_Z4goodv"][0], 128)
        self.assertIn("mma.sync", kernels["_Z4goodv"][1])
        self.assertNotIn("atom", kernels["_Z4goodv"][1])
        self.assertEqual(kernels["_Z3badv"][0], 0)

    def test_a_good_kernel_passes(self):
        self.assertEqual(problems_of(FINE, "fma.rn.f32"), [])

    def test_every_gate_fails(self):
        for kernel, body, what in (
            (FINE._replace(spilled=4), "fma.rn.f32", "spills"),
            (FINE._replace(threads=0), "fma.rn.f32", "launch_bounds"),
            (FINE._replace(registers=255, threads=512), "fma.rn.f32", "do not fit"),
            (FINE._replace(shared=49153), "fma.rn.f32", "static shared"),
            (FINE._replace(shared=16385), "fma.rn.f32 _ZN4ebb_simt_dynamic_sharedE", "static shared memory beside"),
            (FINE, "add.f32", "no fma.rn.f32"),
            (FINE, "fma.rn.f32 red.global.add.f32", "red.global.add.f32 in"),
        ):
            found = problems_of(kernel, body)
            self.assertEqual(len(found), 1, found)
            self.assertIn(what, found[0])

    def test_static_shared_memory_alone_may_be_larger(self):
        self.assertEqual(problems_of(FINE._replace(shared=16385), "fma.rn.f32"), [])
        self.assertEqual(problems_of(FINE._replace(shared=16384), "fma.rn.f32 ebb_simt_dynamic_shared"), [])

    def test_limits_are_those_of_the_launch(self):
        header = (ROOT / "kernels/simt/shared_memory.h").read_text()
        self.assertIn("kMaxStaticBesideDynamic = 16 << 10;", header)
        self.assertEqual(check_kernels.STATIC_BESIDE_DYNAMIC, 16 << 10)
        self.assertIn(f"kDynamicSharedAlignment = {check_kernels.DYNAMIC_ALIGNMENT};", header)

    def test_dynamic_shared_memory_is_aligned_for_swizzled_tiles(self):
        line = ".extern .shared .align {} .b8 _ZN3ebb23ebb_simt_dynamic_sharedE[];\n"
        self.assertEqual(check_kernels.problems_of_file(line.format(1024)), [])
        self.assertEqual(len(check_kernels.problems_of_file(line.format(16))), 1)

    def test_debug_builds_end_every_wait(self):
        ptx = ".entry _Z17conv_wgmma_kernelv()\n{\n%s\n}\n"
        self.assertEqual(check_kernels.problems_of_debug(ptx % "%globaltimer vprintf trap;"), [])
        self.assertEqual(check_kernels.problems_of_debug(ptx % "%globaltimer vprintf"),
                         ["conv_wgmma_kernel has no trap; in the PTX of a Debug build"])
        self.assertEqual(check_kernels.problems_of_debug(".entry _Z4goodv()\n{\n}\n"), [])
        forward = FINE._replace(name="conv_wgmma_kernel", architecture="90a")
        self.assertEqual(problems_of(forward, " ".join(check_kernels.WGMMA) + " trap;"),
                         ["trap; in its PTX, which is for Debug builds"])

    def test_every_supported_gpu_has_code(self):
        text = (ROOT / "cmake/cuda.cmake").read_text()
        architectures = re.search(r"set\(architectures ((?:\d[\w-]*\s?)+)\)", text).group(1).split()
        self.assertEqual(not_served(architectures), [])
        self.assertEqual(not_served(["80-real", "90a-real", "120"]), [100, 103, 101, 110])
        self.assertEqual(not_served(["90a"]), [c for c in CAPABILITIES if c != 90])

    def test_ptx_that_another_gpu_cannot_run_is_seen(self):
        with tempfile.TemporaryDirectory() as directory:
            Path(directory, "x.ptx").write_text(PTX)
            ptxas = Path(directory, "ptxas")
            for answer, problems in ((0, 0), (1, 1)):
                ptxas.write_text(f"#!/bin/sh\nexit {answer}\n")
                ptxas.chmod(0o755)
                found = check_kernels.problems_of_ptx_alone(f"{directory}/nvcc", directory)
                self.assertEqual(len(found), problems)

    def test_kernels_of_hopper_use_what_it_has(self):
        wgmma = "wgmma.mma_async cp.async.bulk.tensor.4d mbarrier.try_wait"
        forward = FINE._replace(name="conv_wgmma_kernel", architecture="90a")
        weights = forward._replace(name="conv_wgrad_wgmma_kernel")
        self.assertEqual(problems_of(forward, wgmma), [])
        self.assertEqual(len(problems_of(forward, "")), 3)
        self.assertEqual(problems_of(weights, wgmma), ["no setmaxnreg in its PTX"])

    def test_what_nvcc_and_ptxas_complain_about_is_seen(self):
        for text in (
            "ptxas info    : (C7515) Potential Performance Loss: wgmma.mma_async instructions are serialized due to",
            "ptxas info    : (C7506) Potential Performance Loss: 'setmaxnreg' ignored to maintain minimum",
            "kernels/x.cu(3): warning #177-D: variable was declared but never referenced",
        ):
            self.assertTrue(check_kernels.WARNING.search(text), text)
        self.assertFalse(any(check_kernels.WARNING.search(line) for line in PTXAS.splitlines()))

    def test_an_object_that_calls_exit_is_seen(self):
        with tempfile.TemporaryDirectory() as directory:
            for body, calls in (("exit(1);", True), ("_exit(1);", False)):
                source = Path(directory, "x.c")
                source.write_text("void exit(int); void _exit(int); void f(void) { %s }\n" % body)
                subprocess.run(["cc", "-c", "-o", f"{directory}/x.o", source], check=True)
                self.assertEqual(check_kernels.calls_exit(f"{directory}/x.o"), calls)

    def test_names_lose_namespaces_and_template_arguments(self):
        anonymous = "51_GLOBAL__N__4c0276f4_18_activation_cuda_cu_295d5af98Backward"
        self.assertEqual(short_name("_ZN3ebb4cuda10map_kernelILi1E6__halfNS0_" + anonymous), "map_kernel")
        self.assertEqual(short_name("_ZN3ebb4cuda51_GLOBAL__N__8ff8e8ad_18_group_norm_cuda_cu_5cf05633"
                                    "22group_norm_sums_kernelI6__halfEEv"), "group_norm_sums_kernel")
        self.assertEqual(short_name("_Z12probe_kernelv"), "probe_kernel")

    def test_figures_are_kept_until_a_file_or_the_compiler_changes(self):
        with tempfile.TemporaryDirectory() as directory:
            root = Path(directory, "tree")
            root.mkdir()
            source, header = root / "x.cu", root / "x.h"
            source.write_text("a")
            header.write_text("a")
            cache = Cache(Path(directory, "kept"), str(root), "13.0")
            self.assertIsNone(cache.find("x"))
            cache.keep("x", [str(source), str(header)], [["kernel"]])
            self.assertEqual(cache.find("x"), [["kernel"]])
            self.assertIsNone(Cache(cache.directory, str(root), "13.1").find("x"))
            header.write_text("b")
            self.assertIsNone(cache.find("x"))
            header.write_text("a")
            self.assertEqual(cache.find("x"), [["kernel"]])
            header.unlink()
            self.assertIsNone(cache.find("x"))

    def test_what_fails_is_compiled_every_time(self):
        with tempfile.TemporaryDirectory() as directory:
            source = Path(directory, "x.cu")
            source.write_text("")
            cache = Cache(Path(directory, "kept"), directory, "13.0")
            for _ in range(2):  # a compiler that only says no
                found = check_kernels.check("false", directory, str(source), "80", cache, Path(directory))
                self.assertTrue(found[1] and found[2], found)


if __name__ == "__main__":
    unittest.main()
