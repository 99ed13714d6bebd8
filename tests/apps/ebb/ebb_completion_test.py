#!/usr/bin/env python3
"""Completions and manuals of ebb and of train_mnist, which lies beside it.

Usage: ebb_completion_test.py EBB
"""

import os
import shlex
import shutil
import subprocess
from pathlib import Path

from ebb_case import EbbTest, main, program
from model_files import write_model

SHELLS = ("bash", "zsh", "fish")


class Completion(EbbTest):
    def setUp(self) -> None:
        super().setUp()
        self.scripts = {"ebb": self.ebb("completion", "bash").stdout}
        self.trainer = Path(program()).parent / "train_mnist"
        if self.trainer.exists():
            self.scripts["train_mnist"] = self.trained("--completion", "bash")

    def trained(self, *arguments) -> str:
        return subprocess.run([self.trainer, *arguments], capture_output=True, text=True, check=True).stdout

    def completed(self, *words, env: dict = None) -> list:
        """What bash offers for the last word."""
        script = self.scripts[words[0]] + (
            f"\nCOMP_WORDS=({shlex.join(words)}); COMP_CWORD={len(words) - 1}\n"
            f"_{words[0]}; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        )
        path = f"{Path(program()).parent}:{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-c", script],
            cwd=self.dir, capture_output=True, text=True, check=True,
            env={**os.environ, "PATH": path, **(env or {})},
        )  # fmt: skip
        self.assertEqual(done.stderr, "")
        return [word for word in done.stdout.splitlines() if word]

    def test_commands_flags_and_choices(self) -> None:
        self.assertEqual(self.completed("ebb", "sa"), ["sample"])
        self.assertIn("anagram", self.completed("ebb", ""))
        self.assertNotIn("man", self.completed("ebb", ""))
        self.assertEqual(self.completed("ebb", "sample", "--samp"), ["--sampler"])
        self.assertEqual(self.completed("ebb", "sample", "--sampler", "dd"), ["ddpm", "ddim"])
        self.assertEqual(self.completed("ebb", "sample", "--sampler", "=", "dp"), ["dpm++"])
        self.assertEqual(self.completed("ebb", "sample", "--steps", ""), [])
        self.assertEqual(self.completed("ebb", "forward", "--sampl"), [])  # it has none
        self.assertEqual(self.completed("ebb", "draw", "to"), ["tower"])  # an older name
        self.assertEqual(self.completed("ebb", "completion", "z"), ["zsh"])

    def test_files_by_kind(self) -> None:
        for name in ("a b.png", "a.jpg", "a.txt", "aw.safetensors"):
            (self.dir / name).touch()
        (self.dir / "ad").mkdir()
        self.assertEqual(sorted(self.completed("ebb", "edit", "-i", "a")), ["a b.png", "a.jpg", "ad"])
        self.assertEqual(sorted(self.completed("ebb", "info", "a")), ["a b.png", "a.jpg", "ad"])
        self.assertEqual(sorted(self.completed("ebb", "sample", "-o", "a")),
                         ["a b.png", "a.jpg", "a.txt", "ad", "aw.safetensors"])  # fmt: skip
        self.assertEqual(self.completed("ebb", "report", "-o", "a"), ["ad"])

    def test_models_by_name_and_file(self) -> None:
        write_model(self.dir / "named.safetensors")
        (self.dir / "na").mkdir()
        write_model(self.dir / "na" / "namesake.safetensors")
        env = {"EBB_MODELS": str(self.dir / "na")}
        self.assertEqual(sorted(self.completed("ebb", "sample", "--model", "na", env=env)),
                         ["na", "named.safetensors", "namesake"])  # fmt: skip
        self.assertIn("namesake", self.completed("ebb", "eval", "na", env=env))

    def test_the_trainer_completes_without_its_required_flags(self) -> None:
        if "train_mnist" not in self.scripts:
            self.skipTest("train_mnist is not built")
        self.assertEqual(self.completed("train_mnist", "--prog"), ["--progress"])
        self.assertIn("denoiser", self.completed("train_mnist", "--model", "den"))

    def test_shells_accept_the_scripts(self) -> None:
        for shell in SHELLS:
            with self.subTest(shell=shell):
                if shutil.which(shell) is None:
                    self.skipTest(f"{shell} is not installed")
                scripts = [self.ebb("completion", shell).stdout]
                if self.trainer.exists():
                    scripts.append(self.trained("--completion", shell))
                for script in scripts:
                    path = self.dir / "script"
                    path.write_text(script)
                    done = subprocess.run([shell, "-n", path], capture_output=True, text=True)
                    self.assertEqual((done.returncode, done.stderr), (0, ""))
                    path.write_text(script + "\nif then (\n")
                    self.assertNotEqual(subprocess.run([shell, "-n", path], capture_output=True).returncode, 0)

    def test_an_unknown_shell_is_refused(self) -> None:
        self.assertIn("must be one of bash, zsh, fish", self.ebb("completion", "tcsh", rc=2).stderr)


class Manuals(EbbTest):
    def write_manuals(self) -> list:
        self.ebb("man", "manuals")
        trainer = Path(program()).parent / "train_mnist"
        if trainer.exists():
            subprocess.run([trainer, "--man", self.dir / "manuals"], check=True)
        return sorted((self.dir / "manuals").iterdir())

    def test_every_command_has_a_manual(self) -> None:
        names = {path.name for path in self.write_manuals()}
        self.assertTrue({"ebb.1", "ebb-sample.1", "ebb-test-image.1", "ebb-models.1"} <= names, names)
        self.assertNotIn("ebb-man.1", names)
        text = (self.dir / "manuals" / "ebb-sample.1").read_text()
        self.assertTrue(text.startswith('.TH "EBB-SAMPLE" 1 '))
        self.assertIn("\\fB\\-\\-sampler NAME\\fR", text)

    def test_man_shows_them_without_a_warning(self) -> None:
        if shutil.which("man") is None:
            self.skipTest("man is not installed")
        for path in self.write_manuals():
            done = subprocess.run(
                ["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", path],
                capture_output=True, text=True, env={**os.environ, "LC_ALL": "C.UTF-8", "MANWIDTH": "80"},
            )  # fmt: skip
            self.assertEqual((done.returncode, done.stderr), (0, ""), path)
            self.assertIn("ebb manual", done.stdout)

    def test_a_directory_that_cannot_be_made_is_an_error_of_the_files(self) -> None:
        (self.dir / "file").touch()
        self.assertIn("file/x: cannot be made", self.ebb("man", "file/x", rc=4).stderr)
        self.assertIn("no directory", self.ebb("man", rc=2).stderr)


if __name__ == "__main__":
    main()
