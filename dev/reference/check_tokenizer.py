"""Compares our tokenizer with the package `tokenizers` on real texts and on random Unicode.

    make prepare
    python dev/reference/check_tokenizer.py ./prepare MODEL_DIR... [--data FILE...] [--random 10000] [--characters]

FILE is JSON or JSON lines; every string in it is a text. MODEL_DIR holds tokenizer.json (read by tokenizers.Tokenizer.from_file:
AutoTokenizer of Transformers 5 puts a wrong pre-tokenizer over R1 distills) and a chat template, which `prepare` asks for.
The NFC of `tokenizers` dates from Unicode 9 and leaves younger marks out of order: a text that is equal once Python has put them
in order is counted apart. With --characters every code point is tried in three places that show its class. Times are of one thread; ours include starting
the program and its JSON. Needs the package tokenizers.
"""
import argparse
import json
import os
import random
import subprocess
import sys
import time
import unicodedata

os.environ["TOKENIZERS_PARALLELISM"] = "false"
from tokenizers import Tokenizer  # noqa: E402

RANGES = [(0x20, 0x7E)] * 6 + [(0x09, 0x0D), (0x30, 0x39), (0x00, 0x1F), (0x80, 0xFF), (0x100, 0x24F), (0x300, 0x36F), (0x370, 0x5FF), (0x900, 0xDFF), (0xE00, 0xEFF), (0x1100, 0x11FF),
                              (0x1E00, 0x1FFF), (0x2000, 0x206F), (0x2070, 0x2BFF), (0x3000, 0x30FF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0xF900, 0xFAFF), (0xFF00, 0xFFEF),
                              (0x1D400, 0x1D7FF), (0x1F300, 0x1FAFF), (0, 0x10FFFF)]
SPACES = [0x09, 0x0A, 0x0D, 0x20, 0x20, 0x85, 0xA0, 0x1680, 0x180E, 0x2003, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000, 0x1C, 0x200B, 0xFEFF]
PIECES = ["'s", "'S", "'\u017f", "'re", "'LL", "'d", "\r\n", "\n\n", "  ", "\t", " \n ", "e\u0301", "\u1100\u1161\u11a8", "\u212b", "12345", "\u0f73\u0f71"]


def strings(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)


def read(path):
    text = open(path, encoding="utf-8").read()
    try:
        values = [json.loads(text)]
    except json.JSONDecodeError:
        values = [json.loads(line) for line in text.splitlines() if line.strip()]
    return [string for value in values for string in strings(value)]


def random_text(draw, added):
    parts = []
    for _ in range(draw.randint(0, 30)):
        kind = draw.random()
        if kind < 0.10:
            parts.append(draw.choice(added))
        elif kind < 0.25:
            parts.append(chr(draw.choice(SPACES)) * draw.randint(1, 3))
        elif kind < 0.40:
            parts.append(draw.choice(PIECES))
        else:
            low, high = draw.choice(RANGES)
            parts.append("".join(chr(draw.randint(low, high)) for _ in range(draw.randint(1, 6))))
    return "".join(c for c in "".join(parts) if not 0xD800 <= ord(c) < 0xE000)


def encode(prepare, model_dir, texts):
    lines = "".join(json.dumps({"text": text}) + "\n" for text in texts)
    start = time.perf_counter()
    done = subprocess.run([prepare, "-m", model_dir, "--encode"], input=lines.encode(), stdout=subprocess.PIPE, check=True)
    seconds = time.perf_counter() - start
    return [json.loads(line)["ids"] for line in done.stdout.splitlines()], seconds


def compare(prepare, model_dir, reference, title, texts):
    ours, our_seconds = encode(prepare, model_dir, texts)
    start = time.perf_counter()
    theirs = [reference.encode(text, add_special_tokens=False).ids for text in texts]
    their_seconds = time.perf_counter() - start
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    faults = older = 0
    for text, got, want in zip(texts, ours, theirs):
        if got != want and got == reference.encode(unicodedata.normalize("NFC", text), add_special_tokens=False).ids:
            older += 1
        elif got != want:
            faults += 1
            if faults <= 5:
                print(f"FAULT {text!r}\n  want {want}\n  got  {got}")
    print(f"{model_dir} {title}: {len(texts) - faults - older} of {len(texts)} texts equal, {older} if the text is brought into NFC by a newer Unicode first, {faults} faults, {sum(map(len, theirs))} tokens, {megabytes:.2f} MB; "
          f"prepare --encode {megabytes / our_seconds:.1f} MB/s, tokenizers {megabytes / their_seconds:.1f} MB/s")
    return faults


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("prepare")
    parser.add_argument("models", nargs="+")
    parser.add_argument("--data", nargs="*", default=[])
    parser.add_argument("--random", type=int, default=10000)
    parser.add_argument("--characters", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    faults = 0
    for model_dir in args.models:
        reference = Tokenizer.from_file(os.path.join(model_dir, "tokenizer.json"))
        added = [token.content for token in reference.get_added_tokens_decoder().values()]
        draw = random.Random(args.seed)
        if args.data:
            faults += compare(args.prepare, model_dir, reference, "data", [text for path in args.data for text in read(path)])
        faults += compare(args.prepare, model_dir, reference, "random Unicode", [random_text(draw, added) for _ in range(args.random)])
        if args.characters:
            codes = [code for code in range(0x110000) if not 0xD800 <= code < 0xE000]
            faults += compare(args.prepare, model_dir, reference, "every code point", [f"a{chr(code)}b\n{chr(code)}\n{chr(code)}'d" for code in codes])
    sys.exit(faults != 0)


if __name__ == "__main__":
    main()
