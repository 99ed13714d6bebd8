#!/usr/bin/env python3
"""Every rule refuses a tree that breaks it and accepts its repaired counterpart."""

import unittest

import check_programs
import check_reference
import rules

ERROR_H = "enum class ExitCode : int {\n  kOk = 0,\n  kUsage = 2,  // wrong flag\n};\n#pragma once\n"
TOGGLE = "#if defined(EBB_A_INL_H_) == defined(HWY_TARGET_TOGGLE)"
TABLE = "| code | meaning |\n|---|---|\n| 0 | ok |\n| 2 | usage |\n"

# rule -> [(what is wrong, tree that breaks the rule, tree that keeps it)]
LONG_FUNCTION = "int f(int n) {\n" + "  ++n;\n" * 43 + "  return n;\n}\n"  # 46 lines
SHORT_FUNCTION = "int g() { return 1; }\n"

CASES = {
    rules.include_direction: [
        (
            "the floor includes the engine",
            {"base/a.h": '#include "engine/tensor.h"\n', "engine/tensor.h": ""},
            {"engine/tensor.h": '#include "base/a.h"\n', "base/a.h": ""},
        ),
        (
            "a kernel includes the engine",
            {"kernels/a_cpu.cc": '#include "engine/tensor.h"\n', "engine/tensor.h": ""},
            {"engine/ops/a.cc": '#include "kernels/a.h"\n', "kernels/a.h": ""},
        ),
        (
            "weights include nn",
            {"weights/a.cc": '#include "nn/b.h"\n', "nn/b.h": ""},
            {"weights/a.cc": '#include "engine/b.h"\n', "engine/b.h": ""},
        ),
        (
            "nn includes weights",
            {"nn/a.cc": '#include "weights/b.h"\n', "weights/b.h": ""},
            {"diffusion/a.cc": '#include "weights/b.h"\n', "weights/b.h": ""},
        ),
        (
            "nn includes autograd",
            {"nn/a.cc": '  #  include "nn/autograd/tape.h"\n', "nn/autograd/tape.h": ""},
            {"nn/autograd/a.cc": '#include "nn/ops.h"\n', "nn/ops.h": ""},
        ),
        (
            "a sampler includes a program",
            {"diffusion/a.cc": '#include "apps/cli/b.h"\n', "apps/cli/b.h": ""},
            {"apps/cli/a.cc": '#include "diffusion/b.h"\n', "diffusion/b.h": ""},
        ),
        (
            "a subcommand includes autograd",
            {"apps/ebb/a.cc": '#include "nn/autograd/tape.h"\n', "nn/autograd/tape.h": ""},
            {"apps/train_mnist/a.cc": '#include "nn/autograd/tape.h"\n', "nn/autograd/tape.h": ""},
        ),
        (
            "a subcommand includes a header of train_mnist",
            {"apps/ebb/a.cc": '#include "apps/train_mnist/b.h"\n', "apps/train_mnist/b.h": ""},
            {"apps/train_mnist/a.cc": '#include "diffusion/schedule.h"\n', "diffusion/schedule.h": ""},
        ),
        (
            "the product includes test code",
            {"engine/a.cc": '#include "testing/b.h"\n', "testing/b.h": ""},
            {"tests/engine/a.cc": '#include "testing/b.h"\n', "testing/b.h": ""},
        ),
        (
            "an image includes a kernel",
            {"image/a.cc": '#include "kernels/b.h"\n', "kernels/b.h": ""},
            {"diffusion/a.cc": '#include "image/b.h"\n', "image/b.h": ""},
        ),
        (
            "the report includes a command",
            {"apps/report/a.cc": '#include "apps/ebb/b.h"\n', "apps/ebb/b.h": ""},
            {"apps/ebb/a.cc": '#include "apps/report/b.h"\n', "apps/report/b.h": ""},
        ),
        (
            "a path relative to the including file",
            {"nn/a.cc": '#include "b.h"\n', "nn/b.h": ""},
            {"nn/a.cc": '#include "nn/b.h"\n', "nn/b.h": ""},
        ),
        (
            "a file of ours in angle brackets",
            {"nn/a.cc": "#include <nn/b.h>\n", "nn/b.h": ""},
            {"nn/a.cc": "#include <vector>\n"},
        ),
        (
            "a public header includes one that is not installed",
            {"include/ebb/a.h": '#include "base/b.h"\n', "base/b.h": ""},
            {"include/ebb/a.h": "#include <ebb/b.h>\n", "include/ebb/b.h": ""},
        ),
        (
            "the engine includes the API that is made of it",
            {"engine/a.cc": "#include <ebb/b.h>\n", "include/ebb/b.h": ""},
            {"base/a.cc": "#include <ebb/b.h>\n", "api/a.cc": "#include <ebb/b.h>\n", "include/ebb/b.h": ""},
        ),
        (
            "an example includes what is not installed",
            {"examples/a.cc": '#include "image/b.h"\n', "image/b.h": ""},
            {"examples/a.cc": "#include <ebb/b.h>\n", "include/ebb/b.h": ""},
        ),
        (
            "a public header by its path",
            {"api/a.cc": '#include "include/ebb/b.h"\n', "include/ebb/b.h": ""},
            {"api/a.cc": "#include <ebb/b.h>\n", "include/ebb/b.h": ""},
        ),
        (
            "a directory without a layer",
            {"extra/a.cc": '#include "engine/b.h"\n', "engine/b.h": ""},
            {"engine/a.cc": '#include "engine/b.h"\n', "engine/b.h": ""},
        ),
    ],
    rules.no_circle_between_directories: [
        (
            "two directories that need each other",
            {"nn/a.h": '#include "engine/b.h"\n', "engine/b.h": '#include "nn/a.h"\n'},
            {"nn/a.h": '#include "engine/b.h"\n', "engine/b.h": ""},
        ),
        (
            "a circle of three, one of them in a source file",
            {
                "kernels/conv/a.cc": '#include "kernels/norm/b.h"\n',
                "kernels/norm/b.h": '#include "kernels/cpu/c.h"\n',
                "kernels/cpu/c.h": '#include "kernels/conv/d.h"\n',
                "kernels/conv/d.h": "",
            },
            {
                "kernels/conv/a.cc": '#include "kernels/norm/b.h"\n',
                "kernels/norm/b.h": '#include "kernels/cpu/c.h"\n',
                "kernels/cpu/c.h": "",
            },
        ),
        (
            "none within a directory",
            {
                "kernels/conv/cpu/a.h": '#include "engine/b.h"\n',
                "engine/b.h": '#include "kernels/conv/c.h"\n',
                "kernels/conv/c.h": "",
            },
            {
                "kernels/conv/cpu/a.h": '#include "kernels/conv/c.h"\n',
                "kernels/conv/c.h": '#include "kernels/conv/cpu/b.h"\n',
                "kernels/conv/cpu/b.h": "",
            },
        ),
    ],
    rules.the_library_links_no_command_line_and_no_codec: [
        ("CLI11 in the library", {"diffusion/a.cc": "#include <CLI/CLI.hpp>\n"}, {"apps/cli/a.cc": "#include <CLI/CLI.hpp>\n"}),
        ("cairo in the library", {"nn/a.cc": "#include <cairo.h>\n"}, {"image/a.cc": "#include <cairo.h>\n"}),
    ],
    rules.cuda_headers_stay_in_cuda_files: [
        (
            "a public header includes the CUDA runtime",
            {"kernels/conv/conv.h": "#include <cuda_runtime.h>\n"},
            {"kernels/conv/conv_cuda.cu": "#include <cuda_runtime.h>\n"},
        ),
        (
            "cuBLAS in the engine",
            {"engine/tensor.cc": '#include "cublas_v2.h"\n'},
            {"engine/cuda/stream.cc": "#include <cuda_runtime.h>\n"},
        ),
    ],
    rules.vendor_libraries_stay_in_bench: [
        (
            "cuDNN in a kernel",
            {"kernels/conv/conv_cuda.cu": "#include <cudnn.h>\n"},
            {"bench/vendor/api.h": "#include <cudnn.h>\n"},
        ),
        (
            "cuBLAS opened by the engine",
            {"engine/cuda/a.cc": 'dlopen("libcublas.so.13", 1);\n'},
            {"engine/cuda/a.cc": "// as fast as cuBLAS\n"},
        ),
        (
            "a target linked with cuDNN",
            {"engine/CMakeLists.txt": "target_link_libraries(ebb_engine PRIVATE libcudnn)\n"},
            {"tests/kernels/CMakeLists.txt": "target_link_libraries(t PRIVATE libcudnn)\n"},
        ),
        ("cuBLAS called", {"nn/a.cc": "cublasGemmEx(handle);\n"}, {"nn/a.cc": "gemm();\n"}),
    ],
    rules.one_cuda_switch: [
        ("#if elsewhere", {"nn/a.cc": "#if EBB_CUDA\n"}, {"engine/backend.cc": "#if EBB_CUDA\n"}),
        ("#ifdef elsewhere", {"nn/a.cc": "#ifdef EBB_CUDA\n"}, {"nn/a.cc": "// EBB_CUDA\n"}),
        ("#elif elsewhere", {"nn/a.h": "#elif defined(EBB_CUDA)\n"}, {"nn/a.h": "#if EBB_CUDA_X\n"}),
    ],
    rules.headers_are_guarded: [
        ("no guard", {"nn/a.h": "int f();\n"}, {"nn/a.h": "// Text.\n#pragma once\n"}),
        ("guard in a comment", {"nn/a.h": "// #pragma once\n"}, {"nn/a.cc": "int f();\n"}),
        (
            "a SIMD header that only its first target sees",
            {"kernels/cpu/a-inl.h": "#pragma once\n#include <hwy/highway.h>\n"},
            {"kernels/cpu/a-inl.h": f"{TOGGLE}\n#include <hwy/highway.h>\n"},
        ),
    ],
    rules.no_machine_paths: [
        ("a home directory", {"scripts/a": "cd /home/ann/ebb\n"}, {"scripts/a": 'cd "$root/home/ann"\n'}),
        ("a quoted path", {"a.py": 'open("/tmp/build/x")\n'}, {"a.py": 'open("../tmp/build/x")\n'}),
        ("root's home", {"README.md": "in `/root/ebb`\n"}, {"README.md": "at https://a.b/root/c\n"}),
        ("a build directory", {"a.cmake": "set(D /tmp/build-x)\n"}, {"a.cmake": "set(D /tmp)\n"}),
        ("in data", {"log.json": '{"p": "/opt/ebb-venv"}\n'}, {"log.json": '{"p": "venv"}\n'}),
    ],
    rules.no_unfinished_markers: [
        ("a to-do", {"nn/a.cc": "// TODO: more\n"}, {"nn/a.cc": "// todos are elsewhere\n"}),
        ("a fix-me", {"scripts/a": "#!/bin/sh\n# FIXME\n"}, {"CONTRIBUTING.md": "No TODO, no FIXME.\n"}),
    ],
    rules.no_assert: [
        ("assert()", {"nn/a.cc": "  assert(n > 0);\n"}, {"nn/a.cc": "  static_assert(n > 0);\n"}),
        ("its header", {"nn/a.cc": "#include <cassert>\n"}, {"nn/a.cc": "EBB_CHECK(n > 0, UsageError);\n"}),
    ],
    rules.no_native_code_generation: [
        ("-march", {"CMakeLists.txt": "x(-march=native)\n"}, {"CMakeLists.txt": "x(-march=x86-64-v3)\n"}),
    ],
    rules.former_words_stay_away: [
        ("in an identifier", {"nn/a.cc": "int read_picture(int x);\n"}, {"nn/a.cc": "int read_image(int x);\n"}),
        ("in a comment", {"nn/a.cc": "// a Grey image\n"}, {"nn/a.cc": "// a gray image; greyhound\n"}),
        ("somebody", {"nn/a.cc": "// somebody reads it\n"}, {"nn/a.cc": "// a node reads it\n"}),
        ("in a document", {"docs/a.md": "the folders of a run\n"}, {"docs/a.md": "the directories of a run\n"}),
        ("a limit", {"nn/a.cc": "constexpr int kMostSteps = 3;\n"}, {"nn/a.cc": "constexpr int kMaxSteps = 3, kMost = 1;\n"}),
        (
            "a key that files hold, elsewhere",
            {"nn/a.cc": '"picture"\n'},
            {"apps/cli/provenance.cc": '"picture"\n', "tests/golden/a.md": "a picture\n"},
        ),
    ],
    rules.comments_open_with_a_noun: [
        ("what", {"nn/a.h": "// What a kernel reads.\n"}, {"nn/a.h": "// Inputs of a kernel.\n"}),
        ("a second sentence", {"nn/a.h": "// Inputs.\n// Of a kernel.\n"}, {"nn/a.h": "// Inputs\n// Of a kernel.\n"}),
    ],
    rules.files_stay_short: [
        ("601 lines", {"nn/a.cc": "\n" * 451}, {"nn/a.cc": "\n" * 450}),
        ("a long script", {"scripts/a": "#!/bin/sh\n" + "\n" * 451}, {"docs/a.md": "\n" * 451}),
    ],
    rules.functions_stay_short: [
        ("one of two", {"nn/a.cc": LONG_FUNCTION + SHORT_FUNCTION}, {"tests/a.cc": LONG_FUNCTION}),
        ("a method", {"nn/a.h": "struct A {\n" + LONG_FUNCTION + "};\n"}, {"nn/a.h": "struct A {" + "\n" * 50 + "};\n"}),
        ("two of a hundred", {"nn/a.cc": 2 * LONG_FUNCTION + 98 * SHORT_FUNCTION},
         {"nn/a.cc": LONG_FUNCTION + 99 * SHORT_FUNCTION}),
    ],
    rules.exit_codes_are_documented: [
        (
            "a code without a row",
            {rules.ERROR_HEADER: ERROR_H, "docs/errors.md": "| 0 | ok |\n", "README.md": TABLE},
            {rules.ERROR_HEADER: ERROR_H, "docs/errors.md": TABLE, "README.md": TABLE},
        ),
        (
            "the codes are gone",
            {rules.ERROR_HEADER: "", "docs/errors.md": TABLE, "README.md": TABLE},
            {rules.ERROR_HEADER: ERROR_H, "docs/errors.md": TABLE, "README.md": TABLE},
        ),
    ],
}


class RulesTest(unittest.TestCase):
    def test_every_rule_has_a_violating_example(self):
        self.assertEqual(set(CASES), set(rules.RULES))

    def test_a_rule_refuses_what_breaks_it_and_accepts_the_repaired_one(self):
        for rule, cases in CASES.items():
            for what, broken, sound in cases:
                with self.subTest(rule=rule.__name__, case=what):
                    self.assertTrue(list(rule(broken)), "nothing found")
                    self.assertEqual(list(rule(sound)), [])

    def test_a_violation_names_file_and_line(self):
        (violation,) = rules.no_assert({"nn/a.cc": "\n\nassert(n);\n"})
        self.assertTrue(str(violation).startswith("nn/a.cc:3: "), str(violation))

    def test_the_report_of_long_files_starts_above_400_lines(self):
        tree = {"nn/a.cc": "\n" * 400, "nn/b.cc": "\n" * 401, "docs/c.md": "\n" * 500}
        self.assertEqual(rules.long_files(tree), {"nn/b.cc": 401})


    def test_functions_are_measured_from_their_name_to_their_closing_brace(self):
        text = (
            "namespace a {\n"
            "struct B {\n"
            "  int size() const { return 1; }\n"
            "};\n"
            "constexpr int kTable[] = {f(1),\n"
            "    2};\n"
            "// f() {\n"
            "template <typename T>\n"
            "T f(T x,\n"
            "    T y) {\n"
            "  if (x) {\n"
            "    return [&] { return '}'; }();\n"
            "  }\n"
            "  return {};\n"
            "}\n"
            "}\n"
        )
        self.assertEqual(list(rules.function_lengths(text)), [(3, 1), (8, 8)])


class ProgramsTest(unittest.TestCase):
    def test_autograd_symbols_are_found_in_the_output_of_nm(self):
        clean = "0000 T main\n0001 T ebb::nn_autograd_free()\n0002 W ebb::Tensor::shape() const\n"
        dirty = clean + "0003 T ebb::autograd::Tape::backward(ebb::Value)\n"
        self.assertEqual(check_programs.autograd_symbols(clean), [])
        self.assertEqual(len(check_programs.autograd_symbols(dirty)), 1)

    def test_cuda_libraries_are_found_in_the_output_of_readelf(self):
        clean = (
            " 0x0001 (NEEDED)             Shared library: [libstdc++.so.6]\n"
            " 0x0001 (NEEDED)             Shared library: [libcairo.so.2]\n"
        )
        dirty = clean + " 0x0001 (NEEDED)             Shared library: [libcudnn.so.9]\n"
        self.assertEqual(check_programs.forbidden_libraries(clean), [])
        self.assertEqual(check_programs.forbidden_libraries(dirty), ["libcudnn.so.9"])

    def test_names_of_vendor_libraries_are_found_in_a_program(self):
        self.assertEqual(check_programs.vendor_names(b"\0libcairo.so.2\0"), [])
        self.assertEqual(check_programs.vendor_names(b"\0libcudnn.so.9\0"), ["libcudnn"])

    def test_a_stale_reference_is_told_by_its_first_line(self):
        self.assertEqual(check_reference.first_difference("a\nb\n", "a\nb\n"), "")
        self.assertIn("line 2: 'b'", check_reference.first_difference("a\nb\n", "a\nc\n"))
        self.assertIn("longer", check_reference.first_difference("a\n", "a\nb\n"))


if __name__ == "__main__":
    unittest.main()
