"""Golden files of tokenizers: small SentencePiece models, and the ids that the sentencepiece library makes."""

import io
import json
import random
from pathlib import Path

import sentencepiece

DIRECTORY = Path(__file__).resolve().parent / "tokenizer"
SEED = 20

CORPUS = (
    "an oil painting of a snowy mountain village", "a photo of the amalfi coast", "a photo of a man",
    "a photo of a hipster barista", "a photo of a dog", "an oil painting of people around a campfire",
    "an oil painting of an old man", "a lithograph of waterfalls", "a lithograph of a skull",
    "a man wearing a hat", "a high quality photo", "a rocket ship", "a pencil", "Ärger, naïve façade: Straße №5",
    "two dogs & three cats (asleep) on the mat; what's that?", "der Turm am Abend, le château, el niño",
)  # fmt: skip

# What differs from the trainer's defaults.
MODELS = {
    "t5": {"normalization_rule_name": "nmt_nfkc", "pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1},
    "plain": {"normalization_rule_name": "identity", "add_dummy_prefix": False, "remove_extra_whitespaces": False},
    "suffix": {"normalization_rule_name": "identity", "treat_whitespace_as_suffix": True},
    "bytes": {"normalization_rule_name": "identity", "byte_fallback": True, "vocab_size": 420},
    "user": {"normalization_rule_name": "identity", "user_defined_symbols": ["<cat>", "of a", "▁the", "ee", "o"]},
}

SCRIPTS = ((0x20, 0x7F), (0xA0, 0x250), (0x300, 0x370), (0x370, 0x400), (0x400, 0x500), (0x590, 0x700),
           (0x900, 0xE00), (0x1100, 0x1200), (0x1E00, 0x2400), (0x3000, 0x3400), (0x4E00, 0x9FFF), (0xAC00, 0xD7A4),
           (0xF900, 0x10000), (0x1D400, 0x1D800), (0x1F300, 0x1F700), (1, 0x20))  # fmt: skip
WORDS = ("an oil painting of people around campfire photo dog the ee <cat> ½ ① ﬁne ｆｕｌｌ é ǟ ▁ </s> <pad> <unk> 你好 мир "
         "😀 \u200b \u00a0 \u3000 \ufeff \ufffd").split(" ")  # fmt: skip


def text(rng: random.Random) -> str:
    """Words, characters of one script, and white space of any kind."""
    result = ""
    for _ in range(rng.randrange(12)):
        if rng.random() < 0.6:
            result += rng.choice(WORDS)
        else:
            low, high = rng.choice(SCRIPTS)
            result += "".join(chr(rng.randrange(low, high)) for _ in range(rng.randrange(1, 5)))
        result += rng.choice((" ", " ", "", "  ", "\t", "\n"))
    return "".join(c for c in result if not 0xD800 <= ord(c) < 0xE000)


def write_tokenizer_goldens() -> None:
    """<model>.model and <model>.json: a list of [text, ids]."""
    DIRECTORY.mkdir(exist_ok=True)
    for name, options in MODELS.items():
        file = io.BytesIO()
        settings = {"vocab_size": 160, "hard_vocab_limit": False, "minloglevel": 2} | options
        sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(CORPUS), model_writer=file,
                                                 model_type="unigram", **settings)  # fmt: skip
        (DIRECTORY / f"{name}.model").write_bytes(file.getvalue())
        model = sentencepiece.SentencePieceProcessor(model_proto=file.getvalue())
        rng = random.Random(SEED)
        texts = ["", " ", "▁", *CORPUS[:4], *(text(rng) for _ in range(100))]
        pairs = [[text, model.encode(text)] for text in texts]
        (DIRECTORY / f"{name}.json").write_text(json.dumps(pairs, separators=(",", ":")) + "\n")
