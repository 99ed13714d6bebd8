#!/usr/bin/env python3
"""ebb tokenize: ids of texts, from the command line and from a file.

Usage: ebb_tokenize_test.py EBB   (the program under test)
"""

import json
from pathlib import Path

from ebb_case import EbbTest, main

GOLDENS = Path(__file__).resolve().parents[2] / "golden" / "tokenizer"
MODEL = GOLDENS / "t5.model"
PAIRS = json.loads((GOLDENS / "t5.json").read_text(encoding="utf-8"))
LENGTH = 77


class TokenizeTest(EbbTest):
    def ids(self, *arguments) -> list:
        done = self.ebb("tokenize", "--model", *arguments)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def test_texts_of_a_file_get_the_ids_of_sentencepiece(self) -> None:
        lines = "".join(json.dumps(text) + "\n" for text, _ in PAIRS)
        (self.dir / "texts.jsonl").write_text(lines, encoding="utf-8")
        self.assertEqual(self.ids(MODEL, "--jsonl", "texts.jsonl"), [ids for _, ids in PAIRS])

    def test_the_pipeline_s_ids_are_lower_case_and_padded(self) -> None:
        [raw] = self.ids(MODEL, "a photo of a dog")
        [ids] = self.ids(MODEL, "--pipeline", " A Photo of a DOG\n")
        self.assertEqual(ids, raw + [1] + [0] * (LENGTH - 1 - len(raw)))

    def test_a_prompt_that_is_too_long_is_cut_with_a_warning(self) -> None:
        done = self.ebb("tokenize", "--model", MODEL, "--pipeline", "a dog " * 400)
        ids = json.loads(done.stdout)
        self.assertEqual((len(ids), ids[-1]), (LENGTH, 1))
        self.assertRegex(done.stderr, r"warning: a dog .*\.\.\.: the last \d+ of its ids do not fit into 77")

    def test_a_directory_finds_its_tokenizer(self) -> None:
        directory = self.dir / "model" / "tokenizer"
        directory.mkdir(parents=True)
        (directory / "spiece.model").write_bytes(MODEL.read_bytes())
        (self.dir / "model" / "model_index.json").write_text(json.dumps(
            {"_class_name": "IFPipeline", "tokenizer": ["transformers", "T5Tokenizer"]}))  # fmt: skip
        expected = self.ids(MODEL, "a dog")
        for path in ("model", "model/tokenizer", "model/tokenizer/spiece.model"):
            self.assertEqual(self.ids(path, "a dog"), expected)
        (directory / "spiece.model").unlink()
        self.assertIn("model: has no tokenizer/spiece.model", self.ebb("tokenize", "--model", "model", "a", rc=3).stderr)

    def test_mistakes_get_one_clear_line(self) -> None:
        (self.dir / "empty").mkdir()
        (self.dir / "no.jsonl").write_text('"a"\n3\n')
        (self.dir / "text.model").write_text("# a text\n")
        for arguments, rc, said in (
            ((MODEL,), 2, "no text. Give texts"),
            (("empty", "a"), 3, "empty: has no spiece.model"),
            (("none.model", "a"), 4, "none.model"),
            (("text.model", "a"), 3, "text.model: byte 1: "),
            ((MODEL, "--jsonl", "no.jsonl"), 3, "no.jsonl: line 2: is no JSON string"),
            ((MODEL, "--pipeline", "a\udcff"), 2, "is not UTF-8"),
        ):
            with self.subTest(arguments=arguments):
                self.assertIn(said, self.ebb("tokenize", "--model", *arguments, rc=rc).stderr)


if __name__ == "__main__":
    main()
