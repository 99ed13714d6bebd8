#!/usr/bin/env python3
"""Compares `ebb tokenize` with the sentencepiece library on random texts in many scripts.

  compare_tokenizer.py EBB MODEL [--texts N] [--seed N]     needs sentencepiece

MODEL is a spiece.model. Prints the texts that differ, and how many; the exit code is 1 if any do.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import sentencepiece

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "golden"))

from tokenizer_goldens import text  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ebb")
    parser.add_argument("model")
    parser.add_argument("--texts", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    texts = [text(rng) for _ in range(options.texts)]
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl", encoding="utf-8") as file:
        file.writelines(json.dumps(line) + "\n" for line in texts)
        file.flush()
        done = subprocess.run([options.ebb, "tokenize", "--model", options.model, "--jsonl", file.name],
                              stdout=subprocess.PIPE, check=True, text=True)  # fmt: skip
    found = [json.loads(line) for line in done.stdout.splitlines()]
    library = sentencepiece.SentencePieceProcessor(options.model)
    differ = [line for line, ids in zip(texts, found, strict=True) if ids != library.encode(line)]
    for line in differ[:10]:
        print(json.dumps(line))
    print(f"{len(texts)} texts, {len(differ)} differ (sentencepiece {sentencepiece.__version__})")
    sys.exit(1 if differ else 0)


if __name__ == "__main__":
    main()
