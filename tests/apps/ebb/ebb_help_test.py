#!/usr/bin/env python3
"""Help, suggestions, lists and other words for the same, and the list of models.

Usage: ebb_help_test.py EBB
"""

import json
import re
import shlex
import shutil
import subprocess

from ebb_case import FAST, EbbTest, main, pixels, program, provenance
from model_files import write_model


class Suggestions(EbbTest):
    # Arguments of `ebb`, and what the message ends with or says.
    MEANT = [
        (["smaple", "--class", "3"], "smaple: unknown command. Did you mean sample?"),
        (["plto"], "Did you mean plot?"),
        (["help", "smaple"], "help smaple: unknown command. Did you mean sample?"),
        (["sample", "--step", "3"], "--step: unknown flag of ebb sample. Did you mean --steps?"),
        (["sample", "--clas=3"], "--clas=3: unknown flag of ebb sample. Did you mean --class?"),
        (["sample", "--sampler", "dddim"], "--sampler dddim: must be one of ddpm, ddim, dpm++, "
                                           "euler, heun, consistency. Did you mean ddim?"),  # fmt: skip
        (["test-image", "towr"], "Did you mean tower?"),
        (["sample", "--class", "sevn"], "Did you mean seven?"),
        (["sample", "--model", "m.safetensors", "-p", "a sevn"], "Did you mean seven?"),
        (["anagram", "--model", "m.safetensors", "--prompts", "6", "nien"], "Did you mean nine?"),
        (["sample", "7"], "7: unexpected argument of ebb sample. Did you mean --class 7?"),
        (["edit", "photo.png"], "Did you mean -i photo.png?"),
        (["anagram", "6", "9"], "6: unexpected argument of ebb anagram. Did you mean --prompts 6 9?"),
        (["--threads", "1", "sample", "--class", "3"], "--threads: belongs behind the command. "
                                                       "Write ebb sample --threads."),  # fmt: skip
        (["--foo", "sample"], "--foo: unknown flag of ebb."),
        (["sample", "info"], "info: unexpected argument of ebb sample. Give one command at a time."),
        (["xyzzy"], "xyzzy: unknown command, expected one of sample, edit, "),
    ]

    def test_a_mistake_gets_the_name_that_was_meant(self) -> None:
        for arguments, said in self.MEANT:
            with self.subTest(arguments=arguments):
                self.assertIn(said, self.ebb(*arguments, rc=2).stderr)

    def test_nothing_is_suggested_where_nothing_is_close(self) -> None:
        for arguments in (["xyzzy"], ["sample", "--xyzzy"], ["sample", "--sampler", "xyzzy"]):
            self.assertNotIn("Did you mean", self.ebb(*arguments, rc=2).stderr)

    def test_a_model_of_another_name_is_suggested(self) -> None:
        write_model(self.dir / "mine-class.safetensors")
        done = self.ebb("sample", "--model", "mine-clas", rc=4, env={"EBB_MODELS": str(self.dir)})
        self.assertIn("Did you mean mine-class? Give the path", done.stderr)


class Help(EbbTest):
    def help(self, *arguments, columns: int = 80) -> str:
        return self.ebb(*arguments, env={"COLUMNS": str(columns)}).stdout

    def commands(self) -> list:
        text = self.help("--help").split("\nHelp:\n")[0]
        return re.findall(r"^  ([a-z-]+)  ", text, re.MULTILINE)

    def test_help_of_the_program_lists_families_and_examples(self) -> None:
        text = self.help("--help")
        self.assertEqual(text, self.help("help"))
        self.assertEqual(text, self.help("-h"))
        self.assertEqual(self.commands()[0], "sample")
        self.assertNotIn("man", self.commands())  # hidden
        for heading in ("Generate:", "Inspect:", "Examples:"):
            self.assertEqual(text.count(f"\n{heading}\n"), 1)
        self.assertEqual(text.count("\n  ebb "), 3)  # examples

    def test_without_a_command_help_comes_with_the_error(self) -> None:
        done = self.ebb(rc=2, env={"COLUMNS": "80"})
        self.assertEqual(done.stdout, self.help("--help"))
        self.assertIn("error: ebb: no command given, expected one of sample, edit, ", done.stderr)

    def test_help_of_a_command_is_the_same_in_both_ways(self) -> None:
        for command in self.commands():
            with self.subTest(command=command):
                text = self.help("help", command)
                self.assertEqual(text, self.help(command, "--help"))
                self.assertIn(f"Usage: ebb {command}", text)
                self.assertIn("\nExamples:\n", text)
        self.assertEqual(self.help("help", "draw"), self.help("help", "test-image"))

    def test_lines_fit_the_terminal(self) -> None:
        for columns in (50, 80, 100):
            for command in [*self.commands(), None]:
                for line in self.help("help", *([command] if command else []), columns=columns).splitlines():
                    text = line.split("#")[0]
                    if len(text) > columns and not text.startswith("  ebb ") and "<(" not in text:
                        self.assertLessEqual(len(text.split()), 6, text)  # a long flag
                        self.assertTrue(text.strip().startswith("-"), text)

    def test_flags_that_do_nothing_are_not_shown(self) -> None:
        for command in ("forward", "blur"):
            for flag in ("--sampler", "--steps", "--eta", "--cfg-scale", "--gif"):
                self.assertNotIn(flag, self.help("help", command))
        self.assertIn("has no steps", self.ebb("forward", "-i", "x.png", "--steps", "3", rc=2).stderr)

    def test_flags_are_grouped_and_ranges_without_meaning_left_out(self) -> None:
        text = self.help("help", "sample")
        places = [text.index(f"\n{group}:\n") for group in ("Model", "Sampling", "Output", "Machine")]
        self.assertEqual(places, sorted(places))
        self.assertRegex(text, r"--seed INT\s+Seed of")
        self.assertNotIn("9007199254740991", text)

    def test_examples_use_flags_that_exist(self) -> None:
        for command in self.commands():
            text = self.help("help", command)
            for line in re.findall(r"^  (ebb .+)$", text.split("\nExamples:\n")[1], re.MULTILINE):
                words = shlex.split(line.split(">")[0])
                self.assertIn(words[1], self.commands())
                for flag in (word for word in words[2:] if word.startswith("-")):
                    self.assertRegex(self.help("help", words[1]), rf"(?m)^  (-.*, )?{flag}\b", line)


class Words(EbbTest):
    def image(self, *arguments) -> list:
        self.sample("-b", "1", "-o", "x.png", "--force", *arguments)
        return pixels(self.dir / "x.png")

    def test_the_empty_prompt_is_no_class(self) -> None:
        empty = self.image("-p", "")
        self.assertEqual(provenance(self.dir / "x.png").get("prompt", ""), "")
        self.assertEqual(empty, self.image("--class", "none"))
        self.assertNotEqual(empty, self.image("--class", "0"))
        self.assertNotIn("guidance", self.sample("-p", "", "-o", "y.png").stdout)

    def test_a_class_may_be_named(self) -> None:
        self.assertEqual(self.image("--class", "seven"), self.image("--class", "7"))

    def test_several_classes_take_turns(self) -> None:
        for classes in (["3,8"], ["3", "8"], ["3, 8"], ["three,eight"]):
            with self.subTest(classes=classes):
                self.sample("--class", *classes, "-o", "c%d.png", "--force")
                self.assertEqual([provenance(self.dir / f"c{i}.png")["prompt"] for i in (0, 1)],
                                 ["class 3", "class 8"])  # fmt: skip
        self.assertFalse((self.dir / "c2.png").exists())
        self.assertIn("--class 3,: ", self.sample("--class", "3,", rc=2).stderr)

    def test_lists_are_separated_by_commas_or_blanks(self) -> None:
        self.ebb("test-image", "tower", "-o", "t.png")
        made = []
        for times in (["250,500"], ["250", "500"], ["250, 500"], ["250 500"], ["250,", "500"]):
            self.ebb("forward", "--model", "m.safetensors", "-i", "t.png", "-t", *times, "--grid",
                     "-o", "f.png", "--force")  # fmt: skip
            made.append(pixels(self.dir / "f.png"))
        self.assertEqual(made, made[:1] * 5)
        bad = self.ebb("forward", "--model", "m.safetensors", "-i", "t.png", "-t", "250,,500", rc=2)
        self.assertIn('"" must be a number', bad.stderr)

    def test_a_list_ends_before_what_is_no_number(self) -> None:
        done = self.ebb("eval", "--cfg-scales", "0", "1", "no.safetensors", rc=4)
        self.assertIn("no.safetensors", done.stderr)

    def test_prompts_and_views_may_be_one_word_with_commas(self) -> None:
        made = []
        for words in (["--prompts", "6", "9", "--views", "identity", "rotate_180"],
                      ["--prompts", "6,9", "--views", "identity,rotate180"],
                      ["--prompts", "6,9", "--view", "Rotate-180"]):  # fmt: skip
            self.ebb("anagram", "--model", "m.safetensors", "--steps", "3", "--threads", "1", *words,
                     "--force", "-o", "a.png")  # fmt: skip
            made.append(pixels(self.dir / "a.png"))
        self.assertEqual(made, made[:1] * 3)

    def test_other_words_for_a_choice(self) -> None:
        self.image("--sampler", "dpmpp")
        self.assertEqual(provenance(self.dir / "x.png")["sampler"], "dpm++")
        self.ebb("anagram", "--model", "m.safetensors", "--steps", "3", "--threads", "1",
                 "--prompts", "6", "9", "--view", "upside_down", "-o", "a.png")  # fmt: skip
        self.assertIn("class 9 by flip", provenance(self.dir / "a.png")["prompt"])


class Models(EbbTest):
    def setUp(self) -> None:
        super().setUp()
        self.models = self.dir / "models"
        self.models.mkdir()
        write_model(self.models / "mine.safetensors")
        (self.models / "broken.safetensors").write_bytes(b"no model")
        (self.models / "notes.txt").write_text("no model either")
        self.env = {"EBB_MODELS": str(self.models)}

    def test_models_are_listed_with_what_they_are(self) -> None:
        listed = json.loads(self.ebb("models", "--json", env=self.env).stdout)["models"]
        found = {model["name"]: model for model in listed}
        mine = found["mine"]
        self.assertEqual(mine["file"], str(self.models / "mine.safetensors"))
        self.assertEqual([mine[key] for key in ("kind", "height", "width", "channels", "classes", "dtype")],
                         ["ddpm", 28, 28, 1, 10, "F32"])  # fmt: skip
        self.assertEqual(mine["bytes"], (self.models / "mine.safetensors").stat().st_size)
        self.assertIn("error", found["broken"])
        self.assertNotIn("notes", found)

    def test_names_alone_are_for_programs(self) -> None:
        names = self.ebb("models", "--names", env=self.env).stdout.splitlines()
        self.assertIn("mine", names)
        self.assertEqual(names, sorted(names))
        text = self.ebb("models", env=self.env).stdout
        self.assertRegex(text, r"(?m)^mine +ddpm +28 x 28 x 1 +10 +F32 +[\d.]+ MiB +/.+/mine.safetensors$")
        self.assertRegex(text, r"(?m)^broken +unusable: ")

    def test_a_bare_name_may_be_a_file_of_any_ending(self) -> None:
        write_model(self.dir / "model.bin")
        done = self.ebb("inspect", "--json", "model.bin")
        self.assertEqual(json.loads(done.stdout)["files"][0]["file"], "model.bin")
        self.ebb("sample", "--model", "model.bin", "--class", "3", *FAST, "-o", "named.png")

    def test_a_program_without_models_says_where_it_looked(self) -> None:
        lonely = shutil.copy(program(), self.dir / "lonely")
        done = subprocess.run([lonely, "models"], cwd=self.dir, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 4)
        self.assertIn("ebb models: no model file in weights/pretrained, ", done.stderr)
        self.assertIn("Set EBB_MODELS to the directory of the models.", done.stderr)

    def test_names_serve_where_models_are_read(self) -> None:
        done = self.ebb("inspect", "--json", "mine", env=self.env)
        self.assertEqual(json.loads(done.stdout)["files"][0]["file"], str(self.models / "mine.safetensors"))
        self.ebb("convert", "mine", "-o", "half.safetensors", env=self.env)


if __name__ == "__main__":
    main()
