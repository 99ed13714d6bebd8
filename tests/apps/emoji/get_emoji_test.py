#!/usr/bin/env python3
"""get_emoji and scripts/train_tokenizer from outside, on a few emoji.

Usage: get_emoji_test.py GET_EMOJI EBB TRAIN_TOKENIZER
"""

import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

GET_EMOJI, EBB, TRAIN_TOKENIZER = (os.path.abspath(path) for path in sys.argv[1:4])
NEEDED = [
    "/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf",
    "/usr/share/unicode/emoji/emoji-test.txt",
    "/usr/share/unicode/cldr/common/annotations/en.xml",
    "/usr/share/unicode/cldr/common/annotationsDerived/en.xml",
]
FEW = ["--only", "1f680", "1f3d5", "1f468-200d-1f692", "--progress", "none"]


def run(*command, rc: int = 0) -> subprocess.CompletedProcess:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True)
    assert done.returncode == rc, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
    if rc:
        assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1, done.stderr
    return done


class Case(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory(prefix="ebb-emoji-")
        self.addCleanup(directory.cleanup)
        self.dir = Path(directory.name)

    def lines(self, directory: str = "e", name: str = "captions.jsonl") -> list:
        return [json.loads(line) for line in (self.dir / directory / name).read_text().splitlines()]


class GetEmoji(Case):
    def setUp(self) -> None:
        super().setUp()
        missing = [path for path in NEEDED if not os.path.exists(path)]
        if missing:
            self.skipTest(f"{missing[0]} is missing")

    def contents(self, directory: str) -> dict:
        return {str(path.relative_to(self.dir / directory)): path.read_bytes()
                for path in sorted((self.dir / directory).rglob("*")) if path.is_file()}

    def test_images_and_captions_are_there_and_the_same_again(self) -> None:
        self.assertIn("3 subjects", run(GET_EMOJI, self.dir / "e", *FEW).stdout)
        lines = self.lines() + self.lines(name="held_out.jsonl")
        self.assertEqual(len(lines), 15)
        self.assertEqual(len({line["file"] for line in lines}), 15)
        for line in lines:
            content = (self.dir / "e" / line["file"]).read_bytes()
            self.assertEqual(struct.unpack(">II", content[16:24]), (64, 64))
            article = "an" if line["style"] == "oil painting" else "a"
            self.assertTrue(line["captions"][0].startswith(f"{article} {line['style']} of a"
                                                           if line["code"] != "1f3d5"
                                                           else f"{article} {line['style']} of people"))
        self.assertIn("an oil painting of people around a campfire",
                      [text for line in lines for text in line["captions"]])
        run(GET_EMOJI, self.dir / "again", *FEW)
        self.assertEqual(self.contents("e"), self.contents("again"))

    def test_a_run_that_was_cut_goes_on(self) -> None:
        run(GET_EMOJI, self.dir / "e", *FEW)
        before = self.contents("e")
        kept = self.dir / "e/images/1f680.photo.png"
        time = kept.stat().st_mtime_ns
        (self.dir / "e/captions.jsonl").unlink()
        (self.dir / "e/images/1f3d5.pixel-art.png").unlink()
        run(GET_EMOJI, self.dir / "e", *FEW)
        self.assertEqual(self.contents("e"), before)
        self.assertEqual(kept.stat().st_mtime_ns, time)
        self.assertIn("another font, size or version",
                      run(GET_EMOJI, self.dir / "e", *FEW, "--side", 32, rc=3).stderr)

    def test_mistakes_are_named(self) -> None:
        self.assertIn("--only 12345", run(GET_EMOJI, self.dir / "e", "--only", "12345", rc=2).stderr)
        self.assertIn("nothing.ttf", run(GET_EMOJI, self.dir / "e", "--font", "nothing.ttf", rc=4).stderr)
        self.assertIn("is no font", run(GET_EMOJI, self.dir / "e", "--font", NEEDED[1], rc=3).stderr)
        self.assertIn("nothing.txt", run(GET_EMOJI, self.dir / "e", "--list", "nothing.txt", rc=4).stderr)
        (self.dir / "file").write_text("")
        self.assertIn("cannot be created", run(GET_EMOJI, self.dir / "file", *FEW, rc=4).stderr)


class TrainTokenizer(Case):
    def put(self, texts: list) -> None:
        (self.dir / "e").mkdir(exist_ok=True)
        with open(self.dir / "e/captions.jsonl", "w", encoding="utf-8") as file:
            for k, text in enumerate(texts):
                file.write(json.dumps({"file": f"{k}.png", "captions": [text]}) + "\n")

    def test_ebb_reads_what_sentencepiece_trains(self) -> None:
        if shutil.which("spm_train") is None:
            self.skipTest("no spm_train")
        subjects = ["rocket", "skull", "old man", "bear", "wave", "snake", "pencil", "café"]
        self.put([f"{style} of a {subject}" for style in ("a photo", "an oil painting", "a lithograph")
                  for subject in subjects])
        for out in ("one", "two"):
            run(sys.executable, TRAIN_TOKENIZER, self.dir / "e", self.dir / out, "--vocab-size", 80)
        model = self.dir / "one/spiece.model"
        self.assertEqual(model.read_bytes(), (self.dir / "two/spiece.model").read_bytes())
        self.assertEqual([path.name for path in (self.dir / "one").iterdir()], ["spiece.model"])
        texts = ["an oil painting of a rocket", "a photo of a café", "zebra \u2603"]
        ours = run(EBB, "tokenize", "--model", model, *texts).stdout.splitlines()
        for text, ids in zip(texts, ours):
            found = subprocess.run(["spm_encode", f"--model={model}", "--output_format=id"], input=text + "\n",
                                   capture_output=True, text=True, check=True).stdout.split()
            self.assertEqual(json.loads(ids), [int(k) for k in found], text)
        self.assertIn(2, json.loads(ours[2]))  # unknown: the snowman

    def test_mistakes_are_named(self) -> None:
        if shutil.which("spm_train") is None:
            self.skipTest("no spm_train")
        run(sys.executable, TRAIN_TOKENIZER, self.dir, self.dir / "out", rc=4)
        self.put(["", " "])
        self.assertIn("no captions", run(sys.executable, TRAIN_TOKENIZER, self.dir / "e", self.dir, rc=3).stderr)
        (self.dir / "e/captions.jsonl").write_text('{"file": "a.png"}\n')
        self.assertIn("line 1", run(sys.executable, TRAIN_TOKENIZER, self.dir / "e", self.dir, rc=3).stderr)


if __name__ == "__main__":
    result = unittest.main(argv=[sys.argv[0], *sys.argv[4:]], exit=False).result
    for test, reason in result.skipped:
        print(f"skipped: {test.id()}: {reason}")
    sys.exit(not result.wasSuccessful())
